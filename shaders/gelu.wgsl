// gelu(x) = x · Φ(x), Φ the normal distribution      d gelu = Φ(x) + x · exp(-x²/2) / √(2π)
fn f(x: vec4<f32>) -> vec4<f32> { return x * normal_cdf(x); }
fn df(x: vec4<f32>, dy: vec4<f32>) -> vec4<f32> {
    return dy * fma(x * 0.39894228040143268, exp(-0.5 * x * x), normal_cdf(x));
}
