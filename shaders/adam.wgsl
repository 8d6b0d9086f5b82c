// Adam and AdamW with PyTorch's meaning of every setting. With W the window's total weight, for each parameter p:
//
//   g = clipped(gradient / W)  (+ WEIGHT_DECAY · p, unless DECOUPLED)
//   p = p - lr · WEIGHT_DECAY · p                                      (only if DECOUPLED: AdamW)
//   m = β1 · m + (1 - β1) · g
//   v = β2 · v + (1 - β2) · g²
//   p = p - lr · (m / q1) / (√(v / q2) + EPSILON)      with q = 1 - βᵗ in update t
//
// q follows from the last update's: 1 - βᵗ = q + (1 - β)(1 - q). Of two places, every invocation reads one and the first writes
// the other, so that q counts the updates really made, whatever the host believes.

override KEEP1: f32 = 0.1;      // 1 - β1
override KEEP2: f32 = 0.001;    // 1 - β2
override EPSILON: f32 = 1e-8;
override WEIGHT_DECAY: f32 = 0.0;
override DECOUPLED: bool = false;

fn update_at(at: u32) {
    let count = arrayLength(&parameters);
    let before = stats.corrections[stats.made % 2u];
    let q = fma(vec2(KEEP1, KEEP2), 1.0 - before, before);
    if at == 0u { stats.corrections[(stats.made + 1u) % 2u] = q; }

    var p = parameters[at];
    var g = normalised(gradients[at]);
    let decay = decay_of(WEIGHT_DECAY, at);
    if DECOUPLED { p = fma(vec4(-given.lr * decay), p, p); } else { g = fma(vec4(decay), p, g); }
    let m = fma(vec4(KEEP1), g - moments[at], moments[at]);
    let v = fma(vec4(KEEP2), g * g, (1.0 - KEEP2) * moments[count + at]);
    p = p - (given.lr / q.x) * m / (sqrt(v / q.y) + EPSILON);
    if keeps(max(size4(p), max(size4(m), size4(v)))) {
        moments[at] = m;
        moments[count + at] = v;
        parameters[at] = p;
    }
}
