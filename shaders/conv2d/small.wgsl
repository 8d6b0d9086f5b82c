// One invocation computes one vec4 of channels of four lines, without workgroup memory.
// Constants in front of this file set the workgroup's size. Groups begin at multiples of four channels.

fn left_of(source: Source, stride: u32, c: u32) -> vec4<f32> {
    return select(vec4(0.0), left[source.at * stride + c], source.there);
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
    for (var v = 0u; v < layer.high; v++) {
        let rows = array<Row, 4>(row_of_y(p[0], v), row_of_y(p[1], v), row_of_y(p[2], v), row_of_y(p[3], v));
        for (var i = 0u; i < layer.group4; i++) {
            for (var u = 0u; u < layer.wide; u++) {
                let w = transpose(weight(o, (v * layer.wide + u) * layer.group4 + i));
                c[0] = chain(w, left_of(source_of_y(rows[0], p[0], u), layer.x4, begin + i), c[0]);
                c[1] = chain(w, left_of(source_of_y(rows[1], p[1], u), layer.x4, begin + i), c[1]);
                c[2] = chain(w, left_of(source_of_y(rows[2], p[2], u), layer.x4, begin + i), c[2]);
                c[3] = chain(w, left_of(source_of_y(rows[3], p[3], u), layer.x4, begin + i), c[3]);
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
    let i = (layer.first + id.x) % layer.x4;
    let n = (layer.first + id.x) / layer.x4;
    let l = 4u * id.y;
    if n >= phases() || l >= lines(now) { return; }
    let phase = phase_of(dims[id.z], n);
    let steps = layer.outputs_of_group / 4u + select(0u, 1u, layer.outputs_of_group % 4u != 0u);
    let begin = i / layer.group4 * steps;
    let p = array<vec3<u32>, 4>(pixel_in(phase, l), pixel_in(phase, l + 1u), pixel_in(phase, l + 2u), pixel_in(phase, l + 3u));
    var c = mat4x4<f32>();
    for (var v = phase.v; v < layer.high; v += LEAP_H) {
        let rows = array<Row, 4>(row_of_x(p[0], v), row_of_x(p[1], v), row_of_x(p[2], v), row_of_x(p[3], v));
        for (var o = begin; o < begin + steps; o++) {
            for (var u = phase.u; u < layer.wide; u += LEAP_W) {
                let w = weight(o, (v * layer.wide + u) * layer.group4 + i % layer.group4);
                c[0] = chain(w, left_of(source_of_x(rows[0], p[0], u), layer.outputs4, o), c[0]);
                c[1] = chain(w, left_of(source_of_x(rows[1], p[1], u), layer.outputs4, o), c[1]);
                c[2] = chain(w, left_of(source_of_x(rows[2], p[2], u), layer.outputs4, o), c[2]);
                c[3] = chain(w, left_of(source_of_x(rows[3], p[3], u), layer.outputs4, o), c[3]);
            }
        }
    }
    put_dx(line_in_x(phase, l), i, c[0]);
    put_dx(line_in_x(phase, l + 1u), i, c[1]);
    put_dx(line_in_x(phase, l + 2u), i, c[2]);
    put_dx(line_in_x(phase, l + 3u), i, c[3]);
}
