// The learning rate and the weight decay of a vec4 of the parameters: the same for all. rates.wgsl is the other way.
fn rate_of(lr: f32, at: u32) -> f32 { return lr; }
fn decay_of(decay: f32, at: u32) -> f32 { return decay; }
