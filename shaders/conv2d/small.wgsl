// One invocation computes one vec4 of channels of four lines, or 4 outputs × one vec4 of weights, without workgroup memory.
// Constants in front of this file set the workgroup's size. Groups begin at multiples of four channels.

fn left_of(source: Source, stride: u32, c: u32) -> vec4<f32> {
    return select(vec4(0.0), left[source.pixel * stride + c], source.there);
}

@compute @workgroup_size(WIDE, HIGH)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let layer = dims[id.z];
    let o = layer.first + id.x;
    let l = 4u * id.y;
    if o >= layer.outputs4 || l >= lines(now) { return; }
    let begin = 4u * o / layer.outputs_of_group * layer.group4;
    let p = array<vec3<u32>, 4>(pixel_of(l), pixel_of(l + 1u), pixel_of(l + 2u), pixel_of(l + 3u));
    let bias = start_of(o);
    var c = mat4x4(bias, bias, bias, bias);
    var j = 0u;
    for (var v = 0u; v < layer.high; v++) {
        for (var u = 0u; u < layer.wide; u++) {
            let s0 = source_of_y(p[0], v, u);
            let s1 = source_of_y(p[1], v, u);
            let s2 = source_of_y(p[2], v, u);
            let s3 = source_of_y(p[3], v, u);
            for (var i = begin; i < begin + layer.group4; i++) {
                let w = transpose(weight(o, j));
                c[0] = chain(w, left_of(s0, layer.x4, i), c[0]);
                c[1] = chain(w, left_of(s1, layer.x4, i), c[1]);
                c[2] = chain(w, left_of(s2, layer.x4, i), c[2]);
                c[3] = chain(w, left_of(s3, layer.x4, i), c[3]);
                j++;
            }
        }
    }
    put_y(l, o, c[0]);
    put_y(l + 1u, o, c[1]);
    put_y(l + 2u, o, c[2]);
    put_y(l + 3u, o, c[3]);
}

@compute @workgroup_size(WIDE, HIGH)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let layer = dims[id.z];
    let i = layer.first + id.x;
    let l = 4u * id.y;
    if i >= layer.x4 || l >= lines(now) { return; }
    let steps = layer.outputs_of_group / 4u + select(0u, 1u, layer.outputs_of_group % 4u != 0u);
    let begin = i / layer.group4 * steps;
    let p = array<vec3<u32>, 4>(pixel_of(l), pixel_of(l + 1u), pixel_of(l + 2u), pixel_of(l + 3u));
    var c = mat4x4<f32>();
    for (var v = 0u; v < layer.high; v++) {
        for (var u = 0u; u < layer.wide; u++) {
            let s0 = source_of_x(p[0], v, u);
            let s1 = source_of_x(p[1], v, u);
            let s2 = source_of_x(p[2], v, u);
            let s3 = source_of_x(p[3], v, u);
            let j = (v * layer.wide + u) * layer.group4 + i % layer.group4;
            for (var o = begin; o < begin + steps; o++) {
                let w = weight(o, j);
                c[0] = chain(w, left_of(s0, layer.outputs4, o), c[0]);
                c[1] = chain(w, left_of(s1, layer.outputs4, o), c[1]);
                c[2] = chain(w, left_of(s2, layer.outputs4, o), c[2]);
                c[3] = chain(w, left_of(s3, layer.outputs4, o), c[3]);
            }
        }
    }
    put_dx(l, i, c[0]);
    put_dx(l + 1u, i, c[1]);
    put_dx(l + 2u, i, c[2]);
    put_dx(l + 3u, i, c[3]);
}

fn weight_gradient(o: u32, j: u32) {
    let tap = j / size.group4;
    let v = tap / size.wide;
    let u = tap % size.wide;
    let i = 4u * o / size.outputs_of_group * size.group4 + j % size.group4;
    var total = total_of(o, j);
    var part = part_of(o, j);
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        for (; l < stop; l++) {
            let source = source_of_y(pixel_of(l), v, u);
            part = outer(part, left[l * size.outputs4 + o], select(vec4(0.0), x[source.pixel * size.x4 + i], source.there));
        }
        if closed(now, l) {
            total += part;
            part = mat4x4<f32>();
        }
    }
    put_gradient(o, j, total, part);
}

// One more column of invocations than the weight has: the bias.
@compute @workgroup_size(WIDE, HIGH)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.y;
    if o >= size.outputs4 { return; }
    if id.x < size.inputs4 { weight_gradient(o, id.x); }
    if BIAS && id.x == size.inputs4 { bias_gradient(o); }
}
