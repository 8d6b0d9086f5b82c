// A linear layer, and the activation after it, if any:
//
//   forward           y[r,o]         = f(bias[o] + Σ_i x[r,i] · weight[o,i])  i ascending; without BIAS from +0
//   backward_input    dinput[r,i]  (+)= df(saved, Σ_o dy[r,o] · weight[o,i])  o ascending; f of the layer below
//   backward_weight   dweight[o,i] (+)= Σ_r dy[r,o] · x[r,i]                  r in blocks, ascending
//                     dbias[o]     (+)= Σ_r dy[r,o]
//
// Here dy is the gradient before the activation. Rows and columns are padded with +0 to multiples of four, so that every
// load is a vec4. Other files give an invocation's share of the work, and the activation.

struct Dims {
    @align(16) inputs: u32,
    outputs: u32,
    inputs4: u32,    // inputs and outputs in vec4, rounded up
    outputs4: u32,
    x_stride4: u32,  // from one row of x to the next, in vec4
    first: u32,      // the first column that is made, in vec4; of a weight's gradient the first output
}

override ACCUMULATE: bool = false;
override BIAS: bool = true;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
var<private> lane: u32;
@group(0) @binding(2) var<storage, read> left: array<vec4<f32>>;                    // x forward, dy backward
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;              // weight (outputs, inputs), bias
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                 // (rows, outputs)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;            // (rows, inputs)
@group(0) @binding(6) var<storage, read> x: array<vec4<f32>>;                       // (rows, inputs)
@group(0) @binding(7) var<storage, read_write> dparameters: array<vec4<f32>>;       // as parameters
@group(0) @binding(8) var<storage, read_write> open_parameters: array<vec4<f32>>;   // as parameters: the open block

// Which weights of a vec4 of a row are real.
fn kept(i: u32) -> vec4<bool> { return real(i, size.inputs); }

fn left_at(at: u32) -> vec4<f32> { return left[at]; }

fn start_of(o: u32) -> vec4<f32> {
    if !BIAS { return vec4(0.0); }
    return parameters[bias_at(o)];
}

fn put_y(r: u32, o: u32, value: vec4<f32>) {
    if r >= lines(now) || o >= size.outputs4 { return; }
    let keep = real(o, size.outputs);
    let at = r * size.outputs4 + o;
    y[at] = select(vec4(0.0), activated(at, select(vec4(0.0), value, keep)), keep);
}

fn put_dx(r: u32, i: u32, value: vec4<f32>) {
    if r >= lines(now) || i >= size.inputs4 { return; }
    let at = r * size.inputs4 + i;
    let d = select(vec4(0.0), through(at, value), real(i, size.inputs));
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
