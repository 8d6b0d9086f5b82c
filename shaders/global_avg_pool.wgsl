// The mean over all positions of a row, as PyTorch's nn.AdaptiveAvgPool2d(1), column by column:
//
//   forward    y[r,c]        = Σ_p x[r,p,c] / POSITIONS of x, one chain, ascending
//   backward   dinput[r,p,c] (+)= dy[r,c] / POSITIONS of x

struct Dims {
    @align(16) positions: u32,   // of a row of x
    columns4: u32,               // in vec4, rounded up
    x_stride4: u32,              // from one position of x to the next, in vec4
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, positions, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // (rows, columns)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, positions, columns)

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let begins = id.y * size.positions * size.x_stride4 + id.x;
    var sum = vec4(0.0);
    for (var p = 0u; p < size.positions; p++) { sum += x[begins + p * size.x_stride4]; }
    y[id.y * size.columns4 + id.x] = sum / f32(size.positions);
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count = size.positions * size.columns4;
    if id.x >= count || id.y >= lines(now) { return; }
    let d = dy[id.y * size.columns4 + id.x % size.columns4] / f32(size.positions);
    let at = id.y * count + id.x;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
