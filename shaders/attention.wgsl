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

// The first line of the sequence of line l.
fn begin_of(l: u32) -> u32 { return l / size.tokens * size.tokens; }

// Tokens that the one of line l looks at.
fn seen_by(l: u32) -> u32 { return select(size.tokens, l % size.tokens + 1u, CAUSAL); }

fn bounded(v: vec4<f32>) -> vec4<f32> { return clamp(v, vec4(-1e18), vec4(1e18)); }

fn chain(a: vec4<f32>, b: vec4<f32>, c: f32) -> f32 {
    return fma(a.w, b.w, fma(a.z, b.z, fma(a.y, b.y, fma(a.x, b.x, c))));
}

fn query_of(l: u32, h: u32) -> Head {
    var q: Head;
    for (var d = 0u; d < HEAD4; d++) { q[d] = bounded(x[l * size.stride4 + h * HEAD4 + d]); }
    return q;
}

fn key_of(l: u32, g: u32) -> Head {
    var k: Head;
    for (var d = 0u; d < HEAD4; d++) { k[d] = bounded(x[l * size.stride4 + size.keys + g * HEAD4 + d]); }
    return k;
}

fn value_of(l: u32, g: u32) -> Head {
    var v: Head;
    for (var d = 0u; d < HEAD4; d++) { v[d] = x[l * size.stride4 + size.values + g * HEAD4 + d]; }
    return v;
}

fn slope_of(l: u32, h: u32) -> Head {
    var g: Head;
    for (var d = 0u; d < HEAD4; d++) { g[d] = dy[(l * size.heads + h) * HEAD4 + d]; }
    return g;
}

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

@compute @workgroup_size(4, 64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let h = id.x;
    if h >= size.heads || id.y >= lines(now) { return; }
    let g = h * size.kv_heads / size.heads;
    let begin = begin_of(id.y);
    let seen = seen_by(id.y);
    var q = query_of(id.y, h);
    var m = -3.4e38;
    for (var j = 0u; j < seen; j++) {
        var k = key_of(begin + j, g);
        m = max(m, product(&q, &k));
    }
    var l = 0.0;
    var sum: Head;
    for (var j = 0u; j < seen; j++) {
        var k = key_of(begin + j, g);
        var v = value_of(begin + j, g);
        let power = power_of(product(&q, &k), m);
        l += power;
        add(&sum, power, &v);
    }
    let at = id.y * size.heads + h;
    for (var d = 0u; d < HEAD4; d++) { y[at * HEAD4 + d] = sum[d] / l; }
    saved[at] = vec4(m, l, 0.0, 0.0);
}

@compute @workgroup_size(4, 64)
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

@compute @workgroup_size(4, 64)
fn backward_queries(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let h = id.x;
    if h >= size.heads || id.y >= lines(now) { return; }
    let g = h * size.kv_heads / size.heads;
    let begin = begin_of(id.y);
    let p = parts[id.y * size.heads + h];
    let seen = select(0u, seen_by(id.y), p.w != 0.0);
    var q = query_of(id.y, h);
    var slope = slope_of(id.y, h);
    var sum: Head;
    for (var j = 0u; j < seen; j++) {
        var k = key_of(begin + j, g);
        var v = value_of(begin + j, g);
        let weight = power_of(product(&q, &k), p.x) / p.y;
        add(&sum, weight * (product(&slope, &v) - p.z) * SCALE, &k);
    }
    let at = id.y * size.stride4 + h * HEAD4;
    for (var d = 0u; d < HEAD4; d++) {
        if ACCUMULATE { dinput[at + d] += sum[d]; } else { dinput[at + d] = sum[d]; }
    }
}

@compute @workgroup_size(4, 64)
fn backward_keys(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let g = id.x;
    if g >= size.kv_heads || id.y >= lines(now) { return; }
    let begin = begin_of(id.y);
    let shared_by = size.heads / size.kv_heads;
    var k = key_of(id.y, g);
    var v = value_of(id.y, g);
    var dk: Head;
    var dv: Head;
    for (var h = g * shared_by; h < (g + 1u) * shared_by; h++) {
        for (var l = select(begin, id.y, CAUSAL); l < begin + size.tokens; l++) {
            let p = parts[l * size.heads + h];
            if p.w == 0.0 { continue; }
            var q = query_of(l, h);
            var slope = slope_of(l, h);
            let weight = power_of(product(&q, &k), p.x) / p.y;
            add(&dk, weight * (product(&slope, &v) - p.z) * SCALE, &q);
            add(&dv, weight, &slope);
        }
    }
    let at = id.y * size.stride4 + g * HEAD4;
    for (var d = 0u; d < HEAD4; d++) {
        if ACCUMULATE {
            dinput[at + size.keys + d] += dk[d];
            dinput[at + size.values + d] += dv[d];
        } else {
            dinput[at + size.keys + d] = dk[d];
            dinput[at + size.values + d] = dv[d];
        }
    }
}
