// A workgroup of WIDE × WIDE invocations computes a tile of 4·SIDE rows × SIDE vec4 of columns: 4 × 4 elements per invocation,
// or 8 × 8 if QUADS is 2. Constants in front of this file set these. Both factors go through workgroup memory, DEEP steps of
// the sum at a time, laid out so that an invocation reads one vec4 of each factor per step, or two.

const SIDE: u32 = QUADS * WIDE;
const DEEP4: u32 = DEEP / 4u;
const BLOCKS: u32 = SIDE * DEEP4;    // of 4 × 4 elements, in a tile of one factor
const STRIDE: u32 = SIDE + 1u;       // so that neighbours write to different banks

var<workgroup> a_tile: array<vec4<f32>, DEEP * STRIDE>;    // (steps, rows in vec4)
var<workgroup> b_tile: array<vec4<f32>, DEEP * STRIDE>;    // (steps, columns in vec4)

// Steps past the end add -0, which changes no number: one factor is -0 there, the other +0.
const NOTHING: vec4<f32> = vec4(-0.0);

fn put_a(p: u32, q: u32, m: mat4x4<f32>) {
    let at = 4u * q * STRIDE + p;
    a_tile[at] = m[0];
    a_tile[at + STRIDE] = m[1];
    a_tile[at + 2u * STRIDE] = m[2];
    a_tile[at + 3u * STRIDE] = m[3];
}

fn put_b(p: u32, q: u32, m: mat4x4<f32>) {
    let at = 4u * q * STRIDE + p;
    b_tile[at] = m[0];
    b_tile[at + STRIDE] = m[1];
    b_tile[at + 2u * STRIDE] = m[2];
    b_tile[at + 3u * STRIDE] = m[3];
}

// Block t of the left factor, whose rows are those of the tile and whose columns are the steps.
fn put_left(t: u32, row4: u32, stride: u32, step4: u32, steps4: u32) {
    let p = t / DEEP4;
    let q = t % DEEP4;
    var m = mat4x4(NOTHING, NOTHING, NOTHING, NOTHING);
    if step4 + q < steps4 {
        let at = 4u * (row4 + p) * stride + step4 + q;
        m = transpose(mat4x4(left[at], left[at + stride], left[at + 2u * stride], left[at + 3u * stride]));
    }
    put_a(p, q, m);
}

fn load_forward(layer: Dims, group: vec3<u32>, step4: u32, index: u32) {
    for (var t = index; t < 2u * BLOCKS; t += WIDE * WIDE) {
        if t < BLOCKS {
            put_left(t, group.y * SIDE, layer.x_stride4, step4, layer.inputs4);
        } else {
            let p = (t - BLOCKS) / DEEP4;
            let q = t % DEEP4;
            var m = mat4x4<f32>();
            if step4 + q < layer.inputs4 { m = transpose(weight(layer.first + group.x * SIDE + p, step4 + q)); }
            put_b(p, q, m);
        }
    }
}

fn load_backward(layer: Dims, group: vec3<u32>, step4: u32, index: u32) {
    for (var t = index; t < 2u * BLOCKS; t += WIDE * WIDE) {
        if t < BLOCKS {
            put_left(t, group.y * SIDE, layer.outputs4, step4, layer.outputs4);
        } else {
            let p = t % SIDE;
            let q = (t - BLOCKS) / SIDE;
            var m = mat4x4<f32>();
            if step4 + q < layer.outputs4 { m = weight(step4 + q, layer.first + group.x * SIDE + p); }
            put_b(p, q, m);
        }
    }
}

// Rows r … stop - 1, DEEP at most.
fn load_rows(layer: Dims, group: vec3<u32>, r: u32, stop: u32, index: u32) {
    for (var t = index; t < 2u * BLOCKS; t += WIDE * WIDE) {
        let p = t % SIDE;
        let q = t % BLOCKS / SIDE;
        let row = r + 4u * q;
        let there = vec4(row) + vec4(0u, 1u, 2u, 3u) < vec4(stop);
        if t < BLOCKS {
            let at = row * layer.outputs4 + layer.first + group.y * SIDE + p;
            put_a(p, q, mat4x4(
                select(NOTHING, left[at], there.x),
                select(NOTHING, left[at + layer.outputs4], there.y),
                select(NOTHING, left[at + 2u * layer.outputs4], there.z),
                select(NOTHING, left[at + 3u * layer.outputs4], there.w),
            ));
        } else {
            let at = row * layer.x_stride4 + group.x * SIDE + p;
            put_b(p, q, mat4x4(
                select(vec4(0.0), x[at], there.x),
                select(vec4(0.0), x[at + layer.x_stride4], there.y),
                select(vec4(0.0), x[at + 2u * layer.x_stride4], there.z),
                select(vec4(0.0), x[at + 3u * layer.x_stride4], there.w),
            ));
        }
    }
}

// 4 × 4 elements, or those beside, below, and both.
alias Quads = array<mat4x4<f32>, 4>;

// One step of the sums.
fn step_of(c: ptr<function, Quads>, k: u32, at: vec3<u32>) {
    let a = a_tile[k * STRIDE + at.y];
    let b = b_tile[k * STRIDE + at.x];
    (*c)[0] = outer((*c)[0], a, b);
    if QUADS == 1u { return; }
    let a1 = a_tile[k * STRIDE + WIDE + at.y];
    let b1 = b_tile[k * STRIDE + WIDE + at.x];
    (*c)[1] = outer((*c)[1], a, b1);
    (*c)[2] = outer((*c)[2], a1, b);
    (*c)[3] = outer((*c)[3], a1, b1);
}

fn steps_of(c: ptr<function, Quads>, at: vec3<u32>) {
    for (var k = 0u; k < DEEP; k += 4u) {
        step_of(c, k, at);
        step_of(c, k + 1u, at);
        step_of(c, k + 2u, at);
        step_of(c, k + 3u, at);
    }
}

fn put_ys(r: u32, o: u32, m: mat4x4<f32>) {
    put_y(r, o, m[0]);
    put_y(r + 1u, o, m[1]);
    put_y(r + 2u, o, m[2]);
    put_y(r + 3u, o, m[3]);
}

fn put_dxs(r: u32, i: u32, m: mat4x4<f32>) {
    put_dx(r, i, m[0]);
    put_dx(r + 1u, i, m[1]);
    put_dx(r + 2u, i, m[2]);
    put_dx(r + 3u, i, m[3]);
}

@compute @workgroup_size(WIDE, WIDE)
fn forward(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) at: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    now = clock[group.z];
    size = dims[group.z];
    let layer = dims[group.z];
    let o = layer.first + group.x * SIDE + at.x;
    let r = 4u * (group.y * SIDE + at.y);
    let v = start_of(o);
    let v1 = start_of(o + WIDE);
    var c = Quads(mat4x4(v, v, v, v), mat4x4(v1, v1, v1, v1), mat4x4(v, v, v, v), mat4x4(v1, v1, v1, v1));
    for (var i = 0u; i < layer.inputs4; i += DEEP4) {
        load_forward(layer, group, i, index);
        workgroupBarrier();
        steps_of(&c, at);
        workgroupBarrier();
    }
    put_ys(r, o, c[0]);
    if QUADS == 1u { return; }
    put_ys(r, o + WIDE, c[1]);
    put_ys(r + 4u * WIDE, o, c[2]);
    put_ys(r + 4u * WIDE, o + WIDE, c[3]);
}

@compute @workgroup_size(WIDE, WIDE)
fn backward_input(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) at: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    now = clock[group.z];
    size = dims[group.z];
    let layer = dims[group.z];
    let i = layer.first + group.x * SIDE + at.x;
    let r = 4u * (group.y * SIDE + at.y);
    var c = Quads();
    for (var o = 0u; o < layer.outputs4; o += DEEP4) {
        load_backward(layer, group, o, index);
        workgroupBarrier();
        steps_of(&c, at);
        workgroupBarrier();
    }
    put_dxs(r, i, c[0]);
    if QUADS == 1u { return; }
    put_dxs(r, i + WIDE, c[1]);
    put_dxs(r + 4u * WIDE, i, c[2]);
    put_dxs(r + 4u * WIDE, i + WIDE, c[3]);
}
