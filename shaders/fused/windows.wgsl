// Whole windows, as many as the host gives at once, by a single workgroup: for each item of the list, in order,
//
//   1   the rows of a micro-batch and their gradients
//   2   closes an open block
//   3   an update of all parameters, whose scalars lie in the next slot
//
// For networks so small that starting kernels would take longer than running them.

struct Slot { @size(256) clock: Clock }

@group(0) @binding(1) var<uniform> items: array<Slot, 64>;
@group(0) @binding(10) var<storage, read_write> moments: array<vec4<f32>>;    // optimizer state

fn close_at(at: u32) { gradients[at] += open_gradients[at]; }

@compute @workgroup_size(LANES)
fn windows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    size = dims[group.z];
    lane = index;
    let net = dims[group.z];
    let slots = items[group.z].clock.slots;
    let all = arrayLength(&parameters);
    for (var k = 0u; k < slots; k++) {
        let moment = items[k].clock;
        now = moment;
        // A slot that is not a micro-batch has no rows, so none of this does anything.
        for (var r0 = 0u; r0 < moment.rows; r0 += TILE) {
            all_rows(net, moment, r0);
            settle();
        }
        for (var tile = 0u; tile < net.tiles && moment.rows > 0u; tile++) { gradient_tile(net, moment, tile); }
        if moment.rows > 0u { sum_rows(moment, index, LANES); }
        settle();
        for (var at = index; at < all && moment.kind == 2u; at += LANES) { close_at(at); }
        if moment.kind == 2u && index == 0u { stats.sum += stats.open_sum; }
        if moment.kind == 3u {
            for (var at = index; at < all; at += LANES) { watch(gradients[at]); }
            settle();
            let lr = bitcast<f32>(items[k + 1u].clock.rows);
            if index == 0u { report(); }
            if outcome() == MADE {
                for (var at = index; at < all; at += LANES) {
                    given.lr = rate_of(lr, at);
                    update_at(at);
                }
            }
            k++;
        }
        settle();
    }
}
