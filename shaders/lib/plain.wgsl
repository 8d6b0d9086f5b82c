// How an invocation gets the vec4 of TILE rows, stride apart, that its neighbours need too: each loads all of them.
fn mine(at: u32, stride: u32) -> vec4<f32> { return vec4(0.0); }
fn row(loaded: vec4<f32>, m: u32, at: u32, stride: u32) -> vec4<f32> { return left_at(at + m * stride); }
