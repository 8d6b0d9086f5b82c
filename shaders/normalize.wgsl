// Channels in a unit of their own, the same for all positions:
//
//   forward    y[l,c]       = (x[l,c] - mean) · factor        of the channel c
//   backward   dinput[l,c] (+)= dy[l,c] · factor

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns: u32,
    columns4: u32,   // in vec4, rounded up
    x_stride4: u32,  // from one line of x to the next, in vec4
}

struct Channel { @align(16) mean: f32, factor: f32 }

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;              // (lines, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;        // (lines, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;             // (lines, columns)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;   // (lines, columns)
@group(0) @binding(6) var<uniform> channels: array<Channel, 64>;

fn means(c: u32) -> vec4<f32> {
    return vec4(channels[4u * c].mean, channels[4u * c + 1u].mean, channels[4u * c + 2u].mean, channels[4u * c + 3u].mean);
}

fn factors(c: u32) -> vec4<f32> {
    let at = 4u * c;
    return vec4(channels[at].factor, channels[at + 1u].factor, channels[at + 2u].factor, channels[at + 3u].factor);
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let value = (x[id.y * size.x_stride4 + id.x] - means(id.x)) * factors(id.x);
    y[id.y * size.columns4 + id.x] = select(vec4(0.0), value, real(id.x, size.columns));
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    let d = dy[at] * factors(id.x);
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
