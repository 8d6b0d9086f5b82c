// Rotary positions: in each of the first heads, column i of the first half and column i of the second half are turned as a pair by an
// angle that grows with the place t of the token. All other columns stay as they are. With φ = t · turns[i]:
//
//   forward    y[i] = x[i] cos φ - x[i + D/2] sin φ        y[i + D/2] = x[i + D/2] cos φ + x[i] sin φ
//   backward   the same of dy with -φ

override BACK: bool = false;
override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns4: u32,  // in vec4, rounded up
    x_stride4: u32,            // from one line of the input to the next, in vec4
    tokens: u32,
    heads: u32,                // that are turned
    pairs4: u32,                // half a head's columns, in vec4
}

struct Turns {
    @align(16) x: u32,         // of four columns: parts of a turn from one token to the next, 2⁻³² each
    y: u32,
    z: u32,
    w: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<uniform> turns: array<Turns, 16>;
@group(0) @binding(3) var<storage, read> x: array<vec4<f32>>;             // x or dy (lines, columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;       // y or dinput (lines, columns)

@compute @workgroup_size(256)
fn turn(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let head = id.x / (2u * size.pairs4);
    let within = id.x % (2u * size.pairs4);
    let pair = within % size.pairs4;
    let begin = id.y * size.x_stride4 + head * 2u * size.pairs4 + pair;
    let turned = head < size.heads;
    let each = turns[min(pair, 15u)];
    let phase = id.y % size.tokens * vec4(each.x, each.y, each.z, each.w);
    let at = id.y * size.x_stride4 + id.x;
    // The other one of the pair, with the sign of its sine.
    let lower = within < size.pairs4;
    let other = x[select(at, select(begin, begin + size.pairs4, lower), turned)];
    let sines = sine(phase);
    let across = select(sines, -sines, lower != BACK);
    let value = select(x[at], fma(x[at], cosine(phase), other * across), turned);
    let to = id.y * size.columns4 + id.x;
    if ACCUMULATE { y[to] += value; } else { y[to] = value; }
}
