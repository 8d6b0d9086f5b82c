// No activation: f(x) = x
fn activated(at: u32, x: vec4<f32>) -> vec4<f32> { return x; }
fn through(at: u32, d: vec4<f32>) -> vec4<f32> { return d; }
