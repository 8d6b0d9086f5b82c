// Batch normalisation by groups of rows of the window, for each channel c. A group's lines are all positions of its GROUP rows, counted
// from the window's start; rows without weight are left out. With n lines in group g:
//
//   mean[g,c] = Σ_l x[l,c] / n        variance[g,c] = Σ_l (x[l,c] - mean[g,c])² / n        h = (x - mean) / √(variance + EPS)
//
//   forward      y[l,c]       = h[l,c] · weight[c] + bias[c]
//   backward     dinput[l,c] (+)= weight[c] / √(variance + EPS) · (dy[l,c] - Σ_l dy[l,c] / n - h[l,c] · Σ_l dy[l,c] · h[l,c] / n)
//   parameters   dweight[c]  (+)= Σ_g Σ_l dy[l,c] · h[l,c]        g ascending
//                dbias[c]    (+)= Σ_g Σ_l dy[l,c]
//   in_use       y[l,c]       = (x[l,c] - running_mean[c]) / √(running_var[c] + EPS) · weight[c] + bias[c]
//
// A sum over a group's lines is a sum of pieces: up to 256 positions of a row, ascending; then the pieces, ascending. No group is ever
// open where a micro-batch ends. What is kept of each row: whether it counts; and of a group's first row what is known of the group.
//
//   collect      joins the groups' means and variances to those of the window, g ascending, where the statistics' gradient would lie
//   settle       running = (1 - MOMENTUM) · running + MOMENTUM · the window's, if the window's update is made; the variance unbiased
//
// With BY_GROUP, as in PyTorch's loop over micro-batches, `collect` moves a copy of the running statistics group after group, and
// `settle` takes it over.

override EPS: f32 = 1e-5;
override MOMENTUM: f32 = 0.1;
override BY_GROUP: bool = false;
override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns: u32,
    columns4: u32,      // in vec4, rounded up
    x_stride4: u32,     // from one line of x to the next, in vec4
    group: u32,         // rows of a group
    positions: u32,     // lines of a row
    pieces: u32,        // pieces of a row
    record_stride: u32, // from one record to the next, in floats
    weight_at: u32,     // where its weights are
    weights: u32,       // and how many
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;                      // (lines, columns)
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;             // weight (columns), bias (columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                // (lines, columns)
@group(0) @binding(5) var<storage, read_write> saved: array<vec4<f32>>;            // (rows, counts | mean | variance)
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;                     // (lines, columns)
@group(0) @binding(7) var<storage, read_write> dinput: array<vec4<f32>>;           // (lines, columns)
@group(0) @binding(8) var<storage, read_write> dparameters: array<vec4<f32>>;      // as parameters
@group(0) @binding(9) var<storage, read_write> pieces: array<vec4<f32>>;           // (rows, pieces, columns, one or two sums)
@group(0) @binding(10) var<storage, read> record: array<f32>;                      // (rows, inputs | target | weights)
@group(0) @binding(11) var<storage, read_write> back: array<vec4<f32>>;            // (rows, counts, lines | mean | 1/√ | factor | sums)
// Kernels that move statistics need none of those above with the same number.
@group(0) @binding(2) var<storage, read_write> statistics: array<vec4<f32>>;      // running_mean, running_var, num_batches_tracked
@group(0) @binding(6) var<storage, read_write> window: array<vec4<f32>>;          // as statistics: of the open window
@group(0) @binding(3) var<storage, read_write> stats: Stats;
@group(0) @binding(10) var<storage, read> running: array<vec4<f32>>;               // the same, where they only are read

const PIECE: u32 = 256u;    // lines of a piece
const RUN: u32 = 8u;        // lines that an invocation makes, for which it looks up what is known of the group once

// The first vec4 of what is kept of a row, and of what is known on the way back.
fn kept_of(row: u32) -> u32 { return row * (1u + 2u * size.columns4); }
fn back_of(row: u32) -> u32 { return row * (1u + 5u * size.columns4); }

fn first_of(row: u32) -> u32 { return row / size.group * size.group; }
fn end_of(row: u32) -> u32 { return min(first_of(row) + size.group, now.rows); }

// A piece of a row, or a run of its lines. `lines(now)` counts one for each of a row's.
struct Piece { row: u32, begin: u32, end: u32 }

fn part_of(id: u32, of_row: u32, reach: u32) -> Piece {
    let row = id / of_row;
    let at = id % of_row * reach;
    return Piece(row, row * size.positions + at, row * size.positions + min(at + reach, size.positions));
}

fn piece_of(id: u32) -> Piece { return part_of(id, size.pieces, PIECE); }
fn run_of(id: u32) -> Piece { return part_of(id, (size.positions + RUN - 1u) / RUN, RUN); }

fn counts(row: u32) -> bool {
    var some = false;
    for (var k = 0u; k < size.weights; k++) { some |= record[row * size.record_stride + size.weight_at + k] != 0.0; }
    return some;
}

@compute @workgroup_size(8, 8)
fn sums(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let piece = piece_of(id.y);
    var sum = vec4(0.0);
    for (var l = piece.begin; l < piece.end; l++) { sum += x[l * size.x_stride4 + id.x]; }
    pieces[id.y * size.columns4 + id.x] = sum;
}

// The sum of a group's pieces, those of rows without weight left out, and how many lines they are of.
struct Total { sum: vec4<f32>, lines: f32 }

fn total_of(row: u32, c: u32) -> Total {
    var total = vec4(0.0);
    var rows = 0u;
    for (var r = row; r < end_of(row); r++) {
        if saved[kept_of(r)].x == 0.0 { continue; }
        rows++;
        for (var k = 0u; k < size.pieces; k++) { total += pieces[(r * size.pieces + k) * size.columns4 + c]; }
    }
    return Total(total, f32(rows * size.positions));
}

@compute @workgroup_size(64)
fn mark(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= now.rows { return; }
    saved[kept_of(id.x)] = vec4(select(0.0, 1.0, counts(id.x)), 0.0, 0.0, 0.0);
}

@compute @workgroup_size(8, 8)
fn mean(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let row = id.y * size.group;
    if id.x >= size.columns4 || row >= now.rows { return; }
    let total = total_of(row, id.x);
    saved[kept_of(row) + 1u + id.x] = total.sum / max(total.lines, 1.0);
}

@compute @workgroup_size(8, 8)
fn squares(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let piece = piece_of(id.y);
    let mean = saved[kept_of(first_of(piece.row)) + 1u + id.x];
    var sum = vec4(0.0);
    for (var l = piece.begin; l < piece.end; l++) {
        let d = x[l * size.x_stride4 + id.x] - mean;
        sum = fma(d, d, sum);
    }
    pieces[id.y * size.columns4 + id.x] = sum;
}

@compute @workgroup_size(8, 8)
fn variance(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let row = id.y * size.group;
    if id.x >= size.columns4 || row >= now.rows { return; }
    let total = total_of(row, id.x);
    saved[kept_of(row) + 1u + size.columns4 + id.x] = select(vec4(0.0), total.sum / max(total.lines, 1.0), real(id.x, size.columns));
}

// Lines of a group that count.
fn lines_of(row: u32) -> f32 {
    var rows = 0u;
    for (var r = row; r < end_of(row); r++) { rows += select(0u, 1u, saved[kept_of(r)].x != 0.0); }
    return f32(rows * size.positions);
}

@compute @workgroup_size(64)
fn collect(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    if c >= size.columns4 { return; }
    let count_at = 2u * size.columns4;
    var mean = vec4(0.0);
    var variance = vec4(0.0);
    var count = 0.0;
    if now.first == 0u {
        mean = window[c];
        variance = window[size.columns4 + c];
        count = window[count_at].x;
    } else if BY_GROUP {
        mean = running[c];
        variance = running[size.columns4 + c];
        count = running[count_at].x;
    }
    for (var row = 0u; row < now.rows; row += size.group) {
        let n = lines_of(row);
        if n == 0.0 { continue; }
        let at = kept_of(row) + 1u + c;
        if BY_GROUP {
            mean = fma(vec4(MOMENTUM), saved[at] - mean, mean);
            variance = fma(vec4(MOMENTUM), saved[at + size.columns4] * (n / max(n - 1.0, 1.0)) - variance, variance);
            count += 1.0;
        } else {
            let d = saved[at] - mean;
            let all = count + n;
            mean = fma(d, vec4(n / all), mean);
            variance += fma(d * d, vec4(count * (n / all)), n * saved[at + size.columns4]);
            count = all;
        }
    }
    window[c] = mean;
    window[size.columns4 + c] = select(vec4(0.0), variance, real(c, size.columns));
}

// The count, which every invocation of `collect` needs as it was.
@compute @workgroup_size(1)
fn count(@builtin(workgroup_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count_at = 2u * size.columns4;
    var count = 0.0;
    if now.first == 0u { count = window[count_at].x; } else if BY_GROUP { count = running[count_at].x; }
    for (var row = 0u; row < now.rows; row += size.group) {
        let n = lines_of(row);
        count += select(n, select(0.0, 1.0, n > 0.0), BY_GROUP);
    }
    window[count_at] = vec4(count, 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn settle(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    if c > 2u * size.columns4 || outcome() != MADE { return; }
    let count = window[2u * size.columns4].x;
    let was = statistics[c];
    if BY_GROUP {
        statistics[c] = window[c];
    } else if c < size.columns4 {
        statistics[c] = fma(vec4(MOMENTUM), window[c] - was, was);
    } else if c < 2u * size.columns4 {
        statistics[c] = fma(vec4(MOMENTUM), select(vec4(0.0), window[c] / max(count - 1.0, 1.0) - was, real(c - size.columns4, size.columns)), was);
    } else {
        statistics[c] = was + vec4(1.0, 0.0, 0.0, 0.0);
    }
}

fn put_lines(run: Piece, c: u32, mean: vec4<f32>, variance: vec4<f32>) {
    let scale = inverseSqrt(variance + EPS);
    let weight = parameters[c];
    let bias = parameters[size.columns4 + c];
    let keep = real(c, size.columns);
    for (var l = run.begin; l < run.end; l++) {
        let h = (x[l * size.x_stride4 + c] - mean) * scale;
        y[l * size.columns4 + c] = select(vec4(0.0), fma(h, weight, bias), keep);
    }
}

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let run = run_of(id.y);
    let at = kept_of(first_of(run.row)) + 1u + id.x;
    put_lines(run, id.x, saved[at], saved[at + size.columns4]);
}

@compute @workgroup_size(8, 8)
fn in_use(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    put_lines(run_of(id.y), id.x, running[id.x], running[size.columns4 + id.x]);
}

@compute @workgroup_size(8, 8)
fn back_sums(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let piece = piece_of(id.y);
    let at = kept_of(first_of(piece.row)) + 1u + id.x;
    let mean = saved[at];
    let scale = inverseSqrt(saved[at + size.columns4] + EPS);
    var sum = vec4(0.0);
    var along = vec4(0.0);
    for (var l = piece.begin; l < piece.end; l++) {
        let d = dy[l * size.columns4 + id.x];
        sum += d;
        along = fma(d, (x[l * size.x_stride4 + id.x] - mean) * scale, along);
    }
    pieces[2u * id.y * size.columns4 + id.x] = sum;
    pieces[(2u * id.y + 1u) * size.columns4 + id.x] = along;
}

@compute @workgroup_size(8, 8)
fn back_group(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let row = id.y * size.group;
    if id.x >= size.columns4 || row >= now.rows { return; }
    var sum = vec4(0.0);
    var along = vec4(0.0);
    let n = lines_of(row);
    for (var r = row; r < end_of(row); r++) {
        let kept = saved[kept_of(r)].x;
        if id.x == 0u { back[back_of(r)] = vec4(kept, n, 0.0, 0.0); }
        if kept == 0.0 { continue; }
        for (var k = 0u; k < size.pieces; k++) {
            let at = 2u * (r * size.pieces + k) * size.columns4 + id.x;
            sum += pieces[at];
            along += pieces[at + size.columns4];
        }
    }
    let at = kept_of(row) + 1u + id.x;
    let scale = inverseSqrt(saved[at + size.columns4] + EPS);
    let to = back_of(row) + 1u + id.x;
    back[to] = saved[at];
    back[to + size.columns4] = scale;
    back[to + 2u * size.columns4] = scale * parameters[id.x];
    back[to + 3u * size.columns4] = sum;
    back[to + 4u * size.columns4] = along;
}

@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    if c >= size.columns4 { return; }
    var weight = vec4(0.0);
    var bias = vec4(0.0);
    if now.first == 0u {
        weight = dparameters[c];
        bias = dparameters[size.columns4 + c];
    }
    for (var row = 0u; row < now.rows; row += size.group) {
        let at = back_of(row) + 1u + 3u * size.columns4 + c;
        bias += back[at];
        weight += back[at + size.columns4];
    }
    dparameters[c] = select(vec4(0.0), weight, real(c, size.columns));
    dparameters[size.columns4 + c] = select(vec4(0.0), bias, real(c, size.columns));
}

@compute @workgroup_size(8, 8)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    if c >= size.columns4 || id.y >= lines(now) { return; }
    let run = run_of(id.y);
    let group = back_of(first_of(run.row));
    let n = back[group].y;
    let at = group + 1u + c;
    let center = back[at];
    let scale = back[at + size.columns4];
    let factor = back[at + 2u * size.columns4];
    let mean = back[at + 3u * size.columns4] / n;
    let along = back[at + 4u * size.columns4] / n;
    let keep = real(c, size.columns) & vec4(back[back_of(run.row)].x != 0.0);
    for (var l = run.begin; l < run.end; l++) {
        let h = (x[l * size.x_stride4 + c] - center) * scale;
        let to = l * size.columns4 + c;
        let d = select(vec4(0.0), factor * fma(h, -along, dy[to] - mean), keep);
        if ACCUMULATE { dinput[to] += d; } else { dinput[to] = d; }
    }
}
