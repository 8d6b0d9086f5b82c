// The gradients of all layers, and the window's loss:
//
//   dweight[o,i]  (+)= Σ_r d[r,o] · x[r,i]                             r in blocks, ascending
//   dbias[o]      (+)= Σ_r d[r,o]
//   stats.sum     (+)= Σ_r (weight[r] · row_loss[r], weight[r])
//
// The file that joins this one gives gradient_tile, which computes a tile of a layer's gradient.

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
    if !leaves_open(moment) { return; }
    open_gradients[at] = part[0];
    open_gradients[at + layer.inputs4] = part[1];
    open_gradients[at + 2u * layer.inputs4] = part[2];
    open_gradients[at + 3u * layer.inputs4] = part[3];
}

// The layer that a tile belongs to.
fn layer_of(net: Dims, tile: u32) -> Layer {
    var l = 0u;
    while l + 1u < net.layers && layers[l + 1u].tile_at <= tile { l++; }
    return layers[l];
}

fn line_term(r: u32) -> vec2<f32> { return arena[size.rows_at + r].xy; }
