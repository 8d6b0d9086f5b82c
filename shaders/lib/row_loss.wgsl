// The kernel of a loss by itself. The loss's own files give prepare, loss_of and dloss_of.
//
//   both    row_loss[l] = loss_of(l)
//           dy[l,c]     = weight(l) · dloss_of(l, c)
//
// A line of weight 0 has no gradient, whatever its values are.

struct Dims {
    @align(16) columns: u32,
    y_stride: u32,       // from one row to the next, in floats
    record_stride: u32,
    target_at: u32,      // where a record's target is, and how many floats a position has of it
    targets: u32,
    weight_at: u32,      // where its weights are: one, or one for each position
    weights: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> y: array<f32>;               // (rows, columns)
@group(0) @binding(3) var<storage, read> record: array<f32>;          // (rows, inputs | target | weights)
@group(0) @binding(4) var<storage, read_write> row_loss: array<f32>;  // (rows)
@group(0) @binding(5) var<storage, read_write> dy: array<f32>;        // (rows, columns)

fn y_value(r: u32, c: u32) -> f32 { return y[r * size.y_stride + c]; }
fn target_value(r: u32, c: u32) -> f32 {
    let position = r % POSITIONS;
    return record[r / POSITIONS * size.record_stride + size.target_at + position * size.targets + c];
}
fn weight_of(r: u32) -> f32 {
    let position = select(0u, r % POSITIONS, size.weights > 1u);
    return record[r / POSITIONS * size.record_stride + size.weight_at + position];
}

@compute @workgroup_size(64)
fn both(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let r = id.x;
    if r >= lines(now) { return; }
    let p = prepare(r);
    row_loss[r] = loss_of(r, p);
    let weight = weight_of(r);
    for (var c = 0u; c < size.y_stride; c++) {
        var d = 0.0;
        if c < size.columns && weight != 0.0 { d = weight * dloss_of(r, c, p); }
        dy[r * size.y_stride + c] = d;
    }
}
