// What every loss binds: a row's outputs and its record, the loss of each row, the gradient of the outputs.

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
