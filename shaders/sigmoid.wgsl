// sigmoid(x) = 1 / (1 + exp(-x))      d sigmoid = y (1 - y)
fn f(x: vec4<f32>) -> vec4<f32> { return logistic(x); }
fn df(y: vec4<f32>, dy: vec4<f32>) -> vec4<f32> { return dy * (y * (1.0 - y)); }
