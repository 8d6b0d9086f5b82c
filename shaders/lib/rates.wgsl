// The learning rate of a vec4 of the parameters, lr · factor[k], and how much of the weight decay acts on it, decay[k]; k is the last
// stretch that begins at it or before it.

struct Stretch { @align(16) begins: u32, factor: f32, decay: f32 }

// In order; those that are not used begin behind the last parameter.
@group(0) @binding(11) var<uniform> stretches: array<Stretch, 256>;

// The stretch of the vec4 whose rate was asked for last.
var<private> stretch: Stretch;

fn rate_of(lr: f32, at: u32) -> f32 {
    var k = 0u;
    for (var jump = 128u; jump > 0u; jump /= 2u) {
        if stretches[k + jump].begins <= at { k += jump; }
    }
    stretch = stretches[k];
    return lr * stretch.factor;
}

// Of the same vec4, after rate_of.
fn decay_of(decay: f32, at: u32) -> f32 { return decay * stretch.decay; }
