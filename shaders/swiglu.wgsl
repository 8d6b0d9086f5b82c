// A gated activation: the first half of the columns, through silu, times the second half:
//
//   forward    y[r,c] = silu(a) · b,  a = x[r,c],  b = x[r,C/2+c]        silu(a) = a · s,  s = sigmoid(a)
//   backward   dinput[r,c]     (+)= dy[r,c] · b · s (1 + a (1 - s))
//              dinput[r,C/2+c] (+)= dy[r,c] · silu(a)
//
// A number beyond ±1e18 counts as that, so that no product of two overflows.

struct Dims {
    @align(16) columns4: u32,  // columns of y, in vec4
    x_stride4: u32,         // from one line of x to the next, in vec4
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (lines, 2 · columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (lines, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // (lines, columns)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (lines, 2 · columns)

fn bounded(v: vec4<f32>) -> vec4<f32> { return clamp(v, vec4(-1e18), vec4(1e18)); }

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.x_stride4 + id.x;
    let a = bounded(x[at]);
    y[id.y * size.columns4 + id.x] = a * logistic(a) * bounded(x[at + size.columns4]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let from_at = id.y * size.x_stride4 + id.x;
    let a = bounded(x[from_at]);
    let b = bounded(x[from_at + size.columns4]);
    let d = dy[id.y * size.columns4 + id.x];
    let s = logistic(a);
    let da = d * (b * (s * fma(a, 1.0 - s, vec4(1.0))));
    let db = d * (a * s);
    let at = 2u * id.y * size.columns4 + id.x;
    if ACCUMULATE {
        dinput[at] += da;
        dinput[at + size.columns4] += db;
    } else {
        dinput[at] = da;
        dinput[at + size.columns4] = db;
    }
}
