// A tile of gradients: 16 outputs × LANES vec4 of inputs, each loaded x serves all of them; or LANES vec4 of a bias.

alias Sixteen = array<mat4x4<f32>, 4>;

fn weight_tile(layer: Layer, moment: Clock, o0: u32, column: u32) {
    let i = min(column, layer.inputs4 - 1u);
    let o = min(vec4(o0) + vec4(0u, 1u, 2u, 3u), vec4(layer.outputs4 - 1u));
    let at = vec4(layer.parameters_at + i) + 4u * o * layer.inputs4;
    var total = Sixteen();
    if moment.first == 0u {
        total = Sixteen(
            total_of(at.x, layer.inputs4), total_of(at.y, layer.inputs4),
            total_of(at.z, layer.inputs4), total_of(at.w, layer.inputs4),
        );
    }
    var part = Sixteen();
    if resumes(moment) {
        part = Sixteen(
            open_of(at.x, layer.inputs4), open_of(at.y, layer.inputs4),
            open_of(at.z, layer.inputs4), open_of(at.w, layer.inputs4),
        );
    }
    var r = 0u;
    while r < moment.rows {
        let stop = block_stop(moment, r);
        for (; r + 8u <= stop; r += 8u) {
            let x_at = layer.x_at + r * layer.inputs4 + i;
            let x = eight_rows(x_at, layer.inputs4);
            let d_at = layer.d_at + r * layer.outputs4;
            part[0] = outers(part[0], d_at + o.x, layer.outputs4, x);
            part[1] = outers(part[1], d_at + o.y, layer.outputs4, x);
            part[2] = outers(part[2], d_at + o.z, layer.outputs4, x);
            part[3] = outers(part[3], d_at + o.w, layer.outputs4, x);
        }
        for (; r < stop; r++) {
            let x = arena[layer.x_at + r * layer.inputs4 + i];
            let d_at = layer.d_at + r * layer.outputs4;
            part[0] = outer(part[0], arena[d_at + o.x], x);
            part[1] = outer(part[1], arena[d_at + o.y], x);
            part[2] = outer(part[2], arena[d_at + o.z], x);
            part[3] = outer(part[3], arena[d_at + o.w], x);
        }
        if closed(moment, r) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            part = Sixteen();
        }
    }
    put_gradient(layer, moment, o0, column, total[0], part[0]);
    put_gradient(layer, moment, o0 + 1u, column, total[1], part[1]);
    put_gradient(layer, moment, o0 + 2u, column, total[2], part[2]);
    put_gradient(layer, moment, o0 + 3u, column, total[3], part[3]);
}

fn bias_tile(layer: Layer, moment: Clock, o: u32) {
    if o >= layer.outputs4 { return; }
    let at = layer.parameters_at + 4u * layer.outputs4 * layer.inputs4 + o;
    var total = vec4(0.0);
    if moment.first == 0u { total = gradients[at]; }
    var part = vec4(0.0);
    if resumes(moment) { part = open_gradients[at]; }
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
    if leaves_open(moment) { open_gradients[at] = part; }
}

fn gradient_tile(net: Dims, moment: Clock, tile: u32) {
    let layer = layer_of(net, tile);
    let t = tile - layer.tile_at;
    let wide = (layer.inputs4 + LANES - 1u) / LANES;
    if t < layer.tiles { weight_tile(layer, moment, 4u * (t / wide), t % wide * LANES + lane); }
    if t >= layer.tiles { bias_tile(layer, moment, (t - layer.tiles) * LANES + lane); }
}
