// Adds fixed positions to the tokens of a sequence: sines and cosines of angles that grow with the place t of a token, as in the
// first transformer. With φ = t · turns[i], in parts of a turn:
//
//   forward    y[t, 2i] = x[t, 2i] + sin φ        y[t, 2i + 1] = x[t, 2i + 1] + cos φ
//   backward   dinput (+)= dy

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns: u32,
    columns4: u32,   // in vec4, rounded up
    x_stride4: u32,  // from one line of x to the next, in vec4
    tokens: u32,
}

struct Turns {
    @align(16) x: u32,  // of four pairs of columns: parts of a turn from one token to the next, 2⁻³² each
    y: u32,
    z: u32,
    w: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<uniform> turns: array<Turns, 128>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;             // (lines, columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;       // (lines, columns)
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;            // (lines, columns)
@group(0) @binding(6) var<storage, read_write> dinput: array<vec4<f32>>;  // (lines, columns)

@compute @workgroup_size(256)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let each = turns[id.x / 2u];
    let pairs = select(vec2(each.x, each.y), vec2(each.z, each.w), id.x % 2u == 1u);
    let phase = id.y % size.tokens * vec4(pairs.x, pairs.x, pairs.y, pairs.y);
    // A cosine is the sine of a quarter turn more.
    let added = sine(phase + vec4(0u, 0x40000000u, 0u, 0x40000000u));
    let value = select(vec4(0.0), x[id.y * size.x_stride4 + id.x] + added, real(id.x, size.columns));
    y[id.y * size.columns4 + id.x] = value;
}

@compute @workgroup_size(256)
fn backward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dinput[at] += dy[at]; } else { dinput[at] = dy[at]; }
}
