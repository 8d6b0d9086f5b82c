// Stochastic gradient descent with PyTorch's meaning of every setting. With W the window's total weight, for each parameter p:
//
//   g = clipped(gradient / W) + WEIGHT_DECAY · p
//   b = g in the first update, else MOMENTUM · b + (1 - DAMPENING) · g
//   g = g + MOMENTUM · b if NESTEROV, else b          (only with momentum)
//   p = p - lr · g

override MOMENTUM: f32 = 0.0;
override DAMPENING: f32 = 0.0;
override WEIGHT_DECAY: f32 = 0.0;
override NESTEROV: bool = false;

fn decayed(at: u32) -> vec4<f32> {
    return fma(vec4(WEIGHT_DECAY), parameters[at], normalised(gradients[at]));
}

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    given = scalars[id.z];
    let at = id.x + id.y * groups.x * 64u;
    if at == 0u { report(); }
    if at >= arrayLength(&parameters) || !updates(stats.sum) { return; }
    parameters[at] = fma(vec4(-given.lr), decayed(at), parameters[at]);
}

@compute @workgroup_size(64)
fn update_momentum(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    given = scalars[id.z];
    let at = id.x + id.y * groups.x * 64u;
    if at == 0u { report(); }
    if at >= arrayLength(&parameters) || !updates(stats.sum) { return; }
    var g = decayed(at);
    var b = g;
    if stats.made > 0u { b = fma(vec4(MOMENTUM), moments[at], (1.0 - DAMPENING) * g); }
    moments[at] = b;
    if NESTEROV { g = fma(vec4(MOMENTUM), b, g); } else { g = b; }
    parameters[at] = fma(vec4(-given.lr), g, parameters[at]);
}
