// How an invocation gets the vec4 of TILE rows, stride apart, that its neighbours need too: each of the 8 of a subgroup loads
// one row, and they exchange them.
fn mine(at: u32, stride: u32) -> vec4<f32> { return left_at(at + lane * stride); }
fn row(loaded: vec4<f32>, m: u32, at: u32, stride: u32) -> vec4<f32> { return subgroupShuffle(loaded, m); }
