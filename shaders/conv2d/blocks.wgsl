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

fn put_sums(b: u32, o: u32, j: u32, part: mat4x4<f32>) {
    if o >= size.outputs4 || j >= size.inputs4 { return; }
    let at = b * parameters4() + (vec4(4u * o) + vec4(0u, 1u, 2u, 3u)) * size.inputs4 + j;
    let keep = kept(j);
    let rows = real(o, size.outputs);
    sums[at.x] = select(vec4(0.0), part[0], keep & vec4(rows.x));
    sums[at.y] = select(vec4(0.0), part[1], keep & vec4(rows.y));
    sums[at.z] = select(vec4(0.0), part[2], keep & vec4(rows.z));
    sums[at.w] = select(vec4(0.0), part[3], keep & vec4(rows.w));
}

fn put_sum_of_bias(b: u32, o: u32, part: vec4<f32>) {
    if BIAS && o < size.outputs4 { sums[b * parameters4() + bias_at(o)] = select(vec4(0.0), part, real(o, size.outputs)); }
}

fn sum_of_bias(b: u32, o: u32) {
    let block = block_of(b);
    var part = vec4(0.0);
    for (var l = block.begin; l < block.end; l++) { part += left[l * size.outputs4 + o]; }
    put_sum_of_bias(b, o, part);
}

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
