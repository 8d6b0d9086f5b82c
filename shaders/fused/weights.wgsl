// The gradients of all layers, and the window's loss:
//
//   dweight[o,i]  (+)= Σ_r d[r,o] · x[r,i]                             r in blocks, ascending
//   dbias[o]      (+)= Σ_r d[r,o]
//   stats.sum     (+)= Σ_r (weight[r] · row_loss[r], weight[r])
//
// A tile is OUTPUTS vec4 of outputs × LANES vec4 of inputs, or LANES vec4 of a bias. After them comes the loss. The file
// that joins this one gives OUTPUTS and weight_tile.

fn eight_rows(at: u32, stride: u32) -> Eight {
    return Eight(
        arena[at], arena[at + stride], arena[at + 2u * stride], arena[at + 3u * stride],
        arena[at + 4u * stride], arena[at + 5u * stride], arena[at + 6u * stride], arena[at + 7u * stride],
    );
}

fn total_of(at: u32, stride: u32) -> mat4x4<f32> {
    return mat4x4(gradients[at], gradients[at + stride], gradients[at + 2u * stride], gradients[at + 3u * stride]);
}

fn open_of(at: u32, stride: u32) -> mat4x4<f32> {
    return mat4x4(
        open_gradients[at], open_gradients[at + stride],
        open_gradients[at + 2u * stride], open_gradients[at + 3u * stride],
    );
}

// Four outputs × four inputs.
fn put_gradient(layer: Layer, moment: Clock, o: u32, i: u32, total: mat4x4<f32>, part: mat4x4<f32>) {
    if o >= layer.outputs4 || i >= layer.inputs4 { return; }
    let at = layer.parameters_at + 4u * o * layer.inputs4 + i;
    let keep = real(i, layer.inputs);
    let rows = real(o, layer.outputs);
    gradients[at] = select(vec4(0.0), total[0], keep & vec4(rows.x));
    gradients[at + layer.inputs4] = select(vec4(0.0), total[1], keep & vec4(rows.y));
    gradients[at + 2u * layer.inputs4] = select(vec4(0.0), total[2], keep & vec4(rows.z));
    gradients[at + 3u * layer.inputs4] = select(vec4(0.0), total[3], keep & vec4(rows.w));
    if closed(moment, moment.rows) { return; }
    open_gradients[at] = part[0];
    open_gradients[at + layer.inputs4] = part[1];
    open_gradients[at + 2u * layer.inputs4] = part[2];
    open_gradients[at + 3u * layer.inputs4] = part[3];
}

fn bias_tile(layer: Layer, moment: Clock, o: u32) {
    if o >= layer.outputs4 { return; }
    let at = layer.parameters_at + 4u * layer.outputs4 * layer.inputs4 + o;
    var total = vec4(0.0);
    if moment.first == 0u { total = gradients[at]; }
    var part = vec4(0.0);
    if moment.row0 % BLOCK != 0u { part = open_gradients[at]; }
    var r = 0u;
    while r < moment.rows {
        let stop = block_stop(moment, r);
        for (; r < stop; r++) { part += arena[layer.d_at + r * layer.outputs4 + o]; }
        if closed(moment, r) {
            total += part;
            part = vec4(0.0);
        }
    }
    gradients[at] = select(vec4(0.0), total, real(o, layer.outputs));
    if !closed(moment, moment.rows) { open_gradients[at] = part; }
}

fn gradient_tile(net: Dims, moment: Clock, tile: u32) {
    var l = 0u;
    while l + 1u < net.layers && layers[l + 1u].tile_at <= tile { l++; }
    let layer = layers[l];
    let t = tile - layer.tile_at;
    let wide = (layer.inputs4 + LANES - 1u) / LANES;
    if t < layer.tiles { weight_tile(layer, moment, t / wide * OUTPUTS, t % wide * LANES + lane); }
    if t >= layer.tiles { bias_tile(layer, moment, (t - layer.tiles) * LANES + lane); }
}

fn row_term(r: u32) -> vec2<f32> { return arena[size.rows_at + r].xy; }
