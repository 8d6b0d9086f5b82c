// silu(x) = x · s with s = sigmoid(x)      d silu = s (1 + x (1 - s))
fn f(x: vec4<f32>) -> vec4<f32> { return x * logistic(x); }
fn df(x: vec4<f32>, dy: vec4<f32>) -> vec4<f32> {
    let s = logistic(x);
    return dy * (s * fma(x, 1.0 - s, vec4(1.0)));
}
