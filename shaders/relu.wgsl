// relu(x) = x if x > 0, else 0. NaN passes through.
fn f(x: vec4<f32>) -> vec4<f32> { return select(x, vec4(0.0), x <= vec4(0.0)); }
fn df(y: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return select(dy, vec4(0.0), y <= vec4(0.0)); }
