// The kernels of a micro-batch: `forward` from the records to the output; `rows` on to the gradients of everything with rows;
// `weights` from there to the gradients of all parameters.

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    lane = index;
    forward_rows(dims[group.z], clock[group.z], group.y * TILE);
}

@compute @workgroup_size(LANES)
fn rows(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    all_rows(dims[group.z], clock[group.z], group.y * TILE);
}

@compute @workgroup_size(LANES)
fn weights(
    @builtin(workgroup_id) group: vec3<u32>,
    @builtin(num_workgroups) groups: vec3<u32>,
    @builtin(local_invocation_index) index: u32,
) {
    now = clock[group.z];
    size = dims[group.z];
    lane = index;
    let net = dims[group.z];
    let tile = group.x + group.y * groups.x;
    if tile < net.tiles { gradient_tile(net, clock[group.z], tile); }
    if tile == net.tiles { sum_rows(clock[group.z], index, LANES); }
}
