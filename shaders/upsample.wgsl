// Repeats each pixel factor_y times down and factor_x times to the right, as PyTorch's nn.Upsample(scale_factor, mode="nearest"):
//
//   forward    y[r,i,j,c]      = x[r,i/factor_y,j/factor_x,c]
//   backward   dinput[r,i,j,c] (+)= Σ dy over the pixels made of this one, in scan order

struct Dims {
    @align(16) height: u32,   // of x
    width: u32,
    columns4: u32,            // in vec4, rounded up
    x_stride4: u32,           // from one pixel of x to the next, in vec4
    factor_y: u32,
    factor_x: u32,
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, height, width, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, height · factor_y, width · factor_x, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // as y
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, height, width, columns)

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = id.x / size.columns4;
    let c = id.x % size.columns4;
    let wide = size.width * size.factor_x;
    let outputs = size.height * size.factor_y * wide;
    if o >= outputs || id.y >= lines(now) { return; }
    let from_y = id.y * size.height + o / wide / size.factor_y;
    let from_x = o % wide / size.factor_x;
    y[(id.y * outputs + o) * size.columns4 + c] = x[(from_y * size.width + from_x) * size.x_stride4 + c];
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let p = id.x / size.columns4;
    let c = id.x % size.columns4;
    if p >= size.height * size.width || id.y >= lines(now) { return; }
    let first_y = (id.y * size.height + p / size.width) * size.factor_y;
    let first_x = p % size.width * size.factor_x;
    var d = vec4(0.0);
    for (var i = first_y; i < first_y + size.factor_y; i++) {
        for (var j = first_x; j < first_x + size.factor_x; j++) {
            d += dy[(i * size.width * size.factor_x + j) * size.columns4 + c];
        }
    }
    let at = (id.y * size.height * size.width + p) * size.columns4 + c;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
