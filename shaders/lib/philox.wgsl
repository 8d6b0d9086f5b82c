// Philox4x32-10 (Salmon, Moraes, Dror & Shaw, Parallel random numbers: as easy as 1, 2, 3, SC 2011): four words from a counter of
// four and a key of two, by integers alone, and so the same everywhere.

// The high and the low word of a product.
fn product_of(a: u32, b: u32) -> vec2<u32> {
    let low = (a & 0xffffu) * (b & 0xffffu);
    let middle = (a >> 16u) * (b & 0xffffu) + (low >> 16u);
    let other = (a & 0xffffu) * (b >> 16u) + (middle & 0xffffu);
    return vec2((a >> 16u) * (b >> 16u) + (middle >> 16u) + (other >> 16u), a * b);
}

fn philox_round(c: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    let p = product_of(0xd2511f53u, c.x);
    let q = product_of(0xcd9e8d57u, c.z);
    return vec4(q.x ^ c.y ^ key.x, q.y, p.x ^ c.w ^ key.y, p.y);
}

fn philox(counter: vec4<u32>, key: vec2<u32>) -> vec4<u32> {
    var c = counter;
    var k = key;
    for (var round = 0u; round < 10u; round++) {
        c = philox_round(c, k);
        k += vec2(0x9e3779b9u, 0xbb67ae85u);
    }
    return c;
}
