// The gradient of a weight where an image keeps its size, by eight invocations side by side: four vec4 of outputs × two rows of taps, that
// is, of one row of the kernel and one vec4 of channels; each invocation has three such pairs of rows, and three taps of each. The
// lanes load the pixels that a row of taps reads side by side, four lines of both rows at a time, and hand them on from tap to tap.

const LANES: u32 = 8u;
const EACH: u32 = 6u;           // rows of taps
const TAPS: u32 = 3u;           // of a row

override STEP: u32 = 1u;        // pixels from one tap of a row to the next: 1 or 2

var<private> lane: u32;

alias Sums = array<mat4x4<f32>, 9>;
alias Four = array<vec4<f32>, 3>;    // of each of three rows: this lane's part of four lines
alias Places = vec3<u32>;            // one for each row of taps

// Where a tile is.
struct Tile {
    o: u32,             // this lane's outputs, in vec4
    v: Places,          // the row of the kernel
    c: Places,          // the channels of a group, in vec4
    begin: u32,         // where the group begins in x, in vec4
    u: u32,             // the first of its taps
}

fn tile_of(layer: Dims, o0: u32, block: u32) -> Tile {
    let across = (layer.wide + TAPS - 1u) / TAPS;
    let n = block / across * EACH + lane / 4u + vec3(0u, 2u, 4u);
    let begin = 4u * o0 / layer.outputs_of_group * layer.group4;
    return Tile(o0 + lane % 4u, n / layer.group4, n % layer.group4, begin, block % across * TAPS);
}

// The column of a weight, or none.
fn column(tile: Tile, k: u32, u: u32) -> u32 {
    let there = tile.v[k] < size.high && tile.u + u < size.wide;
    return select(0xffffffffu, (tile.v[k] * size.wide + tile.u + u) * size.group4 + tile.c[k], there);
}

fn total_at(tile: Tile, k: u32, u: u32) -> mat4x4<f32> {
    return total_of(min(tile.o, size.outputs4 - 1u), min(column(tile, k, u), size.inputs4 - 1u));
}

fn part_at(tile: Tile, k: u32, u: u32) -> mat4x4<f32> {
    return part_of(min(tile.o, size.outputs4 - 1u), min(column(tile, k, u), size.inputs4 - 1u));
}

// This lane's part of what the rows of taps read for four lines: of line l + lane % 4, and of its own rows.
fn run_at(tile: Tile, l: u32) -> Four {
    let above = (vec3<i32>(tile.v * size.step_h) - i32(size.pad_h)) * i32(size.x_wide);
    let place = i32(l + lane % 4u + tile.u * STEP) - i32(size.pad_w) + above;
    let at = vec3<u32>(clamp(place, vec3(0), vec3(i32(now.rows * size.x_high * size.x_wide) - 1))) * size.x4 + tile.begin + tile.c;
    return Four(x[at.x], x[at.y], x[at.z]);
}

// What a tap reads for a line, this many pixels on in the run of a row.
fn tap_of(a: vec4<f32>, b: vec4<f32>, on: u32, there: bool) -> vec4<f32> {
    let value = subgroupShuffle(select(a, b, on >= 4u), lane / 4u * 4u + on % 4u);
    return select(vec4(0.0), value, there);
}

// Adds the outer products of the t-th of four lines, d with what its taps read.
fn add(part: ptr<function, Sums>, tile: Tile, d: vec4<f32>, a: Four, b: Four, t: u32, p: vec3<u32>) {
    let high = tile.v * size.step_h + p.y - size.pad_h < vec3(size.x_high);
    let wide = (tile.u + vec3(0u, 1u, 2u)) * STEP + p.z - size.pad_w < vec3(size.x_wide);
    (*part)[0] = outer((*part)[0], d, tap_of(a[0], b[0], t, high.x && wide.x));
    (*part)[1] = outer((*part)[1], d, tap_of(a[0], b[0], t + STEP, high.x && wide.y));
    (*part)[2] = outer((*part)[2], d, tap_of(a[0], b[0], t + 2u * STEP, high.x && wide.z));
    (*part)[3] = outer((*part)[3], d, tap_of(a[1], b[1], t, high.y && wide.x));
    (*part)[4] = outer((*part)[4], d, tap_of(a[1], b[1], t + STEP, high.y && wide.y));
    (*part)[5] = outer((*part)[5], d, tap_of(a[1], b[1], t + 2u * STEP, high.y && wide.z));
    (*part)[6] = outer((*part)[6], d, tap_of(a[2], b[2], t, high.z && wide.x));
    (*part)[7] = outer((*part)[7], d, tap_of(a[2], b[2], t + STEP, high.z && wide.y));
    (*part)[8] = outer((*part)[8], d, tap_of(a[2], b[2], t + 2u * STEP, high.z && wide.z));
}

// Adds the outer products of lines l0 … stop - 1, of which `first` is the first one's pixel, and what the bias gets of them.
fn products(part: ptr<function, Sums>, bias: ptr<function, vec4<f32>>, tile: Tile, first: vec3<u32>, l0: u32, stop: u32) {
    let stride = size.outputs4;
    let mine = min(tile.o, stride - 1u);
    var p = first;
    var l = l0;
    var a = run_at(tile, l);
    for (; l + 4u <= stop; l += 4u) {
        let b = run_at(tile, l + 4u);
        let d = left[(l + lane / 4u) * stride + mine];
        let e = left[(l + 2u + lane / 4u) * stride + mine];
        let four = mat4x4(
            subgroupShuffle(d, lane % 4u), subgroupShuffle(d, lane % 4u + 4u),
            subgroupShuffle(e, lane % 4u), subgroupShuffle(e, lane % 4u + 4u),
        );
        add(part, tile, four[0], a, b, 0u, p);
        p = next(p);
        add(part, tile, four[1], a, b, 1u, p);
        p = next(p);
        add(part, tile, four[2], a, b, 2u, p);
        p = next(p);
        add(part, tile, four[3], a, b, 3u, p);
        p = next(p);
        *bias = *bias + four[0] + four[1] + four[2] + four[3];
        a = b;
    }
    for (; l < stop; l++) {
        let d = left[l * stride + mine];
        add(part, tile, d, run_at(tile, l), run_at(tile, l + 4u), 0u, p);
        p = next(p);
        *bias = *bias + d;
    }
}

fn put(tile: Tile, k: u32, u: u32, total: mat4x4<f32>, part: mat4x4<f32>) {
    put_gradient(tile.o, column(tile, k, u), total, part);
}

fn weight_tile(moment: Clock, tile: Tile, has_bias: bool) {
    var total = Sums(
        total_at(tile, 0u, 0u), total_at(tile, 0u, 1u), total_at(tile, 0u, 2u),
        total_at(tile, 1u, 0u), total_at(tile, 1u, 1u), total_at(tile, 1u, 2u),
        total_at(tile, 2u, 0u), total_at(tile, 2u, 1u), total_at(tile, 2u, 2u),
    );
    var part = Sums(
        part_at(tile, 0u, 0u), part_at(tile, 0u, 1u), part_at(tile, 0u, 2u),
        part_at(tile, 1u, 0u), part_at(tile, 1u, 1u), part_at(tile, 1u, 2u),
        part_at(tile, 2u, 0u), part_at(tile, 2u, 1u), part_at(tile, 2u, 2u),
    );
    var bias = vec4(0.0);
    var part_of_it = vec4(0.0);
    if BIAS {
        bias = total_of_bias(min(tile.o, size.outputs4 - 1u));
        part_of_it = part_of_bias(min(tile.o, size.outputs4 - 1u));
    }
    var l = 0u;
    while l < lines(moment) {
        let stop = block_stop(moment, l);
        products(&part, &part_of_it, tile, pixel_of(l), l, stop);
        l = stop;
        if closed(moment, l) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            total[4] += part[4];
            total[5] += part[5];
            total[6] += part[6];
            total[7] += part[7];
            total[8] += part[8];
            part = Sums();
            bias += part_of_it;
            part_of_it = vec4(0.0);
        }
    }
    put(tile, 0u, 0u, total[0], part[0]);
    put(tile, 0u, 1u, total[1], part[1]);
    put(tile, 0u, 2u, total[2], part[2]);
    put(tile, 1u, 0u, total[3], part[3]);
    put(tile, 1u, 1u, total[4], part[4]);
    put(tile, 1u, 2u, total[5], part[5]);
    put(tile, 2u, 0u, total[6], part[6]);
    put(tile, 2u, 1u, total[7], part[7]);
    put(tile, 2u, 2u, total[8], part[8]);
    if BIAS && has_bias && lane < 4u { put_bias(tile.o, bias, part_of_it); }
}

@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let tile = tile_of(dims[group.z], dims[group.z].first + 4u * group.y, group.x);
    weight_tile(clock[group.z], tile, group.x == 0u);
}

// The same for each block of lines: the tiles of 16 outputs after those of 16 others.
@compute @workgroup_size(LANES)
fn weight_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let n = dims[group.z].first / LANES + group.x;
    let layer = dims[group.z];
    let across = (layer.high * layer.group4 + EACH - 1u) / EACH * ((layer.wide + TAPS - 1u) / TAPS);
    let tile = tile_of(layer, n / across * 4u, n % across);
    let block = block_of(group.y);
    var part = Sums();
    var bias = vec4(0.0);
    products(&part, &bias, tile, block.pixel, block.begin, block.end);
    put_sums(group.y, tile.o, column(tile, 0u, 0u), part[0]);
    put_sums(group.y, tile.o, column(tile, 0u, 1u), part[1]);
    put_sums(group.y, tile.o, column(tile, 0u, 2u), part[2]);
    put_sums(group.y, tile.o, column(tile, 1u, 0u), part[3]);
    put_sums(group.y, tile.o, column(tile, 1u, 1u), part[4]);
    put_sums(group.y, tile.o, column(tile, 1u, 2u), part[5]);
    put_sums(group.y, tile.o, column(tile, 2u, 0u), part[6]);
    put_sums(group.y, tile.o, column(tile, 2u, 1u), part[7]);
    put_sums(group.y, tile.o, column(tile, 2u, 2u), part[8]);
    if n % across == 0u && lane < 4u { put_sum_of_bias(group.y, tile.o, bias); }
}
