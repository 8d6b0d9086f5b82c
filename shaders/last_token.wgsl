// The last token of a sequence:
//
//   forward    y[r,c]        = x[r,T-1,c]
//   backward   dinput[r,t,c] (+)= dy[r,c] if t = T - 1, or 0

struct Dims {
    @align(16) tokens: u32,   // of a row of x
    columns4: u32,            // in vec4, rounded up
    x_stride4: u32,           // from one token of x to the next, in vec4
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, tokens, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // (rows, columns)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, tokens, columns)

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = x[((id.y + 1u) * size.tokens - 1u) * size.x_stride4 + id.x];
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count = size.tokens * size.columns4;
    if id.x >= count || id.y >= lines(now) { return; }
    let is_last = id.x >= count - size.columns4;
    let d = select(vec4(0.0), dy[id.y * size.columns4 + id.x % size.columns4], is_last);
    let at = id.y * count + id.x;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
