// LANES invocations side by side compute TILE rows × LANES vec4 of columns, or twice as many columns with PAIR; of a
// gradient, 16 outputs × LANES vec4 of inputs. Each loads everything they share, or they exchange it: lib/plain.wgsl,
// lib/shared.wgsl.

const LANES: u32 = 8u;

override PAIR: bool = true;

alias Sixteen = array<mat4x4<f32>, 4>;

fn same(v: vec4<f32>) -> Rows { return Rows(v, v, v, v, v, v, v, v, v, v, v, v, v, v, v, v); }

fn put_ys(r: u32, column: u32, c: Rows) {
    put_y(r, column, c[0]);
    put_y(r + 1u, column, c[1]);
    put_y(r + 2u, column, c[2]);
    put_y(r + 3u, column, c[3]);
    put_y(r + 4u, column, c[4]);
    put_y(r + 5u, column, c[5]);
    put_y(r + 6u, column, c[6]);
    put_y(r + 7u, column, c[7]);
    if TILE == 8u { return; }
    put_y(r + 8u, column, c[8]);
    put_y(r + 9u, column, c[9]);
    put_y(r + 10u, column, c[10]);
    put_y(r + 11u, column, c[11]);
    put_y(r + 12u, column, c[12]);
    put_y(r + 13u, column, c[13]);
    put_y(r + 14u, column, c[14]);
    put_y(r + 15u, column, c[15]);
}

fn put_dxs(r: u32, column: u32, c: Rows) {
    put_dx(r, column, c[0]);
    put_dx(r + 1u, column, c[1]);
    put_dx(r + 2u, column, c[2]);
    put_dx(r + 3u, column, c[3]);
    put_dx(r + 4u, column, c[4]);
    put_dx(r + 5u, column, c[5]);
    put_dx(r + 6u, column, c[6]);
    put_dx(r + 7u, column, c[7]);
    if TILE == 8u { return; }
    put_dx(r + 8u, column, c[8]);
    put_dx(r + 9u, column, c[9]);
    put_dx(r + 10u, column, c[10]);
    put_dx(r + 11u, column, c[11]);
    put_dx(r + 12u, column, c[12]);
    put_dx(r + 13u, column, c[13]);
    put_dx(r + 14u, column, c[14]);
    put_dx(r + 15u, column, c[15]);
}

fn forward_tile(layer: Dims, r: u32, column: u32) {
    let o = min(vec2(column, column + LANES), vec2(layer.outputs4 - 1u));
    var c = same(start_of(o.x));
    var d = same(start_of(o.y));
    let at = r * layer.x_stride4;
    for (var i = 0u; i < layer.inputs4; i++) {
        chains(&c, transpose(weight(o.x, i)), at + i, layer.x_stride4);
        if PAIR { chains(&d, transpose(weight(o.y, i)), at + i, layer.x_stride4); }
    }
    put_ys(r, column, c);
    if PAIR { put_ys(r, column + LANES, d); }
}

fn backward_tile(layer: Dims, r: u32, column: u32) {
    let i = min(vec2(column, column + LANES), vec2(layer.inputs4 - 1u));
    var c = same(vec4(0.0));
    var d = same(vec4(0.0));
    let at = r * layer.outputs4;
    for (var o = 0u; o < layer.outputs4; o++) {
        chains(&c, weight(o, i.x), at + o, layer.outputs4);
        if PAIR { chains(&d, weight(o, i.y), at + o, layer.outputs4); }
    }
    put_dxs(r, column, c);
    if PAIR { put_dxs(r, column + LANES, d); }
}

fn weight_tile(layer: Dims, moment: Clock, o0: u32, column: u32) {
    let i = min(column, layer.inputs4 - 1u);
    let o = min(vec4(o0) + vec4(0u, 1u, 2u, 3u), vec4(layer.outputs4 - 1u));
    var total = Sixteen(total_of(o.x, i), total_of(o.y, i), total_of(o.z, i), total_of(o.w, i));
    var part = Sixteen(part_of(o.x, i), part_of(o.y, i), part_of(o.z, i), part_of(o.w, i));
    var r = 0u;
    while r < lines(moment) {
        let stop = block_stop(moment, r);
        for (; r + 8u <= stop; r += 8u) {
            let at = r * layer.x_stride4 + i;
            let eight = Eight(
                x[at], x[at + layer.x_stride4], x[at + 2u * layer.x_stride4], x[at + 3u * layer.x_stride4],
                x[at + 4u * layer.x_stride4], x[at + 5u * layer.x_stride4],
                x[at + 6u * layer.x_stride4], x[at + 7u * layer.x_stride4],
            );
            let d_at = r * layer.outputs4;
            part[0] = outers(part[0], d_at + o.x, layer.outputs4, eight);
            part[1] = outers(part[1], d_at + o.y, layer.outputs4, eight);
            part[2] = outers(part[2], d_at + o.z, layer.outputs4, eight);
            part[3] = outers(part[3], d_at + o.w, layer.outputs4, eight);
        }
        for (; r < stop; r++) {
            let v = x[r * layer.x_stride4 + i];
            let d_at = r * layer.outputs4;
            part[0] = outer(part[0], left[d_at + o.x], v);
            part[1] = outer(part[1], left[d_at + o.y], v);
            part[2] = outer(part[2], left[d_at + o.z], v);
            part[3] = outer(part[3], left[d_at + o.w], v);
        }
        if closed(moment, r) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            part = Sixteen();
        }
    }
    put_gradient(o0, column, total[0], part[0]);
    put_gradient(o0 + 1u, column, total[1], part[1]);
    put_gradient(o0 + 2u, column, total[2], part[2]);
    put_gradient(o0 + 3u, column, total[3], part[3]);
}

// The first column that a workgroup computes.
fn column_of(layer: Dims, group: vec3<u32>) -> u32 {
    return layer.first + group.x * select(LANES, 2u * LANES, PAIR) + lane;
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    forward_tile(dims[group.z], group.y * TILE, column_of(dims[group.z], group));
}

@compute @workgroup_size(LANES)
fn backward_input(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    backward_tile(dims[group.z], group.y * TILE, column_of(dims[group.z], group));
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
    } else if index < 4u {
        bias_gradient(o + index);
    }
}
