// Where the sums of a block go: four outputs × one vec4 of inputs, or one vec4 of the bias.

fn put_sums(b: u32, o: u32, j: u32, part: mat4x4<f32>) {
    if o >= size.outputs4 || j >= size.inputs4 { return; }
    let at = b * parameters4() + places(o, j);
    let whole = padded(o, j, part);
    sums[at.x] = whole[0];
    sums[at.y] = whole[1];
    sums[at.z] = whole[2];
    sums[at.w] = whole[3];
}

fn put_sum_of_bias(b: u32, o: u32, part: vec4<f32>) {
    if BIAS && o < size.outputs4 { sums[b * parameters4() + bias_at(o)] = select(vec4(0.0), part, real(o, size.outputs)); }
}

fn sum_of_bias(b: u32, o: u32) {
    let block = block_of(b);
    var part = vec4(0.0);
    for (var l = block.begin; l < block.end; l++) { part += left[l * size.outputs4 + o]; }
    put_sum_of_bias(b, o, part);
}
