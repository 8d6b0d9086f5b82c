// Embeddings of categories, as PyTorch's nn.Embedding, one table for each of the last columns of x, which hold whole numbers:
//
//   forward              y[l,c]            = x[l,c] for the columns before those, then for each table t and column j of it
//                        y[l,column_t + j] = weight_t[level_t(l), j]             level_t(l) = x[l,index_t], kept in 0 … levels_t - 1
//   backward_input       dinput[l,c] (+)= dy[l,c] for the columns before the indices; an index has no gradient
//   backward_parameters  dweight_t[v,j] (+)= Σ_l dy[l,column_t + j] where level_t(l) = v        l in blocks, ascending
//   link                 for each level a list of its lines, so that each of them, and not each number of a table, looks at every line
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
    first: u32,               // the first vec4 of the tables whose gradients are made, or the first level whose lines are linked
    levels: u32,              // of all tables
    tables: u32,
}

struct Lookup {
    @align(16) column: u32,   // of y: where its rows go
    index: u32,               // of x: where its levels stand
    at4: u32,                 // of the parameters, in vec4
    levels: u32,
    width: u32,
    begin: u32,               // of the levels of all tables
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
@group(0) @binding(10) var<storage, read_write> links: array<u32>;                      // the first line of each level | (lines, tables) the next one
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

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let c = 4u * id.x;
    y[id.y * size.columns4 + id.x] =
        vec4(y_of(id.y, c), y_of(id.y, c + 1u), y_of(id.y, c + 2u), y_of(id.y, c + 3u));
}

@compute @workgroup_size(256)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
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

const NONE: u32 = 0xffffffffu;

// Where the link of a line and a table is: the next line of the same level.
fn link_at(l: u32, t: u32) -> u32 { return size.levels + l * size.tables + t; }

// A list of the lines of each level, ascending: each line is in one list of each table, so that no two invocations write the same link.
@compute @workgroup_size(64)
fn link(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let at = size.first + id.x + id.y * groups.x * 64u;
    if at >= size.levels { return; }
    var t = 0u;
    for (var jump = 128u; jump > 0u; jump /= 2u) {
        if lookups[t + jump].begin <= at { t += jump; }
    }
    let table = lookups[t];
    var next = NONE;
    for (var l = lines(now); l > 0u; l--) {
        if level_of(l - 1u, table.index, table.levels) == at - table.begin {
            links[link_at(l - 1u, t)] = next;
            next = l - 1u;
        }
    }
    links[at] = next;
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
    var stop = block_stop(now, 0u);
    // Rows behind the last level are padding.
    var l = NONE;
    if level < table.levels { l = links[table.begin + level]; }
    // No list is longer than there are lines.
    for (var turn = 0u; turn < lines(now) && l < lines(now); turn++) {
        if l >= stop {
            sum += block;
            block = vec4(0.0);
            stop = block_stop(now, l);
        }
        block += d_of(l, table.column + 4u * j);
        l = links[link_at(l, t)];
    }
    // The last block may be open; all others are closed, also those without a line of this level.
    let open = stop >= lines(now) && !closed(now, lines(now));
    if !open {
        sum += block;
        block = vec4(0.0);
    }
    dparameters[at] = select(vec4(0.0), sum, real(j, table.width));
    if leaves_open(now) { open_parameters[at] = select(vec4(0.0), block, real(j, table.width)); }
}
