// The gradients of all layers, and the window's loss:
//
//   dweight[o,i]  (+)= Σ_r d[r,o] · x[r,i]                             r in blocks, ascending
//   dbias[o]      (+)= Σ_r d[r,o]
//   stats.sum     (+)= Σ_r (weight[r] · row_loss[r], weight[r])
//
// A tile is 16 outputs × LANES vec4 of inputs, or LANES vec4 of a bias. After them comes the loss.

alias Outer = array<mat4x4<f32>, 4>;
alias Eight = array<vec4<f32>, 8>;

// Adds the outer product of one row with four outputs.
fn outer(p: ptr<function, Outer>, q: u32, d: vec4<f32>, x: vec4<f32>) {
    (*p)[q][0] = fma(vec4(d.x), x, (*p)[q][0]);
    (*p)[q][1] = fma(vec4(d.y), x, (*p)[q][1]);
    (*p)[q][2] = fma(vec4(d.z), x, (*p)[q][2]);
    (*p)[q][3] = fma(vec4(d.w), x, (*p)[q][3]);
}

// Those of eight rows, one after the other.
fn outers(p: ptr<function, Outer>, q: u32, at: u32, stride: u32, x: Eight) {
    let d = mine(at, stride);
    outer(p, q, row(d, 0u, at, stride), x[0]);
    outer(p, q, row(d, 1u, at, stride), x[1]);
    outer(p, q, row(d, 2u, at, stride), x[2]);
    outer(p, q, row(d, 3u, at, stride), x[3]);
    outer(p, q, row(d, 4u, at, stride), x[4]);
    outer(p, q, row(d, 5u, at, stride), x[5]);
    outer(p, q, row(d, 6u, at, stride), x[6]);
    outer(p, q, row(d, 7u, at, stride), x[7]);
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

fn weight_tile(layer: Layer, moment: Clock, o0: u32, column: u32) {
    let i = min(column, layer.inputs4 - 1u);
    let o = min(vec4(o0) + vec4(0u, 1u, 2u, 3u), vec4(layer.outputs4 - 1u));
    let at = vec4(layer.parameters_at + i) + 4u * o * layer.inputs4;
    var total = Outer();
    if moment.first == 0u {
        total = Outer(
            total_of(at.x, layer.inputs4), total_of(at.y, layer.inputs4),
            total_of(at.z, layer.inputs4), total_of(at.w, layer.inputs4),
        );
    }
    var part = Outer();
    if moment.row0 % BLOCK != 0u {
        part = Outer(
            open_of(at.x, layer.inputs4), open_of(at.y, layer.inputs4),
            open_of(at.z, layer.inputs4), open_of(at.w, layer.inputs4),
        );
    }
    var r = 0u;
    while r < moment.rows {
        let stop = block_stop(moment, r);
        for (; r + 8u <= stop; r += 8u) {
            let x_at = layer.x_at + r * layer.inputs4 + i;
            let x = Eight(
                arena[x_at], arena[x_at + layer.inputs4],
                arena[x_at + 2u * layer.inputs4], arena[x_at + 3u * layer.inputs4],
                arena[x_at + 4u * layer.inputs4], arena[x_at + 5u * layer.inputs4],
                arena[x_at + 6u * layer.inputs4], arena[x_at + 7u * layer.inputs4],
            );
            let d_at = layer.d_at + r * layer.outputs4;
            outers(&part, 0u, d_at + o.x, layer.outputs4, x);
            outers(&part, 1u, d_at + o.y, layer.outputs4, x);
            outers(&part, 2u, d_at + o.z, layer.outputs4, x);
            outers(&part, 3u, d_at + o.w, layer.outputs4, x);
        }
        for (; r < stop; r++) {
            let x = arena[layer.x_at + r * layer.inputs4 + i];
            let d_at = layer.d_at + r * layer.outputs4;
            outer(&part, 0u, arena[d_at + o.x], x);
            outer(&part, 1u, arena[d_at + o.y], x);
            outer(&part, 2u, arena[d_at + o.z], x);
            outer(&part, 3u, arena[d_at + o.w], x);
        }
        if closed(moment, r) {
            total[0] += part[0];
            total[1] += part[1];
            total[2] += part[2];
            total[3] += part[3];
            part = Outer();
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
    if t < layer.tiles { weight_tile(layer, moment, t / wide * 4u, t % wide * LANES + lane); }
    if t >= layer.tiles { bias_tile(layer, moment, (t - layer.tiles) * LANES + lane); }
}

fn row_term(r: u32) -> vec2<f32> { return arena[size.rows_at + r].xy; }
