// The learning rate of a vec4 of the parameters, lr · factor[k], and how much of the weight decay acts on it, decay[k]; k is the last
// stretch that begins at it or before it.

struct Stretch { @align(16) begins: u32, factor: f32, decay: f32 }

// In order; those that are not used begin behind the last parameter.
@group(0) @binding(11) var<uniform> stretches: array<Stretch, 256>;

fn stretch_of(at: u32) -> u32 {
    var k = 0u;
    for (var jump = 128u; jump > 0u; jump /= 2u) {
        if stretches[k + jump].begins <= at { k += jump; }
    }
    return k;
}

fn rate_of(lr: f32, at: u32) -> f32 { return lr * stretches[stretch_of(at)].factor; }
fn decay_of(decay: f32, at: u32) -> f32 { return decay * stretches[stretch_of(at)].decay; }
