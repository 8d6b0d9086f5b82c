// Sine and cosine of an angle in parts of a turn, 2⁻³² each, so that it wraps around by itself: a place times the turns from one place
// to the next is as exact for a late place as for an early one, and on every adapter the same. Within 45° of the nearest quarter the
// polynomials are within 1e-7 (those of Cephes' sinf and cosf).
fn sine(phase: vec4<u32>) -> vec4<f32> {
    let quarter = (phase + vec4(0x20000000u)) >> vec4(30u);
    let a = vec4<f32>(bitcast<vec4<i32>>(phase - (quarter << vec4(30u)))) * 1.4629180792671596e-9;
    let z = a * a;
    let s = fma(fma(fma(vec4(-1.9515295891e-4), z, vec4(8.3321608736e-3)), z, vec4(-1.6666654611e-1)) * z, a, a);
    let c = fma(fma(fma(vec4(2.443315711809948e-5), z, vec4(-1.388731625493765e-3)), z, vec4(4.166664568298827e-2)), z * z, fma(z, vec4(-0.5), vec4(1.0)));
    let value = select(s, c, (quarter & vec4(1u)) != vec4(0u));
    return select(value, -value, (quarter & vec4(2u)) != vec4(0u));
}

fn cosine(phase: vec4<u32>) -> vec4<f32> { return sine(phase + vec4(0x40000000u)); }
