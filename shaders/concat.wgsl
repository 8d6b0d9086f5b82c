// Puts the columns of several tensors side by side. For each tensor, whose columns begin at column `begin` of y:
//
//   forward     y[l,begin+c] = x[l,c]
//   backward    dinput[l,c]  (+)= dy[l,begin+c]
//
// forward4 and backward4 do the same where the columns begin with a vec4 of y and end with one, or with the line. The last tensor
// also writes the padding of y.

struct Dims {
    @align(16) columns: u32,   // of x
    columns4: u32,             // of x in vec4, rounded up
    x_stride4: u32,            // from one line of x to the next, in vec4
    outputs4: u32,             // of y in vec4, rounded up
    begin: u32,                // the first of its columns in y
    written: u32,              // columns that it writes: its own, and the padding behind the last ones
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<f32>;                    // (lines, columns)
@group(0) @binding(3) var<storage, read_write> y: array<f32>;              // (lines, outputs)
@group(0) @binding(4) var<storage, read> x4: array<vec4<f32>>;             // as x
@group(0) @binding(5) var<storage, read_write> y4: array<vec4<f32>>;       // as y
@group(0) @binding(6) var<storage, read> dy: array<f32>;                   // as y
@group(0) @binding(7) var<storage, read> dy4: array<vec4<f32>>;            // as y
@group(0) @binding(8) var<storage, read_write> dinput: array<vec4<f32>>;   // as x

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.written || id.y >= lines(now) { return; }
    var value = 0.0;
    if id.x < size.columns { value = x[id.y * 4u * size.x_stride4 + id.x]; }
    y[id.y * 4u * size.outputs4 + size.begin + id.x] = value;
}

@compute @workgroup_size(256)
fn forward4(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y4[id.y * size.outputs4 + size.begin / 4u + id.x] = x4[id.y * size.x_stride4 + id.x];
}

fn d_of(l: u32, c: u32) -> f32 {
    if c >= size.columns { return 0.0; }
    return dy[l * 4u * size.outputs4 + size.begin + c];
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let c = 4u * id.x;
    let d = vec4(d_of(id.y, c), d_of(id.y, c + 1u), d_of(id.y, c + 2u), d_of(id.y, c + 3u));
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}

@compute @workgroup_size(256)
fn backward4(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let d = dy4[id.y * size.outputs4 + size.begin / 4u + id.x];
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
