// A tile of gradients for narrow layers: four outputs × four inputs per lane, inputs side by side and, as far as lanes are
// left, outputs too. The lane with a line's first inputs also computes the bias. Compiles fast.

fn outers_of(part: mat4x4<f32>, d: Eight, x: Eight) -> mat4x4<f32> {
    var p = outer(part, d[0], x[0]);
    p = outer(p, d[1], x[1]);
    p = outer(p, d[2], x[2]);
    p = outer(p, d[3], x[3]);
    p = outer(p, d[4], x[4]);
    p = outer(p, d[5], x[5]);
    p = outer(p, d[6], x[6]);
    return outer(p, d[7], x[7]);
}

fn sum_of(part: vec4<f32>, d: Eight) -> vec4<f32> {
    return part + d[0] + d[1] + d[2] + d[3] + d[4] + d[5] + d[6] + d[7];
}

fn lane_gradient(layer: Layer, moment: Clock, row: u32, column: u32) {
    let o = min(row, layer.outputs4 - 1u);
    let i = min(column, layer.inputs4 - 1u);
    let at = layer.parameters_at + 4u * o * layer.inputs4 + i;
    let bias_at = layer.parameters_at + 4u * layer.outputs4 * layer.inputs4 + o;
    var total = mat4x4<f32>();
    var bias = vec4(0.0);
    if moment.first == 0u {
        total = total_of(at, layer.inputs4);
        bias = gradients[bias_at];
    }
    var part = mat4x4<f32>();
    var bias_part = vec4(0.0);
    if resumes(moment) {
        part = open_of(at, layer.inputs4);
        bias_part = open_gradients[bias_at];
    }
    var r = 0u;
    while r < moment.rows {
        let stop = block_stop(moment, r);
        for (; r + 8u <= stop; r += 8u) {
            let d = eight_rows(layer.d_at + r * layer.outputs4 + o, layer.outputs4);
            part = outers_of(part, d, eight_rows(layer.x_at + r * layer.inputs4 + i, layer.inputs4));
            bias_part = sum_of(bias_part, d);
        }
        for (; r < stop; r++) {
            let d = arena[layer.d_at + r * layer.outputs4 + o];
            part = outer(part, d, arena[layer.x_at + r * layer.inputs4 + i]);
            bias_part += d;
        }
        if closed(moment, r) {
            total += part;
            bias += bias_part;
            part = mat4x4<f32>();
            bias_part = vec4(0.0);
        }
    }
    put_gradient(layer, moment, row, column, total, part);
    if column != 0u || row >= layer.outputs4 { return; }
    gradients[bias_at] = select(vec4(0.0), bias, real(o, layer.outputs));
    if leaves_open(moment) { open_gradients[bias_at] = bias_part; }
}

fn gradient_tile(net: Dims, moment: Clock, tile: u32) {
    let layer = layer_of(net, tile);
    let t = tile - layer.tile_at;
    let wide = (layer.inputs4 + layer.across - 1u) / layer.across;
    let row = t / wide * (LANES / layer.across) + lane / layer.across;
    lane_gradient(layer, moment, row, t % wide * layer.across + lane % layer.across);
}
