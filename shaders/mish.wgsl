// mish(x) = x · w with w = tanh(log(1 + exp(x)))      d mish = w + x · (1 - w²) / (1 + exp(-x))
//
// With t = exp(-|x|), which does not overflow, w = n / (n + m) and (1 - w²) / (1 + exp(-x)) = 2 m q / (n + m)²:
//
//   x < 0     n = t (t + 2)    m = 2       q = t (1 + t)
//   x >= 0    n = 1 + 2t       m = 2t²     q = 1 + t
fn f(x: vec4<f32>) -> vec4<f32> {
    let t = exp(-abs(x));
    let up = x >= vec4(0.0);
    let n = select(t * (t + 2.0), fma(vec4(2.0), t, vec4(1.0)), up);
    let m = select(vec4(2.0), 2.0 * t * t, up);
    return x * (n / (n + m));
}
fn df(x: vec4<f32>, dy: vec4<f32>) -> vec4<f32> {
    let t = exp(-abs(x));
    let up = x >= vec4(0.0);
    let n = select(t * (t + 2.0), fma(vec4(2.0), t, vec4(1.0)), up);
    let m = select(vec4(2.0), 2.0 * t * t, up);
    let q = select(t, vec4(1.0), up) * (1.0 + t);
    let d = n + m;
    return dy * fma(x, 2.0 * m * q / (d * d), n / d);
}
