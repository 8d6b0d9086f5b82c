// The gradient of a weight by invocations that each compute 4 outputs × one vec4 of weights, without workgroup memory. Groups begin
// at multiples of four channels.

// Adds the outer products of lines l0 … stop - 1, of which `first` is the first one's pixel.
fn products(before: mat4x4<f32>, o: u32, j: u32, first: vec3<u32>, l0: u32, stop: u32) -> mat4x4<f32> {
    let tap = j / size.group4;
    let i = 4u * o / size.outputs_of_group * size.group4 + j % size.group4;
    var part = before;
    var p = first;
    for (var l = l0; l < stop; l++) {
        let source = source_of_y(row_of_y(p, tap / size.wide), p, tap % size.wide);
        part = outer(part, left[l * size.outputs4 + o], select(vec4(0.0), x[source.at * size.x4 + i], source.there));
        p = next(p);
    }
    return part;
}

fn weight_gradient(o: u32, j: u32) {
    var total = total_of(o, j);
    var part = part_of(o, j);
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        part = products(part, o, j, pixel_of(l), l, stop);
        l = stop;
        if closed(now, l) {
            total += part;
            part = mat4x4<f32>();
        }
    }
    put_gradient(o, j, total, part);
}

// One more column of invocations than the weight has: the bias.
@compute @workgroup_size(8, 8)
fn backward_weight(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = size.first + id.y;
    if o >= size.outputs4 { return; }
    if id.x < size.inputs4 { weight_gradient(o, id.x); }
    if BIAS && id.x == size.inputs4 { bias_gradient(o); }
}

// The same for each block of lines: the columns of all outputs, one after the other.
@compute @workgroup_size(8, 8)
fn weight_blocks(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let columns = size.inputs4 + 1u;
    let o = (size.first + id.x) / columns;
    let j = (size.first + id.x) % columns;
    if o >= size.outputs4 || id.y >= lines(now) { return; }
    if j == size.inputs4 {
        sum_of_bias(id.y, o);
        return;
    }
    let block = block_of(id.y);
    put_sums(id.y, o, j, products(mat4x4<f32>(), o, j, block.pixel, block.begin, block.end));
}
