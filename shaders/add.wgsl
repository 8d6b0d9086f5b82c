// The sum of tensors of one shape, element by element:
//
//   forward    y[l,c]      = a[l,c] + b[l,c]     of the first two
//   more       y[l,c]      += a[l,c]             of each later one, in their order
//   backward   dinput[l,c] (+)= dy[l,c]          of each

struct Dims {
    @align(16) columns4: u32,   // in vec4, rounded up
    a_stride4: u32,             // from one line of a to the next, in vec4
    b_stride4: u32,
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;             // (lines, columns)
@group(0) @binding(3) var<storage, read> b: array<vec4<f32>>;             // (lines, columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;       // (lines, columns)
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;            // (lines, columns)
@group(0) @binding(6) var<storage, read_write> dinput: array<vec4<f32>>;  // (lines, columns)

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = a[id.y * size.a_stride4 + id.x] + b[id.y * size.b_stride4 + id.x];
}

@compute @workgroup_size(256)
fn more(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] += a[id.y * size.a_stride4 + id.x];
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dinput[at] += dy[at]; } else { dinput[at] = dy[at]; }
}
