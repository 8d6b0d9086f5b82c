// tanh(x)      d tanh = 1 - y²
fn f(x: vec4<f32>) -> vec4<f32> { return hyperbolic_tangent(x); }
fn df(y: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return dy * fma(-y, y, vec4(1.0)); }
