// LANES invocations side by side have a pixel each, eight times over, and compute QUADS vec4 of channels of all of them; each
// loads a part of the weights, and they exchange these. Where an image keeps its size, the pixels that a row of taps reads for a
// tile lie side by side: each is loaded once, and lanes hand them on from tap to tap. A constant in front of this file sets QUADS.

const LANES: u32 = 8u;

override SAME: bool = false;    // lines of what is made, or of a phase of it, and of what is read are those of the same places
override LOWEST: i32 = 0;       // then: how far from its pixel the first one is that a row of taps reads,
override SPAN: u32 = 0u;        // and how far from there the last one is: at most LANES

var<private> lane: u32;

alias Quads = array<mat4x4<f32>, 4>;
alias Tile = array<mat4x4<f32>, 8>;
alias Spots = array<vec3<u32>, 8>;
alias Rows = array<Row, 8>;
alias Run = array<vec4<f32>, 9>;
alias Pair = array<vec4<f32>, 2>;

fn spot(l: u32) -> vec3<u32> { return pixel_of(min(l, lines(now) - 1u)); }

fn spots_of(l: u32) -> Spots {
    return Spots(
        spot(l), spot(l + LANES), spot(l + 2u * LANES), spot(l + 3u * LANES),
        spot(l + 4u * LANES), spot(l + 5u * LANES), spot(l + 6u * LANES), spot(l + 7u * LANES),
    );
}

fn spots_in(phase: Phase, l: u32) -> Spots {
    let to = vec3(1u, STRIDE_H, STRIDE_W);
    let from_0 = vec3(0u, phase.h, phase.w);
    let p = spots_of(l);
    return Spots(
        p[0] * to + from_0, p[1] * to + from_0, p[2] * to + from_0, p[3] * to + from_0,
        p[4] * to + from_0, p[5] * to + from_0, p[6] * to + from_0, p[7] * to + from_0,
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

// Vec4 c of the line that is so many after the first of the micro-batch, or of one that no tap reads.
fn left_at(place: i32, stride: u32, c: u32) -> vec4<f32> {
    return left[u32(clamp(place, 0, i32(lines(now)) - 1)) * stride + c];
}

// Of an image that keeps its size: the pixels that a row of taps reads for a tile, from the first tap's on.
fn run_from(place: i32, stride: u32, c: u32) -> Run {
    var run = Run();
    if !SAME { return run; }
    run[0] = left_at(place, stride, c);
    run[1] = left_at(place + 8, stride, c);
    run[2] = left_at(place + 16, stride, c);
    run[3] = left_at(place + 24, stride, c);
    run[4] = left_at(place + 32, stride, c);
    run[5] = left_at(place + 40, stride, c);
    run[6] = left_at(place + 48, stride, c);
    run[7] = left_at(place + 56, stride, c);
    if lane < SPAN { run[8] = left_at(place + 64, stride, c); }
    return run;
}

// What a tap reads for the r-th pixel of this lane: it is `tap` pixels on in the run, or anywhere.
fn tap_of(run: Run, r: u32, tap: u32, source: Source, stride: u32, c: u32) -> vec4<f32> {
    var value = run[r];
    if !SAME {
        value = left[source.at * stride + c];
    } else if SPAN > 0u {
        value = subgroupShuffle(select(run[r + 1u], run[r], lane >= tap), (lane + tap) % LANES);
    }
    return select(vec4(0.0), value, source.there);
}

fn forward_tile(layer: Dims, l: u32, o: u32) {
    let p = spots_of(l);
    let begin = 4u * o / layer.outputs_of_group * layer.group4;
    let last = layer.outputs4 - 1u;
    let b = mat4x4(
        start_of(o), start_of(min(o + 1u, last)), start_of(min(o + 2u, last)), start_of(min(o + 3u, last)),
    );
    var c = Tile(b, b, b, b, b, b, b, b);
    for (var v = 0u; v < layer.high; v++) {
        let rows = Rows(
            row_of_y(p[0], v), row_of_y(p[1], v), row_of_y(p[2], v), row_of_y(p[3], v),
            row_of_y(p[4], v), row_of_y(p[5], v), row_of_y(p[6], v), row_of_y(p[7], v),
        );
        let above = (i32(v * layer.step_h) - i32(layer.pad_h)) * i32(layer.x_wide);
        for (var i = 0u; i < layer.group4; i++) {
            let at = begin + i;
            let run = run_from(i32(l) + above + LOWEST, layer.x4, at);
            for (var u = 0u; u < layer.wide; u++) {
                let w = forward_weights(o, (v * layer.wide + u) * layer.group4 + i);
                let tap = u * layer.step_w;
                c[0] = chains(c[0], w, tap_of(run, 0u, tap, source_of_y(rows[0], p[0], u), layer.x4, at));
                c[1] = chains(c[1], w, tap_of(run, 1u, tap, source_of_y(rows[1], p[1], u), layer.x4, at));
                c[2] = chains(c[2], w, tap_of(run, 2u, tap, source_of_y(rows[2], p[2], u), layer.x4, at));
                c[3] = chains(c[3], w, tap_of(run, 3u, tap, source_of_y(rows[3], p[3], u), layer.x4, at));
                c[4] = chains(c[4], w, tap_of(run, 4u, tap, source_of_y(rows[4], p[4], u), layer.x4, at));
                c[5] = chains(c[5], w, tap_of(run, 5u, tap, source_of_y(rows[5], p[5], u), layer.x4, at));
                c[6] = chains(c[6], w, tap_of(run, 6u, tap, source_of_y(rows[6], p[6], u), layer.x4, at));
                c[7] = chains(c[7], w, tap_of(run, 7u, tap, source_of_y(rows[7], p[7], u), layer.x4, at));
            }
        }
    }
    put_ys(l, o, c[0]);
    put_ys(l + LANES, o, c[1]);
    put_ys(l + 2u * LANES, o, c[2]);
    put_ys(l + 3u * LANES, o, c[3]);
    put_ys(l + 4u * LANES, o, c[4]);
    put_ys(l + 5u * LANES, o, c[5]);
    put_ys(l + 6u * LANES, o, c[6]);
    put_ys(l + 7u * LANES, o, c[7]);
}

fn backward_tile(layer: Dims, phase: Phase, l: u32, i: u32) {
    let p = spots_in(phase, l);
    let of_group = (layer.outputs_of_group + 3u) / 4u;
    let begin = i / layer.group4 * of_group;
    var c = Tile();
    for (var v = phase.v; v < layer.high; v += LEAP_H) {
        let rows = Rows(
            row_of_x(p[0], v), row_of_x(p[1], v), row_of_x(p[2], v), row_of_x(p[3], v),
            row_of_x(p[4], v), row_of_x(p[5], v), row_of_x(p[6], v), row_of_x(p[7], v),
        );
        let above = (i32(phase.h + layer.pad_h) - i32(v * layer.step_h)) / i32(STRIDE_H) * i32(layer.y_wide);
        for (var o = begin; o < begin + of_group; o++) {
            let run = run_from(i32(l) + above + LOWEST, layer.outputs4, o);
            for (var u = phase.u; u < layer.wide; u += LEAP_W) {
                let w = backward_weights(o, v * layer.wide + u, i % layer.group4);
                let tap = u32((i32(phase.w + layer.pad_w) - i32(u * layer.step_w)) / i32(STRIDE_W) - LOWEST);
                c[0] = chains(c[0], w, tap_of(run, 0u, tap, source_of_x(rows[0], p[0], u), layer.outputs4, o));
                c[1] = chains(c[1], w, tap_of(run, 1u, tap, source_of_x(rows[1], p[1], u), layer.outputs4, o));
                c[2] = chains(c[2], w, tap_of(run, 2u, tap, source_of_x(rows[2], p[2], u), layer.outputs4, o));
                c[3] = chains(c[3], w, tap_of(run, 3u, tap, source_of_x(rows[3], p[3], u), layer.outputs4, o));
                c[4] = chains(c[4], w, tap_of(run, 4u, tap, source_of_x(rows[4], p[4], u), layer.outputs4, o));
                c[5] = chains(c[5], w, tap_of(run, 5u, tap, source_of_x(rows[5], p[5], u), layer.outputs4, o));
                c[6] = chains(c[6], w, tap_of(run, 6u, tap, source_of_x(rows[6], p[6], u), layer.outputs4, o));
                c[7] = chains(c[7], w, tap_of(run, 7u, tap, source_of_x(rows[7], p[7], u), layer.outputs4, o));
            }
        }
    }
    put_dxs(line_in_x(phase, l), i, c[0]);
    put_dxs(line_in_x(phase, l + LANES), i, c[1]);
    put_dxs(line_in_x(phase, l + 2u * LANES), i, c[2]);
    put_dxs(line_in_x(phase, l + 3u * LANES), i, c[3]);
    put_dxs(line_in_x(phase, l + 4u * LANES), i, c[4]);
    put_dxs(line_in_x(phase, l + 5u * LANES), i, c[5]);
    put_dxs(line_in_x(phase, l + 6u * LANES), i, c[6]);
    put_dxs(line_in_x(phase, l + 7u * LANES), i, c[7]);
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    forward_tile(dims[group.z], 8u * LANES * group.y + lane, QUADS * (dims[group.z].first / LANES + group.x));
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let across = (dims[group.z].x4 + QUADS - 1u) / QUADS;
    let n = dims[group.z].first / LANES + group.x;
    backward_tile(dims[group.z], phase_of(dims[group.z], n / across), 8u * LANES * group.y + lane, QUADS * (n % across));
}
