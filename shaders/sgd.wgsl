// Stochastic gradient descent without momentum. With W the window's total weight, for each parameter p:
//
//   g = clipped(gradient / W) + WEIGHT_DECAY · p
//   p = p - lr · g

override WEIGHT_DECAY: f32 = 0.0;

fn update_at(at: u32) {
    let g = fma(vec4(decay_of(WEIGHT_DECAY, at)), parameters[at], normalised(gradients[at]));
    let p = fma(vec4(-given.lr), g, parameters[at]);
    if keeps(size4(p)) { parameters[at] = p; }
}
