// c + m[0]·v.x + m[1]·v.y + m[2]·v.z + m[3]·v.w, added in that order: four steps of four chains.
fn chain(m: mat4x4<f32>, v: vec4<f32>, c: vec4<f32>) -> vec4<f32> {
    return fma(m[3], vec4(v.w), fma(m[2], vec4(v.z), fma(m[1], vec4(v.y), fma(m[0], vec4(v.x), c))));
}
