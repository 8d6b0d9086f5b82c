// record[r] = data[samples[index0 + r]]: the rows of one micro-batch, out of the data that stays on the GPU.

struct Dims {
    @align(16) stride4: u32,  // from one record to the next, in vec4
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> samples: array<u32>;               // (samples of this submit)
@group(0) @binding(3) var<storage, read> data: array<vec4<f32>>;            // (samples, stride)
@group(0) @binding(4) var<storage, read_write> record: array<vec4<f32>>;    // (rows, stride)

@compute @workgroup_size(8, 8)
fn gather(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.stride4 || id.y >= now.rows { return; }
    record[id.y * size.stride4 + id.x] = data[samples[now.index0 + id.y] * size.stride4 + id.x];
}
