// The kernel of an optimizer: one invocation for each vec4 of the parameters. The part before this one gives rate_of
// and decay_of.

struct Dims { @align(16) first: u32 }   // the vec4 with which this dispatch begins

@group(0) @binding(0) var<uniform> scalars: array<Scalars, 2>;
@group(0) @binding(2) var<storage, read_write> stats: Stats;
@group(0) @binding(3) var<storage, read> gradients: array<vec4<f32>>;         // (parameters)
@group(0) @binding(4) var<storage, read_write> parameters: array<vec4<f32>>;  // (parameters)
@group(0) @binding(5) var<storage, read_write> moments: array<vec4<f32>>;     // optimizer state
@group(0) @binding(6) var<uniform> dims: array<Dims, 2>;

@compute @workgroup_size(64)
fn update(@builtin(global_invocation_id) id: vec3<u32>, @builtin(num_workgroups) groups: vec3<u32>) {
    now = clock[id.z];
    given = scalars[id.z];
    let at = dims[id.z].first + id.x + id.y * groups.x * 64u;
    if at == 0u { report(); }
    if at < arrayLength(&parameters) && outcome() == MADE {
        given.lr = rate_of(given.lr, at);
        update_at(at);
    }
}
