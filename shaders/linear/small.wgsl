// One invocation makes a tile of 4 × 4 elements and needs no workgroup memory.

// Rows 4·row4 … 4·row4 + 3 of the weight at one column of vec4.
fn weight(row4: u32, column4: u32) -> mat4x4<f32> {
    let at = 4u * row4 * size.inputs4 + column4;
    return mat4x4(
        parameters[at], parameters[at + size.inputs4],
        parameters[at + 2u * size.inputs4], parameters[at + 3u * size.inputs4],
    );
}

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = id.x;
    let r = 4u * id.y;
    if o >= size.outputs4 || r >= now.rows { return; }
    let bias = parameters[4u * size.outputs4 * size.inputs4 + o];
    var c0 = bias;
    var c1 = bias;
    var c2 = bias;
    var c3 = bias;
    let at = r * size.x_stride4;
    for (var i = 0u; i < size.inputs4; i++) {
        let w = transpose(weight(o, i));
        c0 = chain(w, left[at + i], c0);
        c1 = chain(w, left[at + size.x_stride4 + i], c1);
        c2 = chain(w, left[at + 2u * size.x_stride4 + i], c2);
        c3 = chain(w, left[at + 3u * size.x_stride4 + i], c3);
    }
    put_y(r, o, c0);
    put_y(r + 1u, o, c1);
    put_y(r + 2u, o, c2);
    put_y(r + 3u, o, c3);
}

@compute @workgroup_size(8, 8)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let i = id.x;
    let r = 4u * id.y;
    if i >= size.inputs4 || r >= now.rows { return; }
    var c0 = vec4(0.0);
    var c1 = vec4(0.0);
    var c2 = vec4(0.0);
    var c3 = vec4(0.0);
    let at = r * size.outputs4;
    for (var o = 0u; o < size.outputs4; o++) {
        let w = weight(o, i);
        c0 = chain(w, left[at + o], c0);
        c1 = chain(w, left[at + size.outputs4 + o], c1);
        c2 = chain(w, left[at + 2u * size.outputs4 + o], c2);
        c3 = chain(w, left[at + 3u * size.outputs4 + o], c3);
    }
    put_dx(r, i, c0);
    put_dx(r + 1u, i, c1);
    put_dx(r + 2u, i, c2);
    put_dx(r + 3u, i, c3);
}

fn weight_gradient(o: u32, i: u32) {
    let at = (vec4(4u * o) + vec4(0u, 1u, 2u, 3u)) * size.inputs4 + i;
    var total = mat4x4<f32>();
    if now.first == 0u {
        total = mat4x4(dparameters[at.x], dparameters[at.y], dparameters[at.z], dparameters[at.w]);
    }
    var part = mat4x4<f32>();
    if now.row0 % BLOCK != 0u {
        part = mat4x4(open_parameters[at.x], open_parameters[at.y], open_parameters[at.z], open_parameters[at.w]);
    }
    var p0 = part[0];
    var p1 = part[1];
    var p2 = part[2];
    var p3 = part[3];
    var r = 0u;
    while r < now.rows {
        let stop = block_stop(now, r);
        for (; r < stop; r++) {
            let d = left[r * size.outputs4 + o];
            let v = x[r * size.x_stride4 + i];
            p0 = fma(vec4(d.x), v, p0);
            p1 = fma(vec4(d.y), v, p1);
            p2 = fma(vec4(d.z), v, p2);
            p3 = fma(vec4(d.w), v, p3);
        }
        if closed(now, r) {
            total += mat4x4(p0, p1, p2, p3);
            p0 = vec4(0.0);
            p1 = vec4(0.0);
            p2 = vec4(0.0);
            p3 = vec4(0.0);
        }
    }
    let keep = real(i, size.inputs);
    let rows = real(o, size.outputs);
    dparameters[at.x] = select(vec4(0.0), total[0], keep & vec4(rows.x));
    dparameters[at.y] = select(vec4(0.0), total[1], keep & vec4(rows.y));
    dparameters[at.z] = select(vec4(0.0), total[2], keep & vec4(rows.z));
    dparameters[at.w] = select(vec4(0.0), total[3], keep & vec4(rows.w));
    if !closed(now, now.rows) {
        open_parameters[at.x] = p0;
        open_parameters[at.y] = p1;
        open_parameters[at.z] = p2;
        open_parameters[at.w] = p3;
    }
}

fn bias_gradient(o: u32) {
    let at = 4u * size.outputs4 * size.inputs4 + o;
    var total = vec4(0.0);
    if now.first == 0u { total = dparameters[at]; }
    var part = vec4(0.0);
    if now.row0 % BLOCK != 0u { part = open_parameters[at]; }
    var r = 0u;
    while r < now.rows {
        let stop = block_stop(now, r);
        for (; r < stop; r++) { part += left[r * size.outputs4 + o]; }
        if closed(now, r) {
            total += part;
            part = vec4(0.0);
        }
    }
    dparameters[at] = select(vec4(0.0), total, real(o, size.outputs));
    if !closed(now, now.rows) { open_parameters[at] = part; }
}

// One column of invocations more than the weight has: the bias.
@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.y >= size.outputs4 { return; }
    if id.x < size.inputs4 { weight_gradient(id.y, id.x); }
    if id.x == size.inputs4 { bias_gradient(id.y); }
}
