// All computations on rows; one workgroup takes a tile of rows from beginning to end:
//
//   x      = data[samples[index0 + r]]
//   y      = f(bias[o] + Σ_i x[r,i] · weight[o,i])          layer after layer, i ascending
//   d      = weight[r] · dloss(y)
//   d      = df(saved, Σ_o d[r,o] · weight[o,i])            layer after layer, back to the first; o ascending

// A sample's record, in vec4. Rows of a tile that are past the micro-batch's end repeat its last one.
fn record_at(net: Dims, moment: Clock, r: u32) -> u32 {
    let inside = min(r, moment.rows - 1u);
    return select(inside, samples[moment.index0 + inside], moment.gather == 1u) * net.record_stride4;
}

fn gather(net: Dims, moment: Clock, r0: u32) {
    for (var m = lane; m < TILE; m += LANES) {
        let from_ = record_at(net, moment, r0 + m);
        let to_ = layers[0].x_at + (r0 + m) * net.features4;
        for (var i = 0u; i < net.features4; i++) { arena[to_ + i] = data[from_ + i]; }
    }
}

fn put_y(layer: Layer, r: u32, o: u32, c: vec4<f32>) {
    let at = r * layer.outputs4 + o;
    let keep = real(o, layer.outputs);
    if KEEPS_INPUT { arena[layer.d_at + at] = select(vec4(0.0), c, keep); }
    arena[layer.y_at + at] = select(vec4(0.0), select(c, f(c), layer.activated == 1u), keep);
}

// TILE rows × four columns per invocation.
fn forward_tile(layer: Layer, r: u32, column: u32) {
    let o = min(column, layer.outputs4 - 1u);
    let w_at = layer.parameters_at + 4u * o * layer.inputs4;
    let bias = parameters[layer.parameters_at + 4u * layer.outputs4 * layer.inputs4 + o];
    var c = Rows(bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias, bias);
    let x_at = layer.x_at + r * layer.inputs4;
    for (var i = 0u; i < layer.inputs4; i++) {
        let w = transpose(mat4x4(
            parameters[w_at + i], parameters[w_at + layer.inputs4 + i],
            parameters[w_at + 2u * layer.inputs4 + i], parameters[w_at + 3u * layer.inputs4 + i],
        ));
        chains(&c, w, x_at + i, layer.inputs4);
    }
    if column >= layer.outputs4 { return; }
    put_y(layer, r, o, c[0]);
    put_y(layer, r + 1u, o, c[1]);
    put_y(layer, r + 2u, o, c[2]);
    put_y(layer, r + 3u, o, c[3]);
    put_y(layer, r + 4u, o, c[4]);
    put_y(layer, r + 5u, o, c[5]);
    put_y(layer, r + 6u, o, c[6]);
    put_y(layer, r + 7u, o, c[7]);
    if TILE == 8u { return; }
    put_y(layer, r + 8u, o, c[8]);
    put_y(layer, r + 9u, o, c[9]);
    put_y(layer, r + 10u, o, c[10]);
    put_y(layer, r + 11u, o, c[11]);
    put_y(layer, r + 12u, o, c[12]);
    put_y(layer, r + 13u, o, c[13]);
    put_y(layer, r + 14u, o, c[14]);
    put_y(layer, r + 15u, o, c[15]);
}

fn forward_rows(net: Dims, moment: Clock, r0: u32) {
    gather(net, moment, r0);
    for (var l = 0u; l < net.layers; l++) {
        settle();
        let layer = layers[l];
        for (var o = 0u; o < layer.outputs4; o += LANES) { forward_tile(layer, r0, o + lane); }
    }
    settle();
}

fn y_value(r: u32, c: u32) -> f32 { return arena[size.y_at + r * size.y_stride4 + c / 4u][c % 4u]; }

fn record_value(r: u32, at: u32) -> f32 {
    return data[record_at(size, now, r) + at / 4u][at % 4u];
}

fn target_value(r: u32, c: u32) -> f32 { return record_value(r, size.target_at + c); }

// The loss of a row and the gradient of its outputs. A row of weight 0 has no gradient, whatever its values are.
fn loss_row(r: u32) {
    let p = prepare(r);
    let weight = record_value(r, size.weight_at);
    arena[size.rows_at + r] = vec4(loss_of(r, p), weight, 0.0, 0.0);
    for (var c4 = 0u; c4 < size.y_stride4; c4++) {
        var d = vec4(0.0);
        for (var k = 0u; k < 4u; k++) {
            if 4u * c4 + k < size.columns && weight != 0.0 {
                d = select(d, vec4(weight * dloss_of(r, 4u * c4 + k, p)), vec4(0u, 1u, 2u, 3u) == vec4(k));
            }
        }
        arena[size.d_at + r * size.y_stride4 + c4] = d;
    }
}

// The gradient of a layer's input, through the activation of the layer below.
fn put_d(layer: Layer, below: Layer, r: u32, i: u32, c: vec4<f32>) {
    let at = r * layer.inputs4 + i;
    var saved = vec4(0.0);
    if KEEPS_INPUT { saved = arena[below.d_at + at]; } else { saved = arena[below.y_at + at]; }
    let d = select(c, df(saved, c), below.activated == 1u);
    arena[below.d_at + at] = select(vec4(0.0), d, real(i, layer.inputs));
}

fn backward_tile(layer: Layer, below: Layer, r: u32, column: u32) {
    let i = min(column, layer.inputs4 - 1u);
    let zero = vec4(0.0);
    var c = Rows(zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero, zero);
    let d_at = layer.d_at + r * layer.outputs4;
    for (var o = 0u; o < layer.outputs4; o++) {
        let w_at = layer.parameters_at + 4u * o * layer.inputs4 + i;
        let w = mat4x4(
            parameters[w_at], parameters[w_at + layer.inputs4],
            parameters[w_at + 2u * layer.inputs4], parameters[w_at + 3u * layer.inputs4],
        );
        chains(&c, w, d_at + o, layer.outputs4);
    }
    if column >= layer.inputs4 { return; }
    put_d(layer, below, r, i, c[0]);
    put_d(layer, below, r + 1u, i, c[1]);
    put_d(layer, below, r + 2u, i, c[2]);
    put_d(layer, below, r + 3u, i, c[3]);
    put_d(layer, below, r + 4u, i, c[4]);
    put_d(layer, below, r + 5u, i, c[5]);
    put_d(layer, below, r + 6u, i, c[6]);
    put_d(layer, below, r + 7u, i, c[7]);
    if TILE == 8u { return; }
    put_d(layer, below, r + 8u, i, c[8]);
    put_d(layer, below, r + 9u, i, c[9]);
    put_d(layer, below, r + 10u, i, c[10]);
    put_d(layer, below, r + 11u, i, c[11]);
    put_d(layer, below, r + 12u, i, c[12]);
    put_d(layer, below, r + 13u, i, c[13]);
    put_d(layer, below, r + 14u, i, c[14]);
    put_d(layer, below, r + 15u, i, c[15]);
}

fn all_rows(net: Dims, moment: Clock, r0: u32) {
    forward_rows(net, moment, r0);
    for (var m = lane; m < TILE; m += LANES) {
        if r0 + m < moment.rows { loss_row(r0 + m); }
    }
    for (var l = net.layers - 1u; l > 0u; l--) {
        settle();
        let layer = layers[l];
        let below = layers[l - 1u];
        for (var i = 0u; i < layer.inputs4; i += LANES) { backward_tile(layer, below, r0, i + lane); }
    }
}
