// The gradient of a weight with each block of lines summed by invocations of their own, which a layer has where no block is ever
// open; `fold` adds the blocks' sums up, ascending. In these kernels a row has as many lines as blocks.

override BLOCKS: u32 = 1u;      // of a row
override PLACES: u32 = 1u;      // positions of a row of y
override LENGTH: u32 = 1u;      // lines of a block; the last one of a row may have fewer

@group(0) @binding(9) var<storage, read_write> sums: array<vec4<f32>>;     // (blocks, as parameters)

// The lines of a block, and the first one's pixel.
struct Block { begin: u32, end: u32, pixel: vec3<u32> }

fn block_of(b: u32) -> Block {
    let row = b / BLOCKS;
    let at = b % BLOCKS * LENGTH;
    return Block(row * PLACES + at, row * PLACES + min(at + LENGTH, PLACES), vec3(row, at / WIDTH, at % WIDTH));
}

// Weight and bias, in vec4.
fn parameters4() -> u32 { return bias_at(select(0u, size.outputs4, BIAS)); }

@compute @workgroup_size(64)
fn fold(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let at = id.y * groups.x * 64u + id.x;
    if at >= parameters4() { return; }
    var total = vec4(0.0);
    if now.first == 0u { total = dparameters[at]; }
    for (var b = 0u; b < lines(now); b++) { total += sums[b * parameters4() + at]; }
    dparameters[at] = total;
}
