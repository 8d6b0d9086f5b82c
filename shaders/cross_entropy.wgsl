// Softmax cross-entropy against a class, safe for logits of any size: with m = max_c y[r,c] and s = Σ_c exp(y[r,c] - m),
//
//   loss_of    log(s) + Σ_c share(c) · (m - y[r,c])                            c ascending
//   dloss_of   exp(y[r,c] - m) / s - share(c)
//   share(c)   SMOOTHING / columns, and 1 - SMOOTHING more if c = class[r]
//
// The record holds the class as a float.

override SMOOTHING: f32 = 0.0;   // 0 to below 1: PyTorch's label_smoothing

// (m, s) of a row
fn prepare(r: u32) -> vec2<f32> {
    var m = y_value(r, 0u);
    for (var c = 1u; c < size.columns; c++) { m = max(m, y_value(r, c)); }
    var s = 0.0;
    for (var c = 0u; c < size.columns; c++) { s += exp(y_value(r, c) - m); }
    return vec2(m, s);
}

fn class_of(r: u32) -> u32 { return u32(target_value(r, 0u)); }

fn loss_of(r: u32, p: vec2<f32>) -> f32 {
    let missed = p.x - y_value(r, class_of(r));
    if SMOOTHING == 0.0 { return log(p.y) + missed; }
    let even = SMOOTHING / f32(size.columns);
    var sum = (1.0 - SMOOTHING) * missed;
    for (var c = 0u; c < size.columns; c++) { sum = fma(even, p.x - y_value(r, c), sum); }
    return log(p.y) + sum;
}

fn dloss_of(r: u32, c: u32, p: vec2<f32>) -> f32 {
    let even = SMOOTHING / f32(size.columns);
    return exp(y_value(r, c) - p.x) / p.y - select(even, 1.0 - SMOOTHING + even, c == class_of(r));
}
