// Adds the outer product of one row: four elements of the one factor, four of the other.
fn outer(part: mat4x4<f32>, d: vec4<f32>, x: vec4<f32>) -> mat4x4<f32> {
    return mat4x4(
        fma(vec4(d.x), x, part[0]), fma(vec4(d.y), x, part[1]),
        fma(vec4(d.z), x, part[2]), fma(vec4(d.w), x, part[3]),
    );
}
