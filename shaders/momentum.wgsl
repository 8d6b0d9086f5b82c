// Stochastic gradient descent with momentum and PyTorch's meaning of every setting. With W the window's total weight, for
// each parameter p:
//
//   g = clipped(gradient / W) + WEIGHT_DECAY · p
//   b = g in the first update, else MOMENTUM · b + (1 - DAMPENING) · g
//   g = g + MOMENTUM · b if NESTEROV, else b
//   p = p - lr · g

override MOMENTUM: f32 = 0.0;
override DAMPENING: f32 = 0.0;
override WEIGHT_DECAY: f32 = 0.0;
override NESTEROV: bool = false;

fn update_at(at: u32) {
    var g = fma(vec4(decay_of(WEIGHT_DECAY, at)), parameters[at], normalised(gradients[at]));
    var b = g;
    if stats.made > 0u { b = fma(vec4(MOMENTUM), moments[at], (1.0 - DAMPENING) * g); }
    if NESTEROV { g = fma(vec4(MOMENTUM), b, g); } else { g = b; }
    let p = fma(vec4(-given.lr), g, parameters[at]);
    if keeps(max(size4(p), size4(b))) {
        moments[at] = b;
        parameters[at] = p;
    }
}
