// Stochastic gradient descent with PyTorch's meaning of every setting. With W the window's total weight, for each parameter p:
//
//   g = clipped(gradient / W) + WEIGHT_DECAY · p
//   b = g in the first update, else MOMENTUM · b + (1 - DAMPENING) · g
//   g = g + MOMENTUM · b if NESTEROV, else b          (only with momentum)
//   p = p - lr · g

struct Scalars { @align(16) lr: f32 }

override MOMENTUM: f32 = 0.0;
override DAMPENING: f32 = 0.0;
override WEIGHT_DECAY: f32 = 0.0;
override NESTEROV: bool = false;

@group(0) @binding(0) var<uniform> scalars: array<Scalars, 2>;
var<private> given: Scalars;
@group(0) @binding(2) var<storage, read_write> stats: Stats;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;         // (parameters)
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;  // (parameters)
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>;     // (parameters) b, only with momentum

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
