// The rows of one micro-batch:
//
//   gather   record[r]  = data[samples[index0 + r]]           out of the data that stays on the GPU
//   unpack   the same out of packed samples: features of 8, 16 or 32 bits, which become floats, then target and weight
//   cut      the same out of one line of tokens of 8, 16 or 32 bits: those of a sequence, for each the one that follows it as the target,
//            and a weight of 1 where there is one
//   field    value[l,c] = record[row of l, at + position of l, c]    an input that ops read in memory of its own
//
// In training, an image may be flipped from left to right (FLIP), and cut out of itself with CROP rows and columns of 0 around it. How is
// drawn by Philox from the counter (0, row of the window, update, 2³² - 1) and the key `seed`: for every cut the same, and never stored.

struct Dims {
    @align(16) stride4: u32,  // from one record to the next, in vec4
    at: u32,                  // where the field begins in a record
    columns: u32,             // and what a position has of it
    words: u32,               // from one packed sample to the next
    features: u32,            // how many of the record's floats are packed features
    target_at: u32,           // where target and weight begin in the record, how many floats they are, and where they
    tail: u32,                // begin in a packed sample
    tail_at: u32,
    high: u32,                // the image
    wide: u32,
    seed_low: u32,
    seed_high: u32,
    weight_at: u32,           // where the weights begin in the record
    tokens: u32,              // of the line, and from the beginning of one sequence to that of the next
    stride: u32,
    ignored: u32,             // the token that is no target
}

override FLIP: bool = false;
override CROP: u32 = 0;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> samples: array<u32>;               // (samples of this submit)
@group(0) @binding(3) var<storage, read> data: array<vec4<f32>>;            // (samples, stride)
@group(0) @binding(4) var<storage, read_write> record: array<vec4<f32>>;    // (rows, stride)

@compute @workgroup_size(256)
fn gather(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.stride4 || id.y >= now.rows { return; }
    record[id.y * size.stride4 + id.x] = data[samples[now.index0 + id.y] * size.stride4 + id.x];
}

@group(0) @binding(5) var<storage, read> records: array<f32>;               // (rows, stride)
@group(0) @binding(6) var<storage, read_write> value: array<vec4<f32>>;     // (lines, columns)

@group(0) @binding(7) var<storage, read> packed: array<u32>;                // (samples, features | target | weight)

override BITS: u32 = 8;    // of a packed feature

fn unpacked(base: u32, c: u32) -> f32 {
    let each = 32u / BITS;
    if c < size.features { return f32(extractBits(packed[base + c / each], c % each * BITS, BITS)); }
    if c < size.target_at || c >= size.target_at + size.tail { return 0.0; }
    return bitcast<f32>(packed[base + size.tail_at + c - size.target_at]);
}

@compute @workgroup_size(256)
fn unpack(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.stride4 || id.y >= now.rows { return; }
    let base = samples[now.index0 + id.y] * size.words;
    let c = 4u * id.x;
    record[id.y * size.stride4 + id.x] = vec4(
        unpacked(base, c), unpacked(base, c + 1u), unpacked(base, c + 2u), unpacked(base, c + 3u),
    );
}

// A token of the line; none behind its end.
fn token(at: u32) -> u32 {
    let each = 32u / BITS;
    let bits = extractBits(packed[min(at, size.tokens - 1u) / each], at % each * BITS, BITS);
    return select(size.ignored, bits, at < size.tokens);
}

fn cut_out(begin: u32, c: u32) -> f32 {
    if c < size.features { return f32(select(0u, token(begin + c), begin + c < size.tokens)); }
    if c < size.target_at || c >= size.target_at + size.tail { return 0.0; }
    let weight = c >= size.weight_at;
    let at = begin + 1u + c - select(size.target_at, size.weight_at, weight);
    let target_token = token(at);
    let counts = at < size.tokens && target_token != size.ignored;
    return select(0.0, select(f32(target_token), 1.0, weight), counts);
}

@compute @workgroup_size(256)
fn cut(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.stride4 || id.y >= now.rows { return; }
    let begin = samples[now.index0 + id.y] * size.stride;
    let c = 4u * id.x;
    record[id.y * size.stride4 + id.x] = vec4(
        cut_out(begin, c), cut_out(begin, c + 1u), cut_out(begin, c + 2u), cut_out(begin, c + 3u),
    );
}

// The position of a row's image from which one is filled; POSITIONS and more: none.
fn position_of(row: u32, position: u32) -> u32 {
    if !FLIP && CROP == 0u { return position; }
    let words = philox(vec4(0u, now.row0 + row, now.update, 0xffffffffu), vec2(size.seed_low, size.seed_high));
    let h = position / size.wide + words.y % (2u * CROP + 1u) - CROP;
    var w = position % size.wide + words.z % (2u * CROP + 1u) - CROP;
    if FLIP && words.x % 2u == 1u { w = size.wide - 1u - w; }
    return select(POSITIONS, h * size.wide + w, h < size.high && w < size.wide);
}

@compute @workgroup_size(256)
fn field(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let id = place_of(group, index);
    now = clock[id.z];
    size = dims[id.z];
    let columns4 = (size.columns + 3u) / 4u;
    if id.x >= columns4 || id.y >= lines(now) { return; }
    let from_position = position_of(id.y / POSITIONS, id.y % POSITIONS);
    let there = from_position < POSITIONS;
    let at = id.y / POSITIONS * 4u * size.stride4 + size.at + select(0u, from_position, there) * size.columns;
    let c = 4u * id.x;
    let last = size.columns - 1u;
    let four = vec4(
        records[at + c], records[at + min(c + 1u, last)], records[at + min(c + 2u, last)], records[at + min(c + 3u, last)],
    );
    value[id.y * columns4 + id.x] = select(vec4(0.0), four, (vec4(c) + vec4(0u, 1u, 2u, 3u) < vec4(size.columns)) & vec4(there));
}
