// A loss that is the mean over a row's outputs: the op's own file gives the loss of one output and its derivative.
//
//   forward    row_loss[r]  = Σ_c loss(y[r,c], t[r,c]) / columns      c ascending
//   backward   dy[r,c]      = weight[r] · dloss(y[r,c], t[r,c]) / columns
//
// A row of weight 0 has no gradient, whatever its values are.

struct Dims {
    @align(16) columns: u32,
    y_stride: u32,       // from one row to the next, in floats
    record_stride: u32,
    target_at: u32,      // where a record's target and weight are
    weight_at: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> y: array<f32>;               // (rows, columns)
@group(0) @binding(3) var<storage, read> record: array<f32>;          // (rows, features | target | weight)
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;  // (rows)
@group(0) @binding(5) var<storage, read_write> dy: array<f32>;        // (rows, columns)

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
