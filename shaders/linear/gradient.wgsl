// Where the sums of a layer's gradient continue and end: four outputs × one vec4 of inputs, or one vec4 of the bias.

// Rows 4·row4 … 4·row4 + 3 of the weight at one column of vec4.
fn weight(row4: u32, column4: u32) -> mat4x4<f32> {
    let at = 4u * row4 * size.inputs4 + column4;
    return mat4x4(
        parameters[at], parameters[at + size.inputs4],
        parameters[at + 2u * size.inputs4], parameters[at + 3u * size.inputs4],
    );
}

fn bias_at(o: u32) -> u32 { return 4u * size.outputs4 * size.inputs4 + o; }

// Where four outputs' weights of one vec4 of inputs lie.
fn places(o: u32, i: u32) -> vec4<u32> { return (vec4(4u * o) + vec4(0u, 1u, 2u, 3u)) * size.inputs4 + i; }

// The same numbers, with +0 where there is no weight.
fn padded(o: u32, i: u32, m: mat4x4<f32>) -> mat4x4<f32> {
    let keep = kept(i);
    let rows = real(o, size.outputs);
    return mat4x4(
        select(vec4(0.0), m[0], keep & vec4(rows.x)), select(vec4(0.0), m[1], keep & vec4(rows.y)),
        select(vec4(0.0), m[2], keep & vec4(rows.z)), select(vec4(0.0), m[3], keep & vec4(rows.w)),
    );
}

// The sum over the blocks before this micro-batch.
fn total_of(o: u32, i: u32) -> mat4x4<f32> {
    if now.first == 1u { return mat4x4<f32>(); }
    let at = places(o, i);
    return mat4x4(dparameters[at.x], dparameters[at.y], dparameters[at.z], dparameters[at.w]);
}

fn total_of_bias(o: u32) -> vec4<f32> {
    if !BIAS || now.first == 1u { return vec4(0.0); }
    return dparameters[bias_at(o)];
}

// The part of the block that the last micro-batch left open.
fn part_of(o: u32, i: u32) -> mat4x4<f32> {
    if !resumes(now) { return mat4x4<f32>(); }
    let at = places(o, i);
    return mat4x4(open_parameters[at.x], open_parameters[at.y], open_parameters[at.z], open_parameters[at.w]);
}

fn part_of_bias(o: u32) -> vec4<f32> {
    if !BIAS || !resumes(now) { return vec4(0.0); }
    return open_parameters[bias_at(o)];
}

fn put_gradient(o: u32, i: u32, total: mat4x4<f32>, part: mat4x4<f32>) {
    if o >= size.outputs4 || i >= size.inputs4 { return; }
    let at = places(o, i);
    let whole = padded(o, i, total);
    dparameters[at.x] = whole[0];
    dparameters[at.y] = whole[1];
    dparameters[at.z] = whole[2];
    dparameters[at.w] = whole[3];
    if !leaves_open(now) { return; }
    open_parameters[at.x] = part[0];
    open_parameters[at.y] = part[1];
    open_parameters[at.z] = part[2];
    open_parameters[at.w] = part[3];
}

fn put_bias(o: u32, total: vec4<f32>, part: vec4<f32>) {
    if !BIAS || o >= size.outputs4 { return; }
    dparameters[bias_at(o)] = select(vec4(0.0), total, real(o, size.outputs));
    if leaves_open(now) { open_parameters[bias_at(o)] = part; }
}

fn bias_gradient(o: u32) {
    if !BIAS { return; }
    var total = total_of_bias(o);
    var part = part_of_bias(o);
    var r = 0u;
    while r < lines(now) {
        let stop = block_stop(now, r);
        for (; r < stop; r++) { part += left[r * size.outputs4 + o]; }
        if closed(now, r) {
            total += part;
            part = vec4(0.0);
        }
    }
    put_bias(o, total, part);
}
