// Groups that do not begin at multiples of four channels: each invocation computes one vec4 of channels of a line, channel by
// channel, or 1 output × one vec4 of its weights.

fn left_channel(source: Source, stride: u32, c: u32) -> f32 {
    return select(0.0, left[source.at * stride + c / 4u][c % 4u], source.there);
}

fn made_y(p: vec3<u32>, o: u32, start: f32) -> f32 {
    let begin = o / size.outputs_of_group * size.group;
    var c = start;
    for (var v = 0u; v < size.high; v++) {
        let row = row_of_y(p, v);
        for (var i = 0u; i < size.group; i += 4u) {
            for (var u = 0u; u < size.wide; u++) {
                let s = source_of_y(row, p, u);
                let w = parameters[o * size.inputs4 + (v * size.wide + u) * size.group4 + i / 4u];
                for (var k = i; k < min(i + 4u, size.group); k++) { c = fma(w[k % 4u], left_channel(s, size.x4, begin + k), c); }
            }
        }
    }
    return c;
}

@compute @workgroup_size(8, 32)
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

fn made_dx(phase: Phase, p: vec3<u32>, i: u32) -> f32 {
    let begin = i / size.group * size.outputs_of_group;
    let place = i % size.group;
    var c = 0.0;
    for (var v = phase.v; v < size.high; v += LEAP_H) {
        let row = row_of_x(p, v);
        for (var first = begin; first < begin + size.outputs_of_group; first += 4u) {
            let last = min(first + 4u, begin + size.outputs_of_group);
            for (var u = phase.u; u < size.wide; u += LEAP_W) {
                let s = source_of_x(row, p, u);
                let at = (v * size.wide + u) * size.group4 + place / 4u;
                for (var o = first; o < last; o++) {
                    c = fma(parameters[o * size.inputs4 + at][place % 4u], left_channel(s, size.outputs4, o), c);
                }
            }
        }
    }
    return c;
}

@compute @workgroup_size(8, 32)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let i = (size.first + id.x) % size.x4;
    let n = (size.first + id.x) / size.x4;
    if n >= phases() || id.y >= lines(now) { return; }
    let phase = phase_of(dims[id.z], n);
    let p = pixel_in(phase, id.y);
    var c = vec4(0.0);
    for (var k = 0u; k < min(4u, size.inputs - 4u * i); k++) { c[k] = made_dx(phase, p, 4u * i + k); }
    put_dx(line_in_x(phase, id.y), i, c);
}

// Four channels of x from one on, as far as the group goes.
fn x_channels(source: Source, begin: u32, place: u32) -> vec4<f32> {
    var four = vec4(0.0);
    if !source.there { return four; }
    for (var k = 0u; k < min(4u, size.group - place); k++) {
        let c = begin + place + k;
        four[k] = x[source.at * size.x4 + c / 4u][c % 4u];
    }
    return four;
}

// Adds what lines l0 … stop - 1, of which `first` is the first one's pixel, give to one vec4 of an output's weights.
fn products(before: vec4<f32>, o: u32, j: u32, first: vec3<u32>, l0: u32, stop: u32) -> vec4<f32> {
    let tap = j / size.group4;
    let place = 4u * (j % size.group4);
    let begin = o / size.outputs_of_group * size.group;
    var part = before;
    var p = first;
    for (var l = l0; l < stop; l++) {
        let source = source_of_y(row_of_y(p, tap / size.wide), p, tap % size.wide);
        part = fma(vec4(left[l * size.outputs4 + o / 4u][o % 4u]), x_channels(source, begin, place), part);
        p = next(p);
    }
    return part;
}

@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.y;
    if BIAS && id.x == size.inputs4 && o % 4u == 0u && o < size.outputs { bias_gradient(o / 4u); }
    if id.x >= size.inputs4 || o >= 4u * size.outputs4 { return; }
    let at = o * size.inputs4 + id.x;
    var total = vec4(0.0);
    if now.first == 0u { total = dparameters[at]; }
    var part = vec4(0.0);
    if resumes(now) { part = open_parameters[at]; }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        part = products(part, o, id.x, pixel_of(l), l, stop);
        l = stop;
        if closed(now, l) {
            total += part;
            part = vec4(0.0);
        }
    }
    dparameters[at] = select(vec4(0.0), total, kept(id.x) & vec4(o < size.outputs));
    if leaves_open(now) { open_parameters[at] = part; }
}

// The same for each block of lines: weights and bias as they lie in memory.
@compute @workgroup_size(8, 8)
fn weight_blocks(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let weights = bias_at(0u);
    let at = size.first + id.x;
    if at >= parameters4() || id.y >= lines(now) { return; }
    if at >= weights {
        sum_of_bias(id.y, at - weights);
        return;
    }
    let o = at / size.inputs4;
    let j = at % size.inputs4;
    let block = block_of(id.y);
    let part = products(vec4(0.0), o, j, block.pixel, block.begin, block.end);
    sums[id.y * parameters4() + at] = select(vec4(0.0), part, kept(j) & vec4(o < size.outputs));
}
