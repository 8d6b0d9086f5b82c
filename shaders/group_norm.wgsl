// Normalisation of groups of columns over all positions of a row, as PyTorch's nn.GroupNorm. With n numbers in a group:
//
//   mean[r,g] = Σ_p,c x[r,p,c] / n     rstd[r,g] = 1 / √(Σ_p,c (x[r,p,c] - mean[r,g])² / n + EPS)     h = (x - mean) · rstd
//
//   forward               y[r,p,c]      = h[r,p,c] · weight[c] + bias[c]
//   backward_input        dinput[r,p,c] (+)= rstd · (g[r,p,c] - Σ_p,c g / n - h[r,p,c] · Σ_p,c g · h / n),     g = dy · weight
//   backward_parameters   dweight[c]    (+)= Σ_r,p dy[r,p,c] · h[r,p,c]        blocks of rows, ascending
//                         dbias[c]      (+)= Σ_r,p dy[r,p,c]
//
// Positions are summed in chunks of CHUNK, column by column: `sums`, then `means`, which adds up the columns of a group, for each
// its chunks, ascending; `squares`, then `rstds`; `backward_sums`, then `factors`. All of that stays within a row, and only the
// layer's shape decides on the order. A chunk is also what a block of the parameters' gradients is made of: a whole block where
// blocks are parts of rows, otherwise all positions of one of its rows.

const CHUNK: u32 = 256u;
const RUN: u32 = 8u;            // positions that an invocation makes, for which it looks up what is known of the row once

override EPS: f32 = 1e-5;
override AFFINE: bool = true;   // otherwise weight is 1 and bias 0, and what is bound as parameters is not read
override ACCUMULATE: bool = false;

struct Dims {
    @align(16) positions: u32,   // of a row
    chunks: u32,                 // of a row
    columns: u32,
    columns4: u32,               // in vec4, rounded up
    groups: u32,
    x_stride4: u32,              // from one position of x to the next, in vec4
    first: u32,                  // the first vec4 of columns whose parameters' gradients are made
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;                       // (rows, positions, columns)
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;              // weight (columns), bias (columns)
@group(0) @binding(4) var<storage, read_write> made: array<vec4<f32>>;              // y or dinput (rows, positions, columns), or sums
@group(0) @binding(5) var<storage, read> stats: array<vec4<f32>>;                   // of each row, columns of mean | rstd
@group(0) @binding(6) var<storage, read_write> columns_of: array<f32>;              // the same, or as per_row: four factors
@group(0) @binding(7) var<storage, read> sums_of: array<f32>;                       // (rows, chunks, one or two sums, columns)
@group(0) @binding(8) var<storage, read> dy: array<vec4<f32>>;                      // (rows, positions, columns)
@group(0) @binding(9) var<storage, read> per_row: array<vec4<f32>>;                 // as sums_of, or columns of four factors
@group(0) @binding(10) var<storage, read_write> dparameters: array<vec4<f32>>;      // as parameters
@group(0) @binding(11) var<storage, read_write> open_parameters: array<vec4<f32>>;  // as parameters: the open block

// An invocation's vec4 of columns of a chunk: (first position, end of positions, column).
fn chunk_of(at: u32) -> vec3<u32> {
    let begin = at / size.columns4 * CHUNK;
    return vec3(begin, min(begin + CHUNK, size.positions), at % size.columns4);
}

// The same of a run of positions.
fn run_of(at: u32) -> vec3<u32> {
    let begin = at / size.columns4 * RUN;
    return vec3(begin, min(begin + RUN, size.positions), at % size.columns4);
}

fn runs() -> u32 { return (size.positions + RUN - 1u) / RUN * size.columns4; }

@compute @workgroup_size(64)
fn sums(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count = size.chunks * size.columns4;
    if id.x >= count || id.y >= lines(now) { return; }
    let chunk = chunk_of(id.x);
    let row = id.y * size.positions;
    var sum = vec4(0.0);
    for (var p = chunk.x; p < chunk.y; p++) { sum += x[(row + p) * size.x_stride4 + chunk.z]; }
    made[id.y * count + id.x] = sum;
}

@compute @workgroup_size(64)
fn squares(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count = size.chunks * size.columns4;
    if id.x >= count || id.y >= lines(now) { return; }
    let chunk = chunk_of(id.x);
    let row = id.y * size.positions;
    let mean = stats[id.y * 2u * size.columns4 + chunk.z];
    var sum = vec4(0.0);
    for (var p = chunk.x; p < chunk.y; p++) {
        let d = x[(row + p) * size.x_stride4 + chunk.z] - mean;
        sum = fma(d, d, sum);
    }
    made[id.y * count + id.x] = sum;
}

// The sum over all positions of a column, of the which-th of so many sums.
fn column_sum(row: u32, c: u32, which: u32, kinds: u32) -> f32 {
    var sum = 0.0;
    for (var k = 0u; k < size.chunks; k++) {
        sum += sums_of[(((row * size.chunks + k) * kinds + which) * size.columns4) * 4u + c];
    }
    return sum;
}

// The sum over all positions and columns of a group.
fn group_sum(row: u32, group: u32) -> f32 {
    let wide = size.columns / size.groups;
    var sum = 0.0;
    for (var c = group * wide; c < (group + 1u) * wide; c++) { sum += column_sum(row, c, 0u, 1u); }
    return sum;
}

// Numbers of a group.
fn numbers() -> f32 { return f32(size.positions) * f32(size.columns / size.groups); }

// Sets one of the two statistics of all columns of a group. The padding behind the last group gets +0.
fn set_columns(row: u32, group: u32, which: u32, value: f32) {
    let wide = size.columns / size.groups;
    let begins = (row * 2u + which) * size.columns4 * 4u;
    for (var c = group * wide; c < (group + 1u) * wide; c++) { columns_of[begins + c] = value; }
    if group + 1u == size.groups {
        for (var c = size.columns; c < size.columns4 * 4u; c++) { columns_of[begins + c] = 0.0; }
    }
}

@compute @workgroup_size(8, 8)
fn means(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.groups || id.y >= lines(now) { return; }
    set_columns(id.y, id.x, 0u, group_sum(id.y, id.x) / numbers());
}

@compute @workgroup_size(8, 8)
fn rstds(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.groups || id.y >= lines(now) { return; }
    set_columns(id.y, id.x, 1u, inverseSqrt(group_sum(id.y, id.x) / numbers() + EPS));
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= runs() || id.y >= lines(now) { return; }
    let run = run_of(id.x);
    let c = run.z;
    let mean = stats[id.y * 2u * size.columns4 + c];
    let rstd = stats[(id.y * 2u + 1u) * size.columns4 + c];
    var weight = vec4(1.0);
    var bias = vec4(0.0);
    if AFFINE {
        weight = parameters[c];
        bias = parameters[size.columns4 + c];
    }
    for (var p = run.x; p < run.y; p++) {
        let l = id.y * size.positions + p;
        var value = (x[l * size.x_stride4 + c] - mean) * rstd;
        if AFFINE { value = fma(value, weight, bias); }
        made[l * size.columns4 + c] = value;
    }
}

@compute @workgroup_size(64)
fn backward_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.chunks * size.columns4 || id.y >= lines(now) { return; }
    let chunk = chunk_of(id.x);
    let row = id.y * size.positions;
    let mean = stats[id.y * 2u * size.columns4 + chunk.z];
    let rstd = stats[(id.y * 2u + 1u) * size.columns4 + chunk.z];
    var sum = vec4(0.0);
    var product = vec4(0.0);
    for (var p = chunk.x; p < chunk.y; p++) {
        let d = dy[(row + p) * size.columns4 + chunk.z];
        sum += d;
        product = fma(d, (x[(row + p) * size.x_stride4 + chunk.z] - mean) * rstd, product);
    }
    let at = (id.y * size.chunks + id.x / size.columns4) * 2u * size.columns4 + chunk.z;
    made[at] = sum;
    made[at + size.columns4] = product;
}

fn weight_of(c: u32) -> f32 {
    if AFFINE { return parameters[c / 4u][c % 4u]; }
    return 1.0;
}

// The four factors of the columns of a group, of which backward_input makes the gradient.
@compute @workgroup_size(8, 8)
fn factors(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.groups || id.y >= lines(now) { return; }
    let wide = size.columns / size.groups;
    let begin = id.x * wide;
    var sum = 0.0;
    var product = 0.0;
    for (var c = begin; c < begin + wide; c++) {
        let weight = weight_of(c);
        sum = fma(column_sum(id.y, c, 0u, 2u), weight, sum);
        product = fma(column_sum(id.y, c, 1u, 2u), weight, product);
    }
    let columns = size.columns4 * 4u;
    let of_row = id.y * 2u * size.columns4 + begin / 4u;
    let mean = stats[of_row][begin % 4u];
    let rstd = stats[of_row + size.columns4][begin % 4u];
    let shift = -rstd * (sum / numbers());
    let slope = -rstd * (rstd * (product / numbers()));
    let to = id.y * 4u * columns;
    for (var c = begin; c < begin + wide; c++) {
        columns_of[to + c] = rstd * weight_of(c);
        columns_of[to + columns + c] = shift;
        columns_of[to + 2u * columns + c] = mean;
        columns_of[to + 3u * columns + c] = slope;
    }
    if id.x + 1u < size.groups { return; }
    for (var c = size.columns; c < columns; c++) {
        columns_of[to + c] = 0.0;
        columns_of[to + columns + c] = 0.0;
        columns_of[to + 2u * columns + c] = 0.0;
        columns_of[to + 3u * columns + c] = 0.0;
    }
}

// dinput = (dy · scale + shift) + (x - mean) · slope, column by column
@compute @workgroup_size(64)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= runs() || id.y >= lines(now) { return; }
    let run = run_of(id.x);
    let c = run.z;
    let factors = id.y * 4u * size.columns4 + c;
    let scale = per_row[factors];
    let shift = per_row[factors + size.columns4];
    let mean = per_row[factors + 2u * size.columns4];
    let slope = per_row[factors + 3u * size.columns4];
    for (var p = run.x; p < run.y; p++) {
        let l = id.y * size.positions + p;
        let at = l * size.columns4 + c;
        let d = fma(x[l * size.x_stride4 + c] - mean, slope, fma(dy[at], scale, shift));
        if ACCUMULATE { made[at] += d; } else { made[at] = d; }
    }
}

@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = size.first + id.x;
    if c >= size.columns4 { return; }
    var weight = vec4(0.0);
    var bias = vec4(0.0);
    if now.first == 0u {
        weight = dparameters[c];
        bias = dparameters[size.columns4 + c];
    }
    var weight_part = vec4(0.0);
    var bias_part = vec4(0.0);
    if resumes(now) {
        weight_part = open_parameters[c];
        bias_part = open_parameters[size.columns4 + c];
    }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        while l < stop {
            let p = l % POSITIONS;
            let at = ((l / POSITIONS * size.chunks + p / CHUNK) * 2u) * size.columns4 + c;
            bias_part += per_row[at];
            weight_part += per_row[at + size.columns4];
            l += min(stop - l, POSITIONS - p);
        }
        if closed(now, l) {
            weight += weight_part;
            bias += bias_part;
            weight_part = vec4(0.0);
            bias_part = vec4(0.0);
        }
    }
    dparameters[c] = weight;
    dparameters[size.columns4 + c] = bias;
    if leaves_open(now) {
        open_parameters[c] = weight_part;
        open_parameters[size.columns4 + c] = bias_part;
    }
}
