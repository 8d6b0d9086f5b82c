// Attention of the tokens of a sequence to each other. A line of x holds the queries of all heads, then the keys and the values of
// kv_heads heads; head h has the keys and values g = h · kv_heads / heads. A head is HEAD4 vec4, d its columns, t and j tokens:
//
//   score(t,j)              Σ_d q[t,h,d] · k[j,g,d] · SCALE, d ascending; j ≤ t where it is CAUSAL
//   m[t,h] = max_j score    l[t,h] = Σ_j exp(score - m)    w(t,j) = exp(score - m) / l    j ascending
//
//   forward             y[t,h,d] = Σ_j exp(score - m) · v[j,g,d] / l      j ascending
//   sums                a[t,h]   = Σ_d dy[t,h,d] · y[t,h,d]
//   backward_queries    dq[t,h,d] (+)= Σ_j slope(t,j) · k[j,g,d]          j ascending
//   backward_keys       dk[j,g,d] (+)= Σ_h Σ_t slope(t,j) · q[t,h,d]      h of the heads that share g, then t ascending
//                       dv[j,g,d] (+)= Σ_h Σ_t w(t,j) · dy[t,h,d]
//   slope(t,j) = w(t,j) · (Σ_d dy[t,h,d] · v[j,g,d] - a[t,h]) · SCALE
//
// The maximum is known before the first term of a sum, so that every sum is one chain, whoever computes it. Nothing of the size of
// tokens × tokens is kept: scores are computed again. A query or key beyond ±1e18 counts as that, so that no score overflows.

struct Dims {
    @align(16) tokens: u32,
    heads: u32,
    kv_heads: u32,
    stride4: u32,      // from one line of x to the next, in vec4
    keys: u32,         // where they begin in a line, in vec4
    values: u32,
}

override ACCUMULATE: bool = false;
override CAUSAL: bool = false;
override SCALE: f32 = 1.0;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
var<private> lane: u32;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;               // (lines, heads + 2 · kv_heads, HEAD4)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;         // (lines, heads, HEAD4)
@group(0) @binding(4) var<storage, read_write> saved: array<vec4<f32>>;     // (lines, heads): m, l
@group(0) @binding(5) var<storage, read> kept: array<vec4<f32>>;            // saved
@group(0) @binding(6) var<storage, read> made: array<vec4<f32>>;            // y
@group(0) @binding(7) var<storage, read> dy: array<vec4<f32>>;              // as y
@group(0) @binding(8) var<storage, read_write> part: array<vec4<f32>>;      // (lines, heads): m, l, a, 1 where dy is not 0
@group(0) @binding(9) var<storage, read> parts: array<vec4<f32>>;           // part
@group(0) @binding(10) var<storage, read_write> dinput: array<vec4<f32>>;   // as x

alias Head = array<vec4<f32>, HEAD4>;

fn bounded(v: vec4<f32>) -> vec4<f32> { return clamp(v, vec4(-1e18), vec4(1e18)); }

fn chain(a: vec4<f32>, b: vec4<f32>, c: f32) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, c))));
}

// The vec4 of line l where head h of the queries begins, head g of the keys, and head h of the outputs.
fn query_at(layer: Dims, l: u32, h: u32) -> u32 { return l * layer.stride4 + h * HEAD4; }
fn key_at(layer: Dims, l: u32, g: u32) -> u32 { return l * layer.stride4 + layer.keys + g * HEAD4; }
fn value_at(layer: Dims, l: u32, g: u32) -> u32 { return l * layer.stride4 + layer.values + g * HEAD4; }
fn output_at(layer: Dims, l: u32, h: u32) -> u32 { return (l * layer.heads + h) * HEAD4; }

fn own_bounded(at: u32) -> Head {
    var head: Head;
    for (var d = 0u; d < HEAD4; d++) { head[d] = bounded(x[at + d]); }
    return head;
}

fn own_of_x(at: u32) -> Head {
    var head: Head;
    for (var d = 0u; d < HEAD4; d++) { head[d] = x[at + d]; }
    return head;
}

fn own_of_dy(at: u32) -> Head {
    var head: Head;
    for (var d = 0u; d < HEAD4; d++) { head[d] = dy[at + d]; }
    return head;
}

// A workgroup is a tile of LANES tokens of one head of one row.
struct Tile {
    head: u32,
    first: u32,   // its first token
    begin: u32,   // the first line of the row
    stop: u32,    // the tokens before this one are seen by some of it
}

fn tile_of(layer: Dims, group: vec3<u32>) -> Tile {
    let tiles = (layer.tokens + LANES - 1u) / LANES;
    let first = group.x % tiles * LANES;
    let stop = select(layer.tokens, min(first + LANES, layer.tokens), CAUSAL);
    return Tile(group.x / tiles, first, group.y * layer.tokens, stop);
}

fn sees(t: u32, j: u32) -> bool { return !CAUSAL || j <= t; }

fn product(a: ptr<function, Head>, b: ptr<function, Head>) -> f32 {
    var c = 0.0;
    for (var d = 0u; d < HEAD4; d++) { c = chain((*a)[d], (*b)[d], c); }
    return c;
}

// exp of a score's distance from the largest one; products are scaled after the difference, which no compiler can fuse with them.
fn power_of(product: f32, largest: f32) -> f32 { return exp((product - largest) * SCALE); }

fn add(sum: ptr<function, Head>, factor: f32, a: ptr<function, Head>) {
    for (var d = 0u; d < HEAD4; d++) { (*sum)[d] = fma(vec4(factor), (*a)[d], (*sum)[d]); }
}

@compute @workgroup_size(LANES)
fn forward(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let layer = dims[group.z];
    let tile = tile_of(layer, group);
    lane = index;
    let t = min(tile.first + index, layer.tokens - 1u);
    let g = tile.head * layer.kv_heads / layer.heads;
    var q = own_bounded(query_at(layer, tile.begin + t, tile.head));
    var m = -3.4e38;
    for (var j = 0u; j < tile.stop; j++) {
        var k = shared_bounded(key_at(layer, tile.begin + j, g));
        if sees(t, j) { m = max(m, product(&q, &k)); }
    }
    var l = 0.0;
    var sum: Head;
    for (var j = 0u; j < tile.stop; j++) {
        var k = shared_bounded(key_at(layer, tile.begin + j, g));
        var v = shared_of_x(value_at(layer, tile.begin + j, g));
        if sees(t, j) {
            let power = power_of(product(&q, &k), m);
            l += power;
            add(&sum, power, &v);
        }
    }
    if tile.first + index >= layer.tokens { return; }
    let at = output_at(layer, tile.begin + t, tile.head);
    for (var d = 0u; d < HEAD4; d++) { y[at + d] = sum[d] / l; }
    saved[at / HEAD4] = vec4(m, l, 0.0, 0.0);
}

@compute @workgroup_size(8, 32)
fn sums(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let h = id.x;
    if h >= size.heads || id.y >= lines(now) { return; }
    let at = id.y * size.heads + h;
    var a = 0.0;
    var bits = vec4(0u);
    for (var d = 0u; d < HEAD4; d++) {
        let slope = dy[at * HEAD4 + d];
        a = chain(slope, made[at * HEAD4 + d], a);
        bits |= bitcast<vec4<u32>>(slope) << vec4(1u);
    }
    part[at] = vec4(kept[at].xy, a, select(0.0, 1.0, any(bits != vec4(0u))));
}

@compute @workgroup_size(LANES)
fn backward_queries(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let layer = dims[group.z];
    let tile = tile_of(layer, group);
    lane = index;
    let t = min(tile.first + index, layer.tokens - 1u);
    let g = tile.head * layer.kv_heads / layer.heads;
    let p = parts[(tile.begin + t) * layer.heads + tile.head];
    var q = own_bounded(query_at(layer, tile.begin + t, tile.head));
    var slope = own_of_dy(output_at(layer, tile.begin + t, tile.head));
    var sum: Head;
    for (var j = 0u; j < tile.stop; j++) {
        var k = shared_bounded(key_at(layer, tile.begin + j, g));
        var v = shared_of_x(value_at(layer, tile.begin + j, g));
        if sees(t, j) && p.w != 0.0 {
            let weight = power_of(product(&q, &k), p.x) / p.y;
            add(&sum, weight * (product(&slope, &v) - p.z) * SCALE, &k);
        }
    }
    if tile.first + index >= layer.tokens { return; }
    let at = query_at(layer, tile.begin + t, tile.head);
    for (var d = 0u; d < HEAD4; d++) {
        if ACCUMULATE { dinput[at + d] += sum[d]; } else { dinput[at + d] = sum[d]; }
    }
}

@compute @workgroup_size(LANES)
fn backward_keys(@builtin(workgroup_id) group: vec3<u32>, @builtin(local_invocation_index) index: u32) {
    let layer = dims[group.z];
    let tile = tile_of(layer, group);
    lane = index;
    let g = tile.head;
    let j = min(tile.first + index, layer.tokens - 1u);
    var k = own_bounded(key_at(layer, tile.begin + j, g));
    var v = own_of_x(value_at(layer, tile.begin + j, g));
    var dk: Head;
    var dv: Head;
    let shared_by = layer.heads / layer.kv_heads;
    for (var h = g * shared_by; h < (g + 1u) * shared_by; h++) {
        for (var t = select(0u, tile.first, CAUSAL); t < layer.tokens; t++) {
            let p = parts[(tile.begin + t) * layer.heads + h];
            var q = shared_bounded(query_at(layer, tile.begin + t, h));
            var slope = shared_of_dy(output_at(layer, tile.begin + t, h));
            if sees(t, j) && p.w != 0.0 {
                let weight = power_of(product(&q, &k), p.x) / p.y;
                add(&dk, weight * (product(&slope, &v) - p.z) * SCALE, &q);
                add(&dv, weight, &slope);
            }
        }
    }
    if tile.first + index >= layer.tokens { return; }
    let at = key_at(layer, tile.begin + j, g);
    let value = value_at(layer, tile.begin + j, g);
    for (var d = 0u; d < HEAD4; d++) {
        if ACCUMULATE {
            dinput[at + d] += dk[d];
            dinput[value + d] += dv[d];
        } else {
            dinput[at + d] = dk[d];
            dinput[value + d] = dv[d];
        }
    }
}
