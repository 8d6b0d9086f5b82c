// A loss that is the mean over a row's outputs: the op's own file gives the loss of one output and its derivative.
//
//   forward    row_loss[r]  = Σ_c loss(y[r,c], t[r,c]) / columns      c ascending
//   backward   dy[r,c]      = weight[r] · dloss(y[r,c], t[r,c]) / columns
//
// A row of weight 0 has no gradient, whatever its values are.

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let r = id.x;
    if r >= now.rows { return; }
    var sum = 0.0;
    for (var c = 0u; c < size.columns; c++) {
        sum += loss(y[r * size.y_stride + c], record[r * size.record_stride + size.target_at + c]);
    }
    row_loss[r] = sum / f32(size.columns);
}

@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    let r = id.y;
    if c >= size.y_stride || r >= now.rows { return; }
    let at = r * size.y_stride + c;
    let weight = record[r * size.record_stride + size.weight_at];
    var d = 0.0;
    if c < size.columns && weight != 0.0 {
        d = weight * (dloss(y[at], record[r * size.record_stride + size.target_at + c]) / f32(size.columns));
    }
    dy[at] = d;
}
