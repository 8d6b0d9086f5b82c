// Elementwise: the op's own file gives f, and df as a function of what it saves: x or y.
//
//   forward    y[r,c]      = f(x[r,c])
//   backward   dinput[r,c] (+)= df(saved[r,c], dy[r,c])    the derivative times dy, without multiplying by a gate of 0

struct Dims {
    @align(16) columns: u32,
    columns4: u32,   // in vec4, rounded up
    x_stride4: u32,  // from one row of x to the next, in vec4
    saved_stride4: u32,
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, columns)
@group(0) @binding(4) var<storage, read> saved: array<vec4<f32>>;         // x or y
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;            // (rows, columns)
@group(0) @binding(6) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, columns)

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = select(vec4(0.0), f(x[id.y * size.x_stride4 + id.x]), real(id.x, size.columns));
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    let d = df(saved[id.y * size.saved_stride4 + id.x], dy[at]);
    let value = select(vec4(0.0), d, real(id.x, size.columns));
    if ACCUMULATE { dinput[at] += value; } else { dinput[at] = value; }
}
