// The gradient of the weight by such workgroups; those at the beginning of each line compute the bias's too.

alias Pair = array<vec4<f32>, 2>;

fn add_bias(part: ptr<function, Pair>, rows: u32, at: vec3<u32>) {
    for (var k = 0u; k < rows; k++) {
        (*part)[0] += a_tile[k * STRIDE + at.y];
        if QUADS == 2u { (*part)[1] += a_tile[k * STRIDE + WIDE + at.y]; }
    }
}

@compute @workgroup_size(WIDE, WIDE)
fn backward_weight(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(local_invocation_id) at: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    let moment = clock[group.z];
    let layer = dims[group.z];
    now = moment;
    size = layer;
    let i = group.x * SIDE + at.x;
    let o = layer.first + group.y * SIDE + at.y;
    let first = group.x == 0u && at.x == 0u;
    var total = Quads(total_of(o, i), total_of(o, i + WIDE), total_of(o + WIDE, i), total_of(o + WIDE, i + WIDE));
    var part = Quads(part_of(o, i), part_of(o, i + WIDE), part_of(o + WIDE, i), part_of(o + WIDE, i + WIDE));
    var bias_total = Pair(total_of_bias(o), total_of_bias(o + WIDE));
    var bias_part = Pair(part_of_bias(o), part_of_bias(o + WIDE));
    var r = 0u;
    while r < lines(moment) {
        let stop = block_stop(moment, r);
        while r < stop {
            let end = min(r + DEEP, stop);
            load_rows(layer, group, r, end, index);
            workgroupBarrier();
            steps_of(&part, at);
            if first { add_bias(&bias_part, end - r, at); }
            workgroupBarrier();
            r = end;
        }
        if closed(moment, r) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            part = Quads();
            bias_total[0] += bias_part[0];
            bias_total[1] += bias_part[1];
            bias_part = Pair();
        }
    }
    put_gradient(o, i, total[0], part[0]);
    if first { put_bias(o, bias_total[0], bias_part[0]); }
    if QUADS == 1u { return; }
    put_gradient(o, i + WIDE, total[1], part[1]);
    put_gradient(o + WIDE, i, total[2], part[2]);
    put_gradient(o + WIDE, i + WIDE, total[3], part[3]);
    if first { put_bias(o + WIDE, bias_total[1], bias_part[1]); }
}
