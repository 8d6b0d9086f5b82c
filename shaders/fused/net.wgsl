// A chain of linear layers with one kind of activation between them, as data for kernels that compute all of it at once.
//
// Everything with rows lies in one arena, tensor after tensor, each (rows, columns in vec4). A workgroup of LANES invocations
// side by side computes TILE rows at a time; a constant part in front of this file sets the number of lanes.

struct Layer {
    @align(16) inputs: u32,
    inputs4: u32,        // inputs and outputs in vec4, rounded up
    outputs: u32,
    outputs4: u32,
    x_at: u32,           // in the arena: what it reads
    y_at: u32,           // what it makes, after the activation
    d_at: u32,           // before the activation: the value where the activation keeps it, then the gradient
    parameters_at: u32,  // its weight (outputs, inputs), then its bias
    activated: u32,      // 1: an activation follows
    tile_at: u32,        // the first of the tiles of its gradient
    tiles: u32,          // those of the weight; the bias's follow, where it has its own
    across: u32,         // lanes that lie side by side over its inputs, where the others go on with its outputs
}

struct Dims {
    @align(16) layers: u32,
    tiles: u32,           // of all gradients
    rows_at: u32,         // in the arena: (loss, weight) of each row
    columns: u32,         // of the output
    y_at: u32,            // of the output
    y_stride4: u32,
    d_at: u32,            // of the output's gradient
    features4: u32,
    record_stride4: u32,  // from one record to the next, in vec4
    target_at: u32,       // where a record's target and weight are, in floats
    weight_at: u32,
}

override KEEPS_INPUT: bool = false;    // whether df is a function of x, not of y

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<uniform> layers: array<Layer, 16>;
@group(0) @binding(3) var<storage, read> samples: array<u32>;                       // (samples of this submit)
@group(0) @binding(4) var<storage, read> data: array<vec4<f32>>;                    // (samples, features | target | weight)
@group(0) @binding(5) var<storage, read_write> arena: array<vec4<f32>>;
@group(0) @binding(6) var<storage, read_write> parameters: array<vec4<f32>>;
@group(0) @binding(7) var<storage, read_write> gradients: array<vec4<f32>>;         // as parameters
@group(0) @binding(8) var<storage, read_write> open_gradients: array<vec4<f32>>;    // as parameters: the open block
@group(0) @binding(9) var<storage, read_write> stats: Stats;

var<private> lane: u32;

fn left_at(at: u32) -> vec4<f32> { return arena[at]; }
