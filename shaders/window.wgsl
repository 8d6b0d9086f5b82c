// What a window keeps beside the gradients, and how it ends.
//
//   sum     stats.sum (+)= Σ_r (weight[r] · row_loss[r], weight[r])      r in blocks, ascending
//   close   adds the open block to the gradients and to stats, when a window ends before anyone knew that it would

struct Dims {
    @align(16) record_stride: u32,  // from one record to the next, in floats
    weight_at: u32,      // where a record's weight is
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> row_loss: array<f32>;                 // (rows)
@group(0) @binding(3) var<storage, read> record: array<f32>;                   // (rows, features | target | weight)
@group(0) @binding(4) var<storage, read_write> stats: Stats;
@group(0) @binding(5) var<storage, read_write> gradients: array<vec4<f32>>;    // (parameters)
@group(0) @binding(6) var<storage, read> open_gradients: array<vec4<f32>>;     // (parameters)

const PIECES: u32 = 64u;
var<workgroup> pieces: array<vec2<f32>, PIECES>;

// The part of block k of this micro-batch, going on where the last micro-batch left it open.
fn piece(k: u32) -> vec2<f32> {
    let start = now.row0 / BLOCK * BLOCK + k * BLOCK;
    let lo = max(start, now.row0) - now.row0;
    let hi = min(start + BLOCK - now.row0, now.rows);
    var part = vec2(0.0);
    if start < now.row0 { part = stats.open_sum; }
    for (var r = lo; r < hi; r++) {
        let weight = record[r * size.record_stride + size.weight_at];
        if weight != 0.0 { part = vec2(fma(weight, row_loss[r], part.x), part.y + weight); }
    }
    return part;
}

@compute @workgroup_size(PIECES)
fn sum(@builtin(local_invocation_index) lane: u32, @builtin(workgroup_id) group: vec3<u32>) {
    let moment = clock[group.z];
    now = moment;
    size = dims[group.z];
    let blocks = (moment.row0 % BLOCK + moment.rows + BLOCK - 1u) / BLOCK;
    var total = stats.sum;
    if now.first == 1u {
        // What stands there is the last window's sum. Its update has been made since, or left out, or never asked for.
        if lane == 0u {
            stats.made += stats.due;
            stats.due = 0u;
            let broken = stats.stopped == 1u || !finite(total.x) || !finite(total.y);
            stats.stopped = select(0u, 1u, now.hold == 1u && broken);
        }
        total = vec2(0.0);
    }
    for (var base = 0u; base < blocks; base += PIECES) {
        if base + lane < blocks { pieces[lane] = piece(base + lane); }
        workgroupBarrier();
        if lane == 0u {
            for (var k = base; k < min(blocks, base + PIECES); k++) {
                let stop = min(now.row0 / BLOCK * BLOCK + (k + 1u) * BLOCK - now.row0, now.rows);
                if closed(stop) { total += pieces[k - base]; } else { stats.open_sum = pieces[k - base]; }
            }
        }
        workgroupBarrier();
    }
    if lane == 0u { stats.sum = total; }
}

@compute @workgroup_size(64)
fn close(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = id.x + id.y * groups.x * 64u;
    if at == 0u { stats.sum += stats.open_sum; }
    if at < arrayLength(&gradients) { gradients[at] += open_gradients[at]; }
}
