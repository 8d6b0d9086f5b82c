// What a window keeps besides the gradients, and how it ends.
//
//   sum     stats.sum (+)= Σ_l (weight(l) · row_loss[l], weight(l))      l in blocks, ascending
//   fold    adds the gradients of a later use of parameters to those of the first
//   close   adds the open block to the gradients and to stats, when a window ends before anyone knew that it would
//   check   looks whether all gradients are finite, each invocation at a few of them

struct Dims {
    @align(16) record_stride: u32,  // from one record to the next, in floats
    weight_at: u32,      // where a record's weights are: one, or one for each position
    weights: u32,
    first: u32,          // the vec4 with which closing or checking begins
    apart: u32,          // from one vec4 that an invocation checks to the next
    into: u32,           // the vec4 of the gradients to which those of a later use are added
    later: u32,          // where those begin
    len: u32,            // and how many they are
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> row_loss: array<f32>;                 // (rows)
@group(0) @binding(3) var<storage, read> record: array<f32>;                   // (rows, inputs | target | weights)
@group(0) @binding(4) var<storage, read_write> stats: Stats;
@group(0) @binding(5) var<storage, read_write> gradients: array<vec4<f32>>;    // (parameters)
@group(0) @binding(6) var<storage, read> open_gradients: array<vec4<f32>>;     // (parameters)

fn settle() { workgroupBarrier(); }

fn line_term(l: u32) -> vec2<f32> {
    let position = select(0u, l % POSITIONS, size.weights > 1u);
    return vec2(row_loss[l], record[l / POSITIONS * size.record_stride + size.weight_at + position]);
}

@compute @workgroup_size(PIECES)
fn sum(@builtin(local_invocation_index) index: u32, @builtin(workgroup_id) group: vec3<u32>) {
    now = clock[group.z];
    size = dims[group.z];
    sum_rows(clock[group.z], index, PIECES);
}

@compute @workgroup_size(64)
fn close(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let at = dims[id.z].first + id.x + id.y * groups.x * 64u;
    if at == 0u { stats.sum += stats.open_sum; }
    if at < min(arrayLength(&gradients), arrayLength(&open_gradients)) { gradients[at] += open_gradients[at]; }
}

@compute @workgroup_size(64)
fn fold(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    size = dims[id.z];
    let at = size.first + id.x + id.y * groups.x * 64u;
    if at < size.len { gradients[size.into + at] += gradients[size.later + at]; }
}

@compute @workgroup_size(1)
fn mark() { stats.marks += 1u; }

@compute @workgroup_size(64)
fn check(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    size = dims[id.z];
    var most = vec4(0u);
    for (var at = size.first + id.x + id.y * groups.x * 64u; at < arrayLength(&gradients); at += size.apart) {
        most = max(most, size4(gradients[at]));
    }
    if !finite4(most) { atomicStore(&stats.unfit, 1u); }
}
