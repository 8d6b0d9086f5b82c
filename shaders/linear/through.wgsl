// The backward pass through the activation that made the layer's input; saved is its x or y, whichever df needs.
@group(0) @binding(9) var<storage, read> saved: array<vec4<f32>>;    // (rows, inputs)
fn through(at: u32, d: vec4<f32>) -> vec4<f32> { return df(saved[at], d); }
