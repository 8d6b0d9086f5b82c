// Embeddings of categories, as PyTorch's nn.Embedding, one table for each of the last columns of x, which hold whole numbers:
//
//   forward              y[l,c]            = x[l,c] for the columns before those, then for each table t and column j of it
//                        y[l,column_t + j] = weight_t[level_t(l), j]             level_t(l) = x[l,index_t], kept in 0 … levels_t - 1
//   backward_input       dinput[l,c] (+)= dy[l,c] for the columns before the indices; an index has no gradient
//   backward_parameters  dweight_t[v,j] (+)= Σ_l dy[l,column_t + j] where level_t(l) = v        l in blocks, ascending
//
// A number that is no level counts as the nearest one, whatever it is: no index reaches beyond its table.

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) floats: u32,   // columns of x before the indices
    columns: u32,             // of y
    columns4: u32,            // of y in vec4, rounded up
    inputs4: u32,             // of x in vec4, rounded up
    x_stride: u32,            // from one line of x to the next, in floats
    parameters4: u32,         // of all tables, in vec4
    first: u32,               // the first vec4 of the tables whose gradients are made
}

struct Lookup {
    @align(16) column: u32,   // of y: where its rows go
    index: u32,               // of x: where its levels stand
    at4: u32,                 // of the parameters, in vec4
    levels: u32,
    width: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
// In order; those that are not used begin behind everything.
@group(0) @binding(2) var<uniform> lookups: array<Lookup, 256>;
@group(0) @binding(3) var<storage, read> x: array<f32>;                                 // (lines, floats | indices)
@group(0) @binding(4) var<storage, read> parameters: array<vec4<f32>>;                  // weight_t (levels_t, width_t), table by table
@group(0) @binding(5) var<storage, read_write> y: array<vec4<f32>>;                     // (lines, columns)
@group(0) @binding(6) var<storage, read> dy: array<f32>;                                // (lines, columns)
@group(0) @binding(7) var<storage, read_write> dinput: array<vec4<f32>>;                // (lines, inputs)
@group(0) @binding(8) var<storage, read_write> dparameters: array<vec4<f32>>;           // as parameters
@group(0) @binding(9) var<storage, read_write> open_parameters: array<vec4<f32>>;       // as parameters: the open block

fn level_of(l: u32, index: u32, levels: u32) -> u32 {
    return min(u32(clamp(x[l * size.x_stride + index], 0.0, 16777216.0)), levels - 1u);
}

fn y_of(l: u32, c: u32) -> f32 {
    if c < size.floats { return x[l * size.x_stride + c]; }
    if c >= size.columns { return 0.0; }
    var t = 0u;
    for (var jump = 128u; jump > 0u; jump /= 2u) {
        if lookups[t + jump].column <= c { t += jump; }
    }
    let table = lookups[t];
    let j = c - table.column;
    return parameters[table.at4 + level_of(l, table.index, table.levels) * ((table.width + 3u) / 4u) + j / 4u][j % 4u];
}

@compute @workgroup_size(4, 64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let c = 4u * id.x;
    y[id.y * size.columns4 + id.x] =
        vec4(y_of(id.y, c), y_of(id.y, c + 1u), y_of(id.y, c + 2u), y_of(id.y, c + 3u));
}

@compute @workgroup_size(4, 64)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.inputs4 || id.y >= lines(now) { return; }
    let at = 4u * (id.y * size.columns4 + id.x);
    var d = vec4(0.0);
    if 4u * id.x < size.floats { d = vec4(dy[at], dy[at + 1u], dy[at + 2u], dy[at + 3u]); }
    d = select(vec4(0.0), d, real(id.x, size.floats));
    let to = id.y * size.inputs4 + id.x;
    if ACCUMULATE { dinput[to] += d; } else { dinput[to] = d; }
}

// dy of four columns of a table, of which the last may be another's.
fn d_of(l: u32, c: u32) -> vec4<f32> {
    let begins = l * 4u * size.columns4;
    let at = vec4(begins) + min(vec4(c) + vec4(0u, 1u, 2u, 3u), vec4(4u * size.columns4 - 1u));
    return vec4(dy[at.x], dy[at.y], dy[at.z], dy[at.w]);
}

@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let at = size.first + id.x + id.y * groups.x * 64u;
    if at >= size.parameters4 { return; }
    var t = 0u;
    for (var jump = 128u; jump > 0u; jump /= 2u) {
        if lookups[t + jump].at4 <= at { t += jump; }
    }
    let table = lookups[t];
    let width4 = (table.width + 3u) / 4u;
    let level = (at - table.at4) / width4;
    let j = (at - table.at4) % width4;
    var sum = vec4(0.0);
    if now.first == 0u { sum = dparameters[at]; }
    var block = vec4(0.0);
    if resumes(now) { block = open_parameters[at]; }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        for (; l < stop; l++) {
            if level_of(l, table.index, table.levels) == level { block += d_of(l, table.column + 4u * j); }
        }
        if closed(now, l) {
            sum += block;
            block = vec4(0.0);
        }
    }
    dparameters[at] = select(vec4(0.0), sum, real(j, table.width));
    if leaves_open(now) { open_parameters[at] = select(vec4(0.0), block, real(j, table.width)); }
}
