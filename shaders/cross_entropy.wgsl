// Softmax cross-entropy against a class, safe for logits of any size: with m = max_c y[r,c] and s = Σ_c exp(y[r,c] - m),
//
//   loss_of    log(s) + m - y[r, class[r]]                                     c ascending
//   dloss_of   exp(y[r,c] - m) / s - (1 if c = class[r] else 0)
//
// The record holds the class as a float.

// (m, s) of a row
fn prepare(r: u32) -> vec2<f32> {
    var m = y_value(r, 0u);
    for (var c = 1u; c < size.columns; c++) { m = max(m, y_value(r, c)); }
    var s = 0.0;
    for (var c = 0u; c < size.columns; c++) { s += exp(y_value(r, c) - m); }
    return vec2(m, s);
}

fn class_of(r: u32) -> u32 { return u32(target_value(r, 0u)); }

fn loss_of(r: u32, p: vec2<f32>) -> f32 { return log(p.y) + (p.x - y_value(r, class_of(r))); }

fn dloss_of(r: u32, c: u32, p: vec2<f32>) -> f32 {
    return exp(y_value(r, c) - p.x) / p.y - select(0.0, 1.0, c == class_of(r));
}
