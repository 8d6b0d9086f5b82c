// The gradient of a weight by LANES invocations side by side: each has a vec4 of a tap's channels, and computes 16 outputs of it.

const LANES: u32 = 8u;

var<private> lane: u32;

alias Quads = array<mat4x4<f32>, 4>;

fn x_at(p: vec3<u32>, tap: vec2<u32>, i: u32) -> vec4<f32> {
    let source = source_of_y(row_of_y(p, tap.x), p, tap.y);
    return select(vec4(0.0), x[source.at * size.x4 + i], source.there);
}

// Adds the outer products of two lines: 16 outputs × this lane's vec4. Lanes 0 to 3 load those of the first line, the others
// those of the second.
fn two_lines(part: ptr<function, Quads>, d: vec4<f32>, x0: vec4<f32>, x1: vec4<f32>) {
    (*part)[0] = outer((*part)[0], subgroupShuffle(d, 0u), x0);
    (*part)[1] = outer((*part)[1], subgroupShuffle(d, 1u), x0);
    (*part)[2] = outer((*part)[2], subgroupShuffle(d, 2u), x0);
    (*part)[3] = outer((*part)[3], subgroupShuffle(d, 3u), x0);
    (*part)[0] = outer((*part)[0], subgroupShuffle(d, 4u), x1);
    (*part)[1] = outer((*part)[1], subgroupShuffle(d, 5u), x1);
    (*part)[2] = outer((*part)[2], subgroupShuffle(d, 6u), x1);
    (*part)[3] = outer((*part)[3], subgroupShuffle(d, 7u), x1);
}

// Where a lane's tile is: the outputs, in vec4; the column; what it reads.
struct Column { o0: u32, o: vec4<u32>, mine: u32, j: u32, tap: vec2<u32>, i: u32 }

fn column_of(layer: Dims, o0: u32, column: u32) -> Column {
    let j = min(column, layer.inputs4 - 1u);
    let last = layer.outputs4 - 1u;
    let tap = vec2(j / layer.group4 / layer.wide, j / layer.group4 % layer.wide);
    let i = 4u * o0 / layer.outputs_of_group * layer.group4 + j % layer.group4;
    return Column(o0, min(vec4(o0) + vec4(0u, 1u, 2u, 3u), vec4(last)), min(o0 + lane % 4u, last), j, tap, i);
}

// Adds the outer products of lines l0 … stop - 1, of which `first` is the first one's pixel.
fn products(part: ptr<function, Quads>, at: Column, first: vec3<u32>, l0: u32, stop: u32) {
    let stride = size.outputs4;
    var p = first;
    var l = l0;
    for (; l + 4u <= stop; l += 4u) {
        let p1 = next(p);
        let p2 = next(p1);
        let p3 = next(p2);
        let d = left[(l + lane / 4u) * stride + at.mine];
        let e = left[(l + 2u + lane / 4u) * stride + at.mine];
        two_lines(part, d, x_at(p, at.tap, at.i), x_at(p1, at.tap, at.i));
        two_lines(part, e, x_at(p2, at.tap, at.i), x_at(p3, at.tap, at.i));
        p = next(p3);
    }
    for (; l < stop; l++) {
        let d = left[l * stride + at.mine];
        let v = x_at(p, at.tap, at.i);
        (*part)[0] = outer((*part)[0], subgroupShuffle(d, 0u), v);
        (*part)[1] = outer((*part)[1], subgroupShuffle(d, 1u), v);
        (*part)[2] = outer((*part)[2], subgroupShuffle(d, 2u), v);
        (*part)[3] = outer((*part)[3], subgroupShuffle(d, 3u), v);
        p = next(p);
    }
}

fn weight_tile(layer: Dims, moment: Clock, o0: u32, column: u32) {
    let at = column_of(layer, o0, column);
    var total = Quads(total_of(at.o.x, at.j), total_of(at.o.y, at.j), total_of(at.o.z, at.j), total_of(at.o.w, at.j));
    var part = Quads(part_of(at.o.x, at.j), part_of(at.o.y, at.j), part_of(at.o.z, at.j), part_of(at.o.w, at.j));
    var l = 0u;
    while l < lines(moment) {
        let stop = block_stop(moment, l);
        products(&part, at, pixel_of(l), l, stop);
        l = stop;
        if closed(moment, l) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            part = Quads();
        }
    }
    put_gradient(o0, column, total[0], part[0]);
    put_gradient(o0 + 1u, column, total[1], part[1]);
    put_gradient(o0 + 2u, column, total[2], part[2]);
    put_gradient(o0 + 3u, column, total[3], part[3]);
}

// One more workgroup along x than the weight has: the bias.
@compute @workgroup_size(LANES)
fn backward_weight(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let column = group.x * LANES + index;
    let o = dims[group.z].first + 4u * group.y;
    if group.x * LANES < dims[group.z].inputs4 {
        weight_tile(dims[group.z], clock[group.z], o, column);
    } else if BIAS && index < 4u {
        bias_gradient(o + index);
    }
}

// The same for each block of lines: the columns of 16 outputs after those of 16 others.
@compute @workgroup_size(LANES)
fn weight_blocks(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let n = dims[group.z].first / LANES + group.x;
    let across = (dims[group.z].inputs4 + LANES - 1u) / LANES + 1u;
    let column = n % across * LANES + index;
    let o = n / across * 4u;
    if n % across + 1u == across {
        if index < 4u && o + index < dims[group.z].outputs4 { sum_of_bias(group.y, o + index); }
        return;
    }
    let block = block_of(group.y);
    var part = Quads();
    products(&part, column_of(dims[group.z], o, column), block.pixel, block.begin, block.end);
    put_sums(group.y, o, column, part[0]);
    put_sums(group.y, o + 1u, column, part[1]);
    put_sums(group.y, o + 2u, column, part[2]);
    put_sums(group.y, o + 3u, column, part[3]);
}
