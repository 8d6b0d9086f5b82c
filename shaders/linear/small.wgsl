// One invocation computes a tile of 4 × 4 elements without workgroup memory. Constants in front of this file set the
// workgroup's size.

@compute @workgroup_size(WIDE, HIGH)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.x;
    let r = 4u * id.y;
    if o >= size.outputs4 || r >= lines(now) { return; }
    let start = start_of(o);
    var c0 = start;
    var c1 = start;
    var c2 = start;
    var c3 = start;
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

@compute @workgroup_size(WIDE, HIGH)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let i = size.first + id.x;
    let r = 4u * id.y;
    if i >= size.inputs4 || r >= lines(now) { return; }
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
    var total = total_of(o, i);
    let part = part_of(o, i);
    var p0 = part[0];
    var p1 = part[1];
    var p2 = part[2];
    var p3 = part[3];
    var r = 0u;
    while r < lines(now) {
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
    put_gradient(o, i, total, mat4x4(p0, p1, p2, p3));
}

// One more column of invocations than the weight has: the bias.
@compute @workgroup_size(WIDE, HIGH)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.y;
    if o >= size.outputs4 { return; }
    if id.x < size.inputs4 { weight_gradient(o, id.x); }
    if id.x == size.inputs4 { bias_gradient(o); }
}
