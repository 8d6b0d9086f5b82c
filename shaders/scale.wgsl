// Scales each column by a weight:
//
//   forward              y[l,c]      = x[l,c] · weight[c]
//   backward_input       dinput[l,c] (+)= dy[l,c] · weight[c]
//   backward_parameters  dweight[c]  (+)= Σ_l dy[l,c] · x[l,c]        l in blocks, ascending

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns4: u32,   // in vec4, rounded up
    x_stride4: u32,             // from one line of x to the next, in vec4
    first: u32,                 // the first vec4 of columns whose weights' gradients are made
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;                      // (lines, columns)
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;             // weight (columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                // (lines, columns)
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;                     // (lines, columns)
@group(0) @binding(6) var<storage, read_write> dinput: array<vec4<f32>>;           // (lines, columns)
@group(0) @binding(7) var<storage, read_write> dparameters: array<vec4<f32>>;      // dweight (columns)
@group(0) @binding(8) var<storage, read_write> open_parameters: array<vec4<f32>>;  // the open block of dweight

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = x[id.y * size.x_stride4 + id.x] * parameters[id.x];
}

@compute @workgroup_size(256)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    let d = dy[at] * parameters[id.x];
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}

@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = size.first + id.x;
    if c >= size.columns4 { return; }
    var sum = vec4(0.0);
    if now.first == 0u { sum = dparameters[c]; }
    var block = vec4(0.0);
    if resumes(now) { block = open_parameters[c]; }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        for (; l < stop; l++) { block = fma(dy[l * size.columns4 + c], x[l * size.x_stride4 + c], block); }
        if closed(now, l) {
            sum += block;
            block = vec4(0.0);
        }
    }
    dparameters[c] = sum;
    if leaves_open(now) { open_parameters[c] = block; }
}
