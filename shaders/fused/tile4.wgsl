// dweight[o,i] (+)= Σ_r d[r,o] · x[r,i] for four outputs at a time: little to compile, for networks that train in a moment.
const OUTPUTS: u32 = 1u;

fn weight_tile(layer: Layer, moment: Clock, o: u32, column: u32) {
    let i = min(column, layer.inputs4 - 1u);
    let at = layer.parameters_at + 4u * o * layer.inputs4 + i;
    var total = mat4x4<f32>();
    if moment.first == 0u { total = total_of(at, layer.inputs4); }
    var part = mat4x4<f32>();
    if moment.row0 % BLOCK != 0u { part = open_of(at, layer.inputs4); }
    var r = 0u;
    while r < moment.rows {
        let stop = block_stop(moment, r);
        for (; r + 8u <= stop; r += 8u) {
            let x = eight_rows(layer.x_at + r * layer.inputs4 + i, layer.inputs4);
            part = outers(part, layer.d_at + r * layer.outputs4 + o, layer.outputs4, x);
        }
        for (; r < stop; r++) {
            part = outer(part, arena[layer.d_at + r * layer.outputs4 + o], arena[layer.x_at + r * layer.inputs4 + i]);
        }
        if closed(moment, r) {
            total += part;
            part = mat4x4<f32>();
        }
    }
    put_gradient(layer, moment, o, column, total, part);
}
