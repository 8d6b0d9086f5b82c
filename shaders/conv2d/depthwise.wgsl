// As many groups as channels, one output each: the channels of a vec4 do not mix. The weights lie as (taps, channels).

// Taps with those of the padding, which hold +0.
fn padded_taps() -> u32 { return (size.high + 3u) / 4u * 4u * size.wide; }

fn bias_at(c: u32) -> u32 { return padded_taps() * size.x4 + c; }

fn left_of(source: Source, c: u32) -> vec4<f32> {
    return select(vec4(0.0), left[source.pixel * size.x4 + c], source.there);
}

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.x;
    if o >= size.outputs4 || id.y >= lines(now) { return; }
    let p = pixel_of(id.y);
    var c = start_of(o);
    for (var v = 0u; v < size.high; v++) {
        for (var u = 0u; u < size.wide; u++) {
            c = fma(parameters[(v * size.wide + u) * size.x4 + o], left_of(source_of_y(p, v, u), o), c);
        }
    }
    put_y(id.y, o, c);
}

@compute @workgroup_size(8, 8)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let i = size.first + id.x;
    if i >= size.x4 || id.y >= lines(now) { return; }
    let p = pixel_of(id.y);
    var c = vec4(0.0);
    for (var v = 0u; v < size.high; v++) {
        for (var u = 0u; u < size.wide; u++) {
            c = fma(parameters[(v * size.wide + u) * size.x4 + i], left_of(source_of_x(p, v, u), i), c);
        }
    }
    put_dx(id.y, i, c);
}

// One more line of invocations than there are taps, padding included: the bias, which is the sum of dy.
@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = id.x;
    let tap = size.first + id.y;
    let is_bias = tap == padded_taps();
    if c >= size.x4 || tap > padded_taps() || (is_bias && !BIAS) { return; }
    let at = tap * size.x4 + c;
    if tap >= size.high * size.wide && !is_bias {
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
        for (; l < stop; l++) {
            let d = left[l * size.x4 + c];
            if is_bias {
                part += d;
            } else {
                let source = source_of_y(pixel_of(l), tap / size.wide, tap % size.wide);
                part = fma(d, select(vec4(0.0), x[source.pixel * size.x4 + c], source.there), part);
            }
        }
        if closed(now, l) {
            total += part;
            part = vec4(0.0);
        }
    }
    dparameters[at] = total;
    if leaves_open(now) { open_parameters[at] = part; }
}
