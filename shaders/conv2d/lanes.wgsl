// LANES invocations side by side have a pixel each, four times over, and compute QUADS vec4 of channels of all of them; each
// loads a part of the weights, and they exchange these. Of a gradient, each has a vec4 of a tap's channels and computes 16
// outputs of it. Constants in front of this file set QUADS.

const LANES: u32 = 8u;

var<private> lane: u32;

alias Quads = array<mat4x4<f32>, 4>;
alias Spots = array<vec3<u32>, 4>;
alias Sources = array<Source, 4>;
alias Pair = array<vec4<f32>, 2>;

fn spots_of(l: u32) -> Spots {
    let last = lines(now) - 1u;
    return Spots(
        pixel_of(min(l, last)), pixel_of(min(l + LANES, last)),
        pixel_of(min(l + 2u * LANES, last)), pixel_of(min(l + 3u * LANES, last)),
    );
}

// The k-th of the vec4 that the lanes loaded together.
fn handed(loaded: Pair, k: u32) -> vec4<f32> {
    if k < LANES { return subgroupShuffle(loaded[0], k); }
    return subgroupShuffle(loaded[1], k - LANES);
}

// Four steps of the chains of one pixel, for QUADS vec4 of channels.
fn chains(c: mat4x4<f32>, w: Quads, v: vec4<f32>) -> mat4x4<f32> {
    var made = c;
    made[0] = chain(w[0], v, c[0]);
    if QUADS > 1u { made[1] = chain(w[1], v, c[1]); }
    if QUADS > 2u {
        made[2] = chain(w[2], v, c[2]);
        made[3] = chain(w[3], v, c[3]);
    }
    return made;
}

// The weights of 4·QUADS outputs from o on, of one vec4 of their inputs.
fn forward_weights(o: u32, j: u32) -> Quads {
    let last = 4u * size.outputs4 - 1u;
    var loaded = Pair(parameters[min(4u * o + lane, last) * size.inputs4 + j], vec4(0.0));
    if QUADS > 2u { loaded[1] = parameters[min(4u * o + LANES + lane, last) * size.inputs4 + j]; }
    var w = Quads();
    w[0] = transpose(mat4x4(handed(loaded, 0u), handed(loaded, 1u), handed(loaded, 2u), handed(loaded, 3u)));
    if QUADS > 1u {
        w[1] = transpose(mat4x4(handed(loaded, 4u), handed(loaded, 5u), handed(loaded, 6u), handed(loaded, 7u)));
    }
    if QUADS > 2u {
        w[2] = transpose(mat4x4(handed(loaded, 8u), handed(loaded, 9u), handed(loaded, 10u), handed(loaded, 11u)));
        w[3] = transpose(mat4x4(handed(loaded, 12u), handed(loaded, 13u), handed(loaded, 14u), handed(loaded, 15u)));
    }
    return w;
}

// The weights of QUADS vec4 of inputs from i on, of four outputs: what the lanes load is (outputs, vec4 of inputs).
fn backward_weights(o: u32, tap: u32, i: u32) -> Quads {
    let column = tap * size.group4 + min(i + lane % QUADS, size.group4 - 1u);
    var loaded = Pair(parameters[(4u * o + (lane / QUADS) % 4u) * size.inputs4 + column], vec4(0.0));
    if QUADS > 2u { loaded[1] = parameters[(4u * o + 2u + lane / QUADS) * size.inputs4 + column]; }
    var w = Quads();
    w[0] = mat4x4(handed(loaded, 0u), handed(loaded, QUADS), handed(loaded, 2u * QUADS), handed(loaded, 3u * QUADS));
    if QUADS > 1u {
        w[1] = mat4x4(
            handed(loaded, 1u), handed(loaded, QUADS + 1u), handed(loaded, 2u * QUADS + 1u), handed(loaded, 3u * QUADS + 1u),
        );
    }
    if QUADS > 2u {
        w[2] = mat4x4(handed(loaded, 2u), handed(loaded, 6u), handed(loaded, 10u), handed(loaded, 14u));
        w[3] = mat4x4(handed(loaded, 3u), handed(loaded, 7u), handed(loaded, 11u), handed(loaded, 15u));
    }
    return w;
}

fn left_of(source: Source, stride: u32, c: u32) -> vec4<f32> {
    return select(vec4(0.0), left[source.pixel * stride + c], source.there);
}

fn steps(c: ptr<function, Quads>, w: Quads, s: Sources, stride: u32, at: u32) {
    (*c)[0] = chains((*c)[0], w, left_of(s[0], stride, at));
    (*c)[1] = chains((*c)[1], w, left_of(s[1], stride, at));
    (*c)[2] = chains((*c)[2], w, left_of(s[2], stride, at));
    (*c)[3] = chains((*c)[3], w, left_of(s[3], stride, at));
}

fn put_ys(l: u32, o: u32, c: mat4x4<f32>) {
    put_y(l, o, c[0]);
    if QUADS > 1u { put_y(l, o + 1u, c[1]); }
    if QUADS > 2u {
        put_y(l, o + 2u, c[2]);
        put_y(l, o + 3u, c[3]);
    }
}

fn put_dxs(l: u32, i: u32, c: mat4x4<f32>) {
    put_dx(l, i, c[0]);
    if QUADS > 1u { put_dx(l, i + 1u, c[1]); }
    if QUADS > 2u {
        put_dx(l, i + 2u, c[2]);
        put_dx(l, i + 3u, c[3]);
    }
}

fn forward_tile(layer: Dims, l: u32, o: u32) {
    let p = spots_of(l);
    let begin = 4u * o / layer.outputs_of_group * layer.group4;
    let last = layer.outputs4 - 1u;
    let b = mat4x4(
        start_of(o), start_of(min(o + 1u, last)), start_of(min(o + 2u, last)), start_of(min(o + 3u, last)),
    );
    var c = Quads(b, b, b, b);
    var j = 0u;
    for (var v = 0u; v < layer.high; v++) {
        for (var u = 0u; u < layer.wide; u++) {
            let s = Sources(
                source_of_y(p[0], v, u), source_of_y(p[1], v, u), source_of_y(p[2], v, u), source_of_y(p[3], v, u),
            );
            for (var i = begin; i < begin + layer.group4; i++) {
                steps(&c, forward_weights(o, j), s, layer.x4, i);
                j++;
            }
        }
    }
    put_ys(l, o, c[0]);
    put_ys(l + LANES, o, c[1]);
    put_ys(l + 2u * LANES, o, c[2]);
    put_ys(l + 3u * LANES, o, c[3]);
}

fn backward_tile(layer: Dims, l: u32, i: u32) {
    let p = spots_of(l);
    let of_group = (layer.outputs_of_group + 3u) / 4u;
    let begin = i / layer.group4 * of_group;
    var c = Quads();
    for (var v = 0u; v < layer.high; v++) {
        for (var u = 0u; u < layer.wide; u++) {
            let s = Sources(
                source_of_x(p[0], v, u), source_of_x(p[1], v, u), source_of_x(p[2], v, u), source_of_x(p[3], v, u),
            );
            for (var o = begin; o < begin + of_group; o++) {
                steps(&c, backward_weights(o, v * layer.wide + u, i % layer.group4), s, layer.outputs4, o);
            }
        }
    }
    put_dxs(l, i, c[0]);
    put_dxs(l + LANES, i, c[1]);
    put_dxs(l + 2u * LANES, i, c[2]);
    put_dxs(l + 3u * LANES, i, c[3]);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    forward_tile(dims[group.z], 4u * LANES * group.y + lane, QUADS * (dims[group.z].first / LANES + group.x));
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    backward_tile(dims[group.z], 4u * LANES * group.y + lane, QUADS * (dims[group.z].first / LANES + group.x));
}

// The pixel behind this one.
fn next(p: vec3<u32>) -> vec3<u32> {
    let wraps = p.z + 1u == size.y_wide;
    let down = select(p.y, p.y + 1u, wraps);
    let over = down == size.y_high;
    return vec3(select(p.x, p.x + 1u, over), select(down, 0u, over), select(p.z + 1u, 0u, wraps));
}

fn x_at(p: vec3<u32>, tap: vec2<u32>, i: u32) -> vec4<f32> {
    let source = source_of_y(p, tap.x, tap.y);
    return select(vec4(0.0), x[source.pixel * size.x4 + i], source.there);
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

fn weight_tile(layer: Dims, moment: Clock, o0: u32, column: u32) {
    let j = min(column, layer.inputs4 - 1u);
    let o = min(vec4(o0) + vec4(0u, 1u, 2u, 3u), vec4(layer.outputs4 - 1u));
    let mine = min(o0 + lane % 4u, layer.outputs4 - 1u);
    let tap = vec2(j / layer.group4 / layer.wide, j / layer.group4 % layer.wide);
    let i = 4u * o0 / layer.outputs_of_group * layer.group4 + j % layer.group4;
    var total = Quads(total_of(o.x, j), total_of(o.y, j), total_of(o.z, j), total_of(o.w, j));
    var part = Quads(part_of(o.x, j), part_of(o.y, j), part_of(o.z, j), part_of(o.w, j));
    var p = vec3(0u);
    var l = 0u;
    while l < lines(moment) {
        let stop = block_stop(moment, l);
        for (; l + 4u <= stop; l += 4u) {
            let p1 = next(p);
            let p2 = next(p1);
            let p3 = next(p2);
            let d = left[(l + lane / 4u) * layer.outputs4 + mine];
            let e = left[(l + 2u + lane / 4u) * layer.outputs4 + mine];
            two_lines(&part, d, x_at(p, tap, i), x_at(p1, tap, i));
            two_lines(&part, e, x_at(p2, tap, i), x_at(p3, tap, i));
            p = next(p3);
        }
        for (; l < stop; l++) {
            let d = left[l * layer.outputs4 + mine];
            let v = x_at(p, tap, i);
            part[0] = outer(part[0], subgroupShuffle(d, 0u), v);
            part[1] = outer(part[1], subgroupShuffle(d, 1u), v);
            part[2] = outer(part[2], subgroupShuffle(d, 2u), v);
            part[3] = outer(part[3], subgroupShuffle(d, 3u), v);
            p = next(p);
        }
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
