// Lays each image out as one line, channel after channel, as PyTorch's nn.Flatten of (rows, channels, height, width). With
// positions p of channel c:
//
//   forward    y[r,c·P+p]    = x[r,p,c]
//   backward   dinput[r,p,c] (+)= dy[r,c·P+p]
//
// With TOKENS a sequence token after token, as nn.Flatten of (rows, tokens, columns): p·columns + c in the place of c·P + p.

struct Dims {
    @align(16) positions: u32,   // P
    columns: u32,                // of x
    columns4: u32,               // of x in vec4, rounded up
    outputs4: u32,               // of y in vec4, rounded up
    x_stride: u32,               // from one position of x to the next, in floats
}

override ACCUMULATE: bool = false;
override TOKENS: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<f32>;                   // (rows, P, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, columns · P)
@group(0) @binding(4) var<storage, read> dy: array<f32>;                  // (rows, columns · P)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, P, columns)

fn y_of(row: u32, at: u32) -> f32 {
    if at >= size.columns * size.positions { return 0.0; }
    let p = select(at % size.positions, at / size.columns, TOKENS);
    let c = select(at / size.positions, at % size.columns, TOKENS);
    return x[(row * size.positions + p) * size.x_stride + c];
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.outputs4 || id.y >= lines(now) { return; }
    let at = 4u * id.x;
    y[id.y * size.outputs4 + id.x] =
        vec4(y_of(id.y, at), y_of(id.y, at + 1u), y_of(id.y, at + 2u), y_of(id.y, at + 3u));
}

fn d_of(row: u32, p: u32, c: u32) -> f32 {
    if c >= size.columns { return 0.0; }
    return dy[row * 4u * size.outputs4 + select(c * size.positions + p, p * size.columns + c, TOKENS)];
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let count = size.positions * size.columns4;
    if id.x >= count || id.y >= lines(now) { return; }
    let p = id.x / size.columns4;
    let c = 4u * (id.x % size.columns4);
    let d = vec4(d_of(id.y, p, c), d_of(id.y, p, c + 1u), d_of(id.y, p, c + 2u), d_of(id.y, p, c + 3u));
    let at = id.y * count + id.x;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
