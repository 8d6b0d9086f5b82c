// Lion. With W the window's total weight, for each parameter p:
//
//   g = clipped(gradient / W)
//   p = p - lr · (sign(β1 · m + (1 - β1) · g) + WEIGHT_DECAY · p)
//   m = β2 · m + (1 - β2) · g                      m is 0 before the first update

override KEEP1: f32 = 0.1;    // 1 - β1 and 1 - β2
override KEEP2: f32 = 0.01;
override WEIGHT_DECAY: f32 = 0.0;

fn update_at(at: u32) {
    let g = normalised(gradients[at]);
    let m = moments[at];
    let direction = sign(fma(vec4(KEEP1), g - m, m));
    let p = fma(vec4(-given.lr), fma(vec4(decay_of(WEIGHT_DECAY, at)), parameters[at], direction), parameters[at]);
    let next = fma(vec4(KEEP2), g - m, m);
    if keeps(max(size4(p), size4(next))) {
        moments[at] = next;
        parameters[at] = p;
    }
}
