// huber: with e = y - t, loss = e²/2 where |e| <= DELTA, else DELTA (|e| - DELTA/2)      dloss = e cut to ±DELTA
override DELTA: f32 = 1.0;
fn loss(y: f32, t: f32) -> f32 {
    let e = y - t;
    return select(DELTA * (abs(e) - 0.5 * DELTA), 0.5 * e * e, abs(e) <= DELTA);
}
fn dloss(y: f32, t: f32) -> f32 {
    let e = y - t;
    return select(sign(e) * DELTA, e, abs(e) <= DELTA);
}
