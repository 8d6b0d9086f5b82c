// Drops elements at random and scales what is left, in training:
//
//   forward    y[l,c]       = x[l,c] · SCALE if it is kept, else 0
//   backward   dinput[l,c] (+)= dy[l,c] · SCALE if it is kept, else 0
//
// An element is kept where its word is `threshold` or more. The words of the four columns of a vec4 are those of Philox for the counter
// (place of the vec4 in the row, row of the window, update, stream) and the key `seed`: the same for every cut, and never stored.

override SCALE: f32 = 1.0;
override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns4: u32,   // in vec4, rounded up
    x_stride4: u32,             // from one line of x to the next, in vec4
    threshold: u32,             // 0 if nothing is dropped
    stream: u32,                // the number of the layer among those of its kind
    seed_low: u32,
    seed_high: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;              // (lines, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;        // (lines, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;             // (lines, columns)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;   // (lines, columns)

fn dropped(l: u32, c: u32, value: vec4<f32>) -> vec4<f32> {
    if size.threshold == 0u { return value; }
    let place = l % POSITIONS * size.columns4 + c;
    let words = philox(vec4(place, now.row0 + l / POSITIONS, now.update, size.stream), vec2(size.seed_low, size.seed_high));
    return select(vec4(0.0), value * SCALE, words >= vec4(size.threshold));
}

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = dropped(id.y, id.x, x[id.y * size.x_stride4 + id.x]);
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    let d = dropped(id.y, id.x, dy[at]);
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
