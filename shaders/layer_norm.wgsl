// Layer normalisation of the columns of each line, as PyTorch's nn.LayerNorm over the last dimension. With C columns:
//
//   mean[l] = Σ_c x[l,c] / C, or 0 unless CENTERED        rstd[l] = 1 / √(Σ_c (x[l,c] - mean[l])² / C + EPS)        h = (x - mean) · rstd
//
//   forward               y[l,c]      = h[l,c] · weight[c] + bias[c]
//   backward_input        dinput[l,c] (+)= rstd[l] · (g[l,c] - Σ_c g[l,c] / C - h[l,c] · Σ_c g[l,c] · h[l,c] / C),  g = dy · weight
//   backward_parameters   dweight[c]  (+)= Σ_l dy[l,c] · h[l,c]        l in blocks, ascending
//                         dbias[c]    (+)= Σ_l dy[l,c]        if BIASED
//
// Without the mean it is nn.RMSNorm; then Σ_c g[l,c] / C is left out of dinput, too.
// Saved of each line: h, then rstd. With h saved the backward kernels do not need x, and four buffers are enough. The four
// columns of a vec4 are four chains, ascending; their sums are added pairwise at the end.

override EPS: f32 = 1e-5;
override CENTERED: bool = true;
override BIASED: bool = true;
override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns: u32,
    columns4: u32,   // in vec4, rounded up
    x_stride4: u32,  // from one line of x to the next, in vec4
    first: u32,      // the first vec4 of columns whose parameters' gradients are made
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;                       // (lines, columns)
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;              // weight (columns), bias (columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                 // (lines, columns)
@group(0) @binding(5) var<storage, read_write> saved: array<vec4<f32>>;             // (lines, h | rstd)
@group(0) @binding(6) var<storage, read> dy: array<vec4<f32>>;                      // (lines, columns)
@group(0) @binding(7) var<storage, read_write> dinput: array<vec4<f32>>;            // (lines, columns)
@group(0) @binding(8) var<storage, read_write> dparameters: array<vec4<f32>>;       // as parameters
@group(0) @binding(9) var<storage, read_write> open_parameters: array<vec4<f32>>;   // as parameters: the open block

fn total(sum: vec4<f32>) -> f32 { return (sum.x + sum.y) + (sum.z + sum.w); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= lines(now) { return; }
    let x_at = id.x * size.x_stride4;
    let y_at = id.x * size.columns4;
    let saved_at = id.x * (size.columns4 + 1u);
    var mean = 0.0;
    if CENTERED {
        var sum = vec4(0.0);
        for (var c = 0u; c < size.columns4; c++) { sum += x[x_at + c]; }
        mean = total(sum) / f32(size.columns);
    }
    var squares = vec4(0.0);
    for (var c = 0u; c < size.columns4; c++) {
        let d = select(vec4(0.0), x[x_at + c] - mean, real(c, size.columns));
        squares = fma(d, d, squares);
    }
    let rstd = inverseSqrt(total(squares) / f32(size.columns) + EPS);
    for (var c = 0u; c < size.columns4; c++) {
        let h = select(vec4(0.0), (x[x_at + c] - mean) * rstd, real(c, size.columns));
        saved[saved_at + c] = h;
        if BIASED { y[y_at + c] = fma(h, parameters[c], parameters[size.columns4 + c]); } else { y[y_at + c] = h * parameters[c]; }
    }
    saved[saved_at + size.columns4] = vec4(rstd, 0.0, 0.0, 0.0);
}

@compute @workgroup_size(64)
fn backward_input(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= lines(now) { return; }
    let at = id.x * size.columns4;
    let saved_at = id.x * (size.columns4 + 1u);
    var sum = vec4(0.0);
    var product = vec4(0.0);
    for (var c = 0u; c < size.columns4; c++) {
        let d = dy[at + c];
        sum = fma(d, parameters[c], sum);
        product = fma(d * parameters[c], saved[saved_at + c], product);
    }
    let mean = select(0.0, total(sum) / f32(size.columns), CENTERED);
    let along = total(product) / f32(size.columns);
    let rstd = saved[saved_at + size.columns4].x;
    for (var c = 0u; c < size.columns4; c++) {
        let g = fma(dy[at + c], parameters[c], vec4(-mean));
        let d = select(vec4(0.0), rstd * fma(saved[saved_at + c], vec4(-along), g), real(c, size.columns));
        if ACCUMULATE { dinput[at + c] += d; } else { dinput[at + c] = d; }
    }
}

@compute @workgroup_size(64)
fn backward_parameters(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let c = size.first + id.x;
    if c >= size.columns4 { return; }
    var weight = vec4(0.0);
    var bias = vec4(0.0);
    if now.first == 0u {
        weight = dparameters[c];
        if BIASED { bias = dparameters[size.columns4 + c]; }
    }
    var weight_part = vec4(0.0);
    var bias_part = vec4(0.0);
    if resumes(now) {
        weight_part = open_parameters[c];
        if BIASED { bias_part = open_parameters[size.columns4 + c]; }
    }
    var l = 0u;
    while l < lines(now) {
        let stop = block_stop(now, l);
        for (; l < stop; l++) {
            let d = dy[l * size.columns4 + c];
            weight_part = fma(d, saved[l * (size.columns4 + 1u) + c], weight_part);
            bias_part += d;
        }
        if closed(now, l) {
            weight += weight_part;
            bias += bias_part;
            weight_part = vec4(0.0);
            bias_part = vec4(0.0);
        }
    }
    dparameters[c] = weight;
    if BIASED { dparameters[size.columns4 + c] = bias; }
    if leaves_open(now) {
        open_parameters[c] = weight_part;
        if BIASED { open_parameters[size.columns4 + c] = bias_part; }
    }
}
