// bce, binary cross-entropy with logits: loss(y, t) = max(y, 0) - y t + log(1 + exp(-|y|))      dloss = sigmoid(y) - t
fn loss(y: f32, t: f32) -> f32 { return max(y, 0.0) - y * t + log(1.0 + exp(-abs(y))); }
fn dloss(y: f32, t: f32) -> f32 {
    let e = exp(-abs(y));
    return select(e, 1.0, y >= 0.0) / (1.0 + e) - t;
}
