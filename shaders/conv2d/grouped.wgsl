// Groups that do not begin at multiples of four channels: each invocation computes one vec4 of channels of a line, channel by
// channel, or 1 output × one vec4 of its weights.

fn left_channel(source: Source, stride: u32, c: u32) -> f32 {
    return select(0.0, left[source.pixel * stride + c / 4u][c % 4u], source.there);
}

fn made_y(p: vec3<u32>, o: u32, start: f32) -> f32 {
    let begin = o / size.outputs_of_group * size.group;
    var c = start;
    for (var v = 0u; v < size.high; v++) {
        for (var u = 0u; u < size.wide; u++) {
            let s = source_of_y(p, v, u);
            let at = o * size.inputs4 + (v * size.wide + u) * size.group4;
            for (var i = 0u; i < size.group; i++) {
                c = fma(parameters[at + i / 4u][i % 4u], left_channel(s, size.x4, begin + i), c);
            }
        }
    }
    return c;
}

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.x;
    if o >= size.outputs4 || id.y >= lines(now) { return; }
    let p = pixel_of(id.y);
    let start = start_of(o);
    var c = vec4(0.0);
    for (var k = 0u; k < min(4u, size.outputs - 4u * o); k++) { c[k] = made_y(p, 4u * o + k, start[k]); }
    put_y(id.y, o, c);
}

fn made_dx(p: vec3<u32>, i: u32) -> f32 {
    let begin = i / size.group * size.outputs_of_group;
    let place = i % size.group;
    var c = 0.0;
    for (var v = 0u; v < size.high; v++) {
        for (var u = 0u; u < size.wide; u++) {
            let s = source_of_x(p, v, u);
            let at = (v * size.wide + u) * size.group4 + place / 4u;
            for (var o = begin; o < begin + size.outputs_of_group; o++) {
                c = fma(parameters[o * size.inputs4 + at][place % 4u], left_channel(s, size.outputs4, o), c);
            }
        }
    }
    return c;
}

@compute @workgroup_size(8, 8)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let i = size.first + id.x;
    if i >= size.x4 || id.y >= lines(now) { return; }
    let p = pixel_of(id.y);
    var c = vec4(0.0);
    for (var k = 0u; k < min(4u, size.inputs - 4u * i); k++) { c[k] = made_dx(p, 4u * i + k); }
    put_dx(id.y, i, c);
}

// Four channels of x from one on, as far as the group goes.
fn x_channels(source: Source, begin: u32, place: u32) -> vec4<f32> {
    var four = vec4(0.0);
    if !source.there { return four; }
    for (var k = 0u; k < min(4u, size.group - place); k++) {
        let c = begin + place + k;
        four[k] = x[source.pixel * size.x4 + c / 4u][c % 4u];
    }
    return four;
}

@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.y;
    if BIAS && id.x == size.inputs4 && o % 4u == 0u && o < size.outputs { bias_gradient(o / 4u); }
    if id.x >= size.inputs4 || o >= 4u * size.outputs4 { return; }
    let tap = id.x / size.group4;
    let place = 4u * (id.x % size.group4);
    let begin = o / size.outputs_of_group * size.group;
    let at = o * size.inputs4 + id.x;
    var total = vec4(0.0);
    if now.first == 0u { total = dparameters[at]; }
    var part = vec4(0.0);
    if resumes(now) { part = open_parameters[at]; }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        for (; l < stop; l++) {
            let source = source_of_y(pixel_of(l), tap / size.wide, tap % size.wide);
            let d = left[l * size.outputs4 + o / 4u][o % 4u];
            part = fma(vec4(d), x_channels(source, begin, place), part);
        }
        if closed(now, l) {
            total += part;
            part = vec4(0.0);
        }
    }
    dparameters[at] = select(vec4(0.0), total, kept(id.x) & vec4(o < size.outputs));
    if leaves_open(now) { open_parameters[at] = part; }
}
