// Softmax cross-entropy against a class, safe for logits of any size: with m = max_c y[r,c] and s = Σ_c exp(y[r,c] - m),
//
//   forward    row_loss[r]  = log(s) + m - y[r, class[r]]                                     c ascending
//   backward   dy[r,c]      = weight[r] · (exp(y[r,c] - m) / s - (1 if c = class[r] else 0))
//
// A row of weight 0 has no gradient, whatever its values are. The class stands in the record as a float.

// (m, s) of one row
fn softmax(at: u32) -> vec2<f32> {
    var m = y[at];
    for (var c = 1u; c < size.columns; c++) { m = max(m, y[at + c]); }
    var s = 0.0;
    for (var c = 0u; c < size.columns; c++) { s += exp(y[at + c] - m); }
    return vec2(m, s);
}

fn class_of(r: u32) -> u32 { return u32(record[r * size.record_stride + size.target_at]); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let r = id.x;
    if r >= now.rows { return; }
    let at = r * size.y_stride;
    let p = softmax(at);
    row_loss[r] = log(p.y) + (p.x - y[at + class_of(r)]);
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let r = id.x;
    if r >= now.rows { return; }
    let at = r * size.y_stride;
    let p = softmax(at);
    let class_ = class_of(r);
    let weight = record[r * size.record_stride + size.weight_at];
    for (var c = 0u; c < size.y_stride; c++) {
        var d = 0.0;
        if c < size.columns && weight != 0.0 {
            d = weight * (exp(y[at + c] - p.x) / p.y - select(0.0, 1.0, c == class_));
        }
        dy[at + c] = d;
    }
}
