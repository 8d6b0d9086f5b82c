// leaky_relu(x) = x if x > 0, else SLOPE · x
override SLOPE: f32 = 0.01;
fn f(x: vec4<f32>) -> vec4<f32> { return select(x, SLOPE * x, x <= vec4(0.0)); }
fn df(y: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return select(dy, SLOPE * dy, y <= vec4(0.0)); }
