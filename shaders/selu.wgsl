// selu(x) = S · x if x > 0, else S · A · (exp(x) - 1)      d selu = S if y > 0, else y + S · A
const S: f32 = 1.0507009873554805;
const A: f32 = 1.6732632423543772;
fn f(x: vec4<f32>) -> vec4<f32> {
    // exp(x) - 1 below 0; near it, where that would cancel, the series up to x⁵.
    let m = min(x, vec4(0.0));
    let cubic = fma(m, fma(m, vec4(1.0 / 120.0), vec4(1.0 / 24.0)), vec4(1.0 / 6.0));
    let near = m * fma(m, fma(m, cubic, vec4(0.5)), vec4(1.0));
    let below = select(exp(m) - 1.0, near, m > vec4(-0.15));
    return S * select(x, A * below, x <= vec4(0.0));
}
fn df(y: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return dy * select(vec4(S), y + S * A, y <= vec4(0.0)); }
