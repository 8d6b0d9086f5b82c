// Sums over vec4 of several rows at once, stride apart. The file that joins this one gives mine and row, which load them.

override TILE: u32 = 16;    // rows whose chains an invocation has: 8 or 16

alias Rows = array<vec4<f32>, 16>;

// Adds four steps to the chains of TILE rows.
fn chains(c: ptr<function, Rows>, w: mat4x4<f32>, at: u32, stride: u32) {
    let a = mine(at, stride);
    (*c)[0] = chain(w, row(a, 0u, at, stride), (*c)[0]);
    (*c)[1] = chain(w, row(a, 1u, at, stride), (*c)[1]);
    (*c)[2] = chain(w, row(a, 2u, at, stride), (*c)[2]);
    (*c)[3] = chain(w, row(a, 3u, at, stride), (*c)[3]);
    (*c)[4] = chain(w, row(a, 4u, at, stride), (*c)[4]);
    (*c)[5] = chain(w, row(a, 5u, at, stride), (*c)[5]);
    (*c)[6] = chain(w, row(a, 6u, at, stride), (*c)[6]);
    (*c)[7] = chain(w, row(a, 7u, at, stride), (*c)[7]);
    if TILE == 8u { return; }
    let at8 = at + 8u * stride;
    let b = mine(at8, stride);
    (*c)[8] = chain(w, row(b, 0u, at8, stride), (*c)[8]);
    (*c)[9] = chain(w, row(b, 1u, at8, stride), (*c)[9]);
    (*c)[10] = chain(w, row(b, 2u, at8, stride), (*c)[10]);
    (*c)[11] = chain(w, row(b, 3u, at8, stride), (*c)[11]);
    (*c)[12] = chain(w, row(b, 4u, at8, stride), (*c)[12]);
    (*c)[13] = chain(w, row(b, 5u, at8, stride), (*c)[13]);
    (*c)[14] = chain(w, row(b, 6u, at8, stride), (*c)[14]);
    (*c)[15] = chain(w, row(b, 7u, at8, stride), (*c)[15]);
}

alias Eight = array<vec4<f32>, 8>;

// Adds the outer products of eight rows, one after the other.
fn outers(part: mat4x4<f32>, at: u32, stride: u32, x: Eight) -> mat4x4<f32> {
    let d = mine(at, stride);
    var p = outer(part, row(d, 0u, at, stride), x[0]);
    p = outer(p, row(d, 1u, at, stride), x[1]);
    p = outer(p, row(d, 2u, at, stride), x[2]);
    p = outer(p, row(d, 3u, at, stride), x[3]);
    p = outer(p, row(d, 4u, at, stride), x[4]);
    p = outer(p, row(d, 5u, at, stride), x[5]);
    p = outer(p, row(d, 6u, at, stride), x[6]);
    return outer(p, row(d, 7u, at, stride), x[7]);
}
