// The global norm of the window's gradient, and the scale that limits it to MAX_NORM, like PyTorch's
// clip_grad_norm_. With W the window's total weight:
//
//   squares   norms[k]    = Σ (gradient / W)² over the k-th stretch of STRETCH vec4, in order
//   factor    stats.scale = min(1, MAX_NORM / (√(Σ_k norms[k]) + 1e-6))
//
// The number of parameters alone decides which elements are added in which order. The kernel also detects a gradient that is
// not finite.

override MAX_NORM: f32 = 1.0;

const STRETCH: u32 = 64u;

struct Dims { @align(16) first: u32 }   // the stretch with which this dispatch begins

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
@group(0) @binding(2) var<storage, read> gradients: array<vec4<f32>>;   // (parameters)
@group(0) @binding(3) var<storage, read_write> norms: array<f32>;       // (parameters / 4 / STRETCH, rounded up)
@group(0) @binding(4) var<storage, read_write> stats: Stats;

@compute @workgroup_size(64)
fn squares(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    let k = dims[id.z].first + id.x + id.y * groups.x * 64u;
    if k >= arrayLength(&norms) { return; }
    var sum = vec4(0.0);
    for (var at = k * STRETCH; at < min((k + 1u) * STRETCH, arrayLength(&gradients)); at++) {
        let gradient = gradients[at];
        watch(gradient);
        let g = gradient / stats.sum.y;
        sum = fma(g, g, sum);
    }
    norms[k] = (sum.x + sum.y) + (sum.z + sum.w);
}

const LANES: u32 = 64u;
var<workgroup> partial: array<f32, LANES>;

@compute @workgroup_size(LANES)
fn factor(@builtin(local_invocation_index) lane: u32) {
    var sum = 0.0;
    for (var k = lane; k < arrayLength(&norms); k += LANES) { sum += norms[k]; }
    partial[lane] = sum;
    workgroupBarrier();
    if lane == 0u {
        var all = 0.0;
        for (var k = 0u; k < LANES; k++) { all += partial[k]; }
        stats.scale = min(1.0, MAX_NORM / (sqrt(all) + 1e-6));
    }
}
