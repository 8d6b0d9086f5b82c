// Functions that several ops need, in forms that neither overflow nor cancel.

// 1 / (1 + exp(-x))
fn logistic(x: vec4<f32>) -> vec4<f32> {
    let t = exp(-abs(x));
    return select(t, vec4(1.0), x >= vec4(0.0)) / (1.0 + t);
}

// sign(x) · (1 - t) / (1 + t) with t = exp(-2|x|); near 0, where 1 - t would cancel, the series up to x⁷
fn hyperbolic_tangent(x: vec4<f32>) -> vec4<f32> {
    let a = abs(x);
    let t = exp(-2.0 * a);
    let q = x * x;
    let near = x * fma(q, fma(q, fma(q, vec4(-17.0 / 315.0), vec4(2.0 / 15.0)), vec4(-1.0 / 3.0)), vec4(1.0));
    return select(sign(x) * (1.0 - t) / (1.0 + t), near, a < vec4(0.15));
}

// The normal distribution's Φ(x) = (1 + erf(x / √2)) / 2; erf by Abramowitz & Stegun 7.1.26, within 1.5e-7
fn normal_cdf(x: vec4<f32>) -> vec4<f32> {
    let z = abs(x) * 0.70710678118654752;
    let t = 1.0 / fma(z, vec4(0.3275911), vec4(1.0));
    var p = fma(t, vec4(1.061405429), vec4(-1.453152027));
    p = fma(t, p, vec4(1.421413741));
    p = fma(t, p, vec4(-0.284496736));
    p = fma(t, p, vec4(0.254829592));
    let tail = 0.5 * p * t * exp(-z * z);
    return select(tail, 1.0 - tail, x >= vec4(0.0));
}
