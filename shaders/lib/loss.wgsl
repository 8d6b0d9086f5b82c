// A loss that is the mean over a row's outputs: the op's own file gives the loss of one output and its derivative.
//
//   forward    row_loss[r]  = Σ_c loss(y[r,c], t[r,c]) / columns      c ascending
//   backward   dy[r,c]      = weight[r] · dloss(y[r,c], t[r,c]) / columns
//
// A row of weight 0 has no gradient, whatever its values are.

struct Dims {
    columns: u32,
    y_stride: u32,       // from one row to the next, in floats
    record_stride: u32,
    target_at: u32,      // where a record's target and weight are
    weight_at: u32,
}

@group(0) @binding(0) var<uniform> dims: Dims;
@group(0) @binding(2) var<storage, read> y: array<f32>;               // (rows, columns)
@group(0) @binding(3) var<storage, read> record: array<f32>;          // (rows, features | target | weight)
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;  // (rows)
@group(0) @binding(5) var<storage, read_write> dy: array<f32>;        // (rows, columns)

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let r = id.x;
    if r >= clock.rows { return; }
    var sum = 0.0;
    for (var c = 0u; c < dims.columns; c++) {
        sum += loss(y[r * dims.y_stride + c], record[r * dims.record_stride + dims.target_at + c]);
    }
    row_loss[r] = sum / f32(dims.columns);
}

@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let c = id.x;
    let r = id.y;
    if c >= dims.y_stride || r >= clock.rows { return; }
    let at = r * dims.y_stride + c;
    let weight = record[r * dims.record_stride + dims.weight_at];
    var d = 0.0;
    if c < dims.columns && weight != 0.0 {
        d = weight * (dloss(y[at], record[r * dims.record_stride + dims.target_at + c]) / f32(dims.columns));
    }
    dy[at] = d;
}
