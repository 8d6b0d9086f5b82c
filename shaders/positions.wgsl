// Adds a learned row to the token at each place of a sequence, as PyTorch's nn.Embedding of the places 0, 1, 2, …:
//
//   forward              y[r,t,c]      = x[r,t,c] + weight[t,c]
//   backward_input       dinput[r,t,c] (+)= dy[r,t,c]
//   backward_parameters  dweight[t,c]  (+)= Σ_r dy[r,t,c]        r in blocks of rows, ascending: a row has one term

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) tokens: u32,
    columns4: u32,     // in vec4, rounded up
    x_stride4: u32,    // from one line of x to the next, in vec4
    first: u32,        // the first vec4 of the weight whose gradient is made
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;                      // (rows, tokens, columns)
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;             // weight (tokens, columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                // (rows, tokens, columns)
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;                     // (rows, tokens, columns)
@group(0) @binding(6) var<storage, read_write> dinput: array<vec4<f32>>;           // (rows, tokens, columns)
@group(0) @binding(7) var<storage, read_write> dparameters: array<vec4<f32>>;      // dweight (tokens, columns)
@group(0) @binding(8) var<storage, read_write> open_parameters: array<vec4<f32>>;  // the open block of dweight

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = x[id.y * size.x_stride4 + id.x] + parameters[id.y % size.tokens * size.columns4 + id.x];
}

@compute @workgroup_size(256)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dinput[at] += dy[at]; } else { dinput[at] = dy[at]; }
}

// Here lines are rows. Rows of the weight behind the last token are padding.
@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let at = size.first + id.x + id.y * groups.x * 64u;
    let count = size.tokens * size.columns4;
    if at >= (size.tokens + 3u) / 4u * 4u * size.columns4 { return; }
    var sum = vec4(0.0);
    if now.first == 0u { sum = dparameters[at]; }
    var block = vec4(0.0);
    if resumes(now) { block = open_parameters[at]; }
    var r = 0u;
    while r < lines(now) {
        let stop = block_stop(now, r);
        for (; r < stop; r++) { block += dy[r * count + min(at, count - 1u)]; }
        if closed(now, r) {
            sum += block;
            block = vec4(0.0);
        }
    }
    let there = at < count;
    dparameters[at] = select(vec4(0.0), sum, there);
    if leaves_open(now) { open_parameters[at] = select(vec4(0.0), block, there); }
}
