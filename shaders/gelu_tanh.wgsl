// gelu_tanh(x) = x/2 · (1 + t) with t = tanh(u), u = √(2/π) (x + 0.044715 x³)
// d gelu_tanh  = (1 + t)/2 + x/2 · (1 - t²) · √(2/π) (1 + 3 · 0.044715 x²)
const K: f32 = 0.79788456080286536;
fn inner(x: vec4<f32>) -> vec4<f32> { return hyperbolic_tangent(K * x * fma(x * x, vec4(0.044715), vec4(1.0))); }
fn f(x: vec4<f32>) -> vec4<f32> { return 0.5 * x * (1.0 + inner(x)); }
fn df(x: vec4<f32>, dy: vec4<f32>) -> vec4<f32> {
    let t = inner(x);
    // Limited where it would be infinite: there 1 - t² is 0, and 0 · ∞ is NaN.
    let slope = min(K * fma(x * x, vec4(0.134145), vec4(1.0)), vec4(1e30));
    return dy * (0.5 * (1.0 + t) + 0.5 * x * fma(-t, t, vec4(1.0)) * slope);
}
