// What every optimizer binds, and what it does first: the window's gradient sums, divided by its weight and clipped.

struct Scalars { @align(16) lr: f32 }

@group(0) @binding(0) var<uniform> scalars: array<Scalars, 2>;
var<private> given: Scalars;
@group(0) @binding(2) var<storage, read_write> stats: Stats;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;         // (parameters)
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;  // (parameters)
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>;     // what the optimizer remembers of each

override CLIP_NORM: bool = false;   // whether stats.scale was made from the gradient's norm
override CLIP_VALUE: f32 = 0.0;     // above 0: every element is cut to ±CLIP_VALUE, after the norm

fn normalised(gradient: vec4<f32>) -> vec4<f32> {
    var g = gradient / stats.sum.y;
    if CLIP_NORM { g *= stats.scale; }
    if CLIP_VALUE > 0.0 { g = clamp(g, vec4(-CLIP_VALUE), vec4(CLIP_VALUE)); }
    return g;
}
