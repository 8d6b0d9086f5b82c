// As many groups as channels, one output each: the channels of a vec4 do not mix. The weights lie as (taps, channels).

// Taps with those of the padding, which hold +0.
fn padded_taps() -> u32 { return (size.high + 3u) / 4u * 4u * size.wide; }

fn bias_at(c: u32) -> u32 { return padded_taps() * size.x4 + c; }

fn left_of(source: Source, c: u32) -> vec4<f32> {
    return select(vec4(0.0), left[source.at * size.x4 + c], source.there);
}

@compute @workgroup_size(8, 32)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.x;
    if o >= size.outputs4 || id.y >= lines(now) { return; }
    let p = pixel_of(id.y);
    var c = start_of(o);
    for (var v = 0u; v < size.high; v++) {
        let row = row_of_y(p, v);
        for (var u = 0u; u < size.wide; u++) {
            c = fma(parameters[(v * size.wide + u) * size.x4 + o], left_of(source_of_y(row, p, u), o), c);
        }
    }
    put_y(id.y, o, c);
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
    for (var v = phase.v; v < size.high; v += LEAP_H) {
        let row = row_of_x(p, v);
        for (var u = phase.u; u < size.wide; u += LEAP_W) {
            c = fma(parameters[(v * size.wide + u) * size.x4 + i], left_of(source_of_x(row, p, u), i), c);
        }
    }
    put_dx(line_in_x(phase, id.y), i, c);
}

// Adds what lines l0 … stop - 1, of which `first` is the first one's pixel, give to a tap, or to the bias behind the last tap.
fn products(before: vec4<f32>, tap: u32, c: u32, first: vec3<u32>, l0: u32, stop: u32) -> vec4<f32> {
    let is_bias = tap == padded_taps();
    var part = before;
    var p = first;
    for (var l = l0; l < stop; l++) {
        let d = left[l * size.x4 + c];
        if is_bias {
            part += d;
        } else {
            let source = source_of_y(row_of_y(p, tap / size.wide), p, tap % size.wide);
            part = fma(d, select(vec4(0.0), x[source.at * size.x4 + c], source.there), part);
        }
        p = next(p);
    }
    return part;
}

// Whether there is such a row of parameters; those of the padding hold +0.
fn is_padding(tap: u32) -> bool { return tap >= size.high * size.wide && tap < padded_taps(); }

// One more line of invocations than there are taps, padding included: the bias, which is the sum of dy.
@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    let tap = size.first + id.y;
    let at = tap * size.x4 + c;
    if c >= size.x4 || at >= parameters4() { return; }
    if is_padding(tap) {
        dparameters[at] = vec4(0.0);
        if leaves_open(now) { open_parameters[at] = vec4(0.0); }
        return;
    }
    var total = vec4(0.0);
    if now.first == 0u { total = dparameters[at]; }
    var part = vec4(0.0);
    if resumes(now) { part = open_parameters[at]; }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        part = products(part, tap, c, pixel_of(l), l, stop);
        l = stop;
        if closed(now, l) {
            total += part;
            part = vec4(0.0);
        }
    }
    dparameters[at] = total;
    if leaves_open(now) { open_parameters[at] = part; }
}

// The same for each block of lines: all channels of a tap after those of the last one.
@compute @workgroup_size(8, 8)
fn weight_blocks(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let at = size.first + id.x;
    let tap = at / size.x4;
    if at >= parameters4() || id.y >= lines(now) { return; }
    let block = block_of(id.y);
    var part = vec4(0.0);
    if !is_padding(tap) { part = products(part, tap, at % size.x4, block.pixel, block.begin, block.end); }
    sums[id.y * parameters4() + at] = part;
}
