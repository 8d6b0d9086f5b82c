// A convolution of images, channels last, and the activation after it, if any. With tap (v, u) of the kernel, r a row:
//
//   forward           y[r,p,q,o]       = f(bias[o] + Σ_v Σ_u Σ_i x[r, p·STRIDE_H + v·step_h - pad_h, q·STRIDE_W + u·step_w - pad_w, i]
//                                          · weight[o,v,u,i])                  i in the group of o
//   backward_input    dinput[r,h,w,i] (+)= df(saved, Σ_v Σ_u Σ_o dy[r, (h + pad_h - v·step_h) / STRIDE_H, …, o] · weight[o,v,u,i])
//                                                                              over those taps whose quotients are whole
//   backward_weight   dweight[o,v,u,i] (+)= Σ_l dy[l,o] · x[pixel of l and v and u, i]      l in blocks, ascending
//                     dbias[o]         (+)= Σ_l dy[l,o]
//
// The order of both sums over taps: v ascending, then channels four at a time, then u, then the four channels: what is loaded for the
// taps of a row of the kernel serves all of them. A tap outside of the image adds weight · 0. An output's weights lie tap by tap, the
// channels of a group padded with +0 to a multiple of four. Nothing of an image is copied: a kernel computes where a tap's pixel is.

struct Dims {
    @align(16) outputs: u32,
    outputs4: u32,      // a pixel of y, in vec4
    inputs4: u32,       // the weights of an output, in vec4: taps · group4
    x4: u32,            // a pixel of x, in vec4
    group: u32,         // channels of x that an output reads
    group4: u32,        // the same in vec4, rounded up
    outputs_of_group: u32,
    high: u32,          // the kernel
    wide: u32,
    x_high: u32,        // the image x
    x_wide: u32,
    y_high: u32,        // the image y
    y_wide: u32,
    pad_h: u32,         // rows and columns of 0 before x
    pad_w: u32,
    step_h: u32,        // from one tap to the next, in pixels of x
    step_w: u32,
    inputs: u32,        // channels of x
    first: u32,         // where the part of the grid begins that is computed
}

override ACCUMULATE: bool = false;
override BIAS: bool = true;
override WIDTH: u32 = 1;       // of the image that is made, or of a phase of it
override STRIDE_H: u32 = 1;
override STRIDE_W: u32 = 1;
override LEAP_H: u32 = 1;      // from one tap to the next that reads for the same phase
override LEAP_W: u32 = 1;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> left: array<vec4<f32>>;                    // x forward, dy backward
@group(0) @binding(3) var<storage, read> parameters: array<vec4<f32>>;              // weight (outputs, taps, group), bias
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;                 // (lines of y, outputs)
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;            // (lines of x, inputs)
@group(0) @binding(6) var<storage, read> x: array<vec4<f32>>;                       // (lines of x, inputs)
@group(0) @binding(7) var<storage, read_write> dparameters: array<vec4<f32>>;       // as parameters
@group(0) @binding(8) var<storage, read_write> open_parameters: array<vec4<f32>>;   // as parameters: the open block

// Which weights of a vec4 of an output are real.
fn kept(j: u32) -> vec4<bool> { return real(j % size.group4, size.group); }

// A pixel of the image that is made: row, and place in the image.
fn pixel_of(l: u32) -> vec3<u32> {
    let at = l % POSITIONS;
    return vec3(l / POSITIONS, at / WIDTH, at % WIDTH);
}

// The pixel of y behind this one.
fn next(p: vec3<u32>) -> vec3<u32> {
    let wraps = p.z + 1u == size.y_wide;
    let down = select(p.y, p.y + 1u, wraps);
    let over = down == size.y_high;
    return vec3(select(p.x, p.x + 1u, over), select(down, 0u, over), select(p.z + 1u, 0u, wraps));
}

// The row of pixels that a row of taps reads for a pixel, its line of pixel 0, and whether there is one. Below 0 is a large number.
struct Row { at: u32, there: bool }

// The line that a tap reads for a pixel, and whether there is one.
struct Source { at: u32, there: bool }

fn row_of_y(p: vec3<u32>, v: u32) -> Row {
    let h = p.y * STRIDE_H + v * size.step_h - size.pad_h;
    return Row((p.x * size.x_high + h) * size.x_wide, h < size.x_high);
}

// The line of x that a tap reads for a pixel of y.
fn source_of_y(row: Row, p: vec3<u32>, u: u32) -> Source {
    let w = p.z * STRIDE_W + u * size.step_w - size.pad_w;
    let there = row.there && w < size.x_wide;
    return Source(select(0u, row.at + w, there), there);
}

// With strides, few taps read for a pixel of x: the same ones for all whose remainders by the strides are the same. The input's
// gradient is made phase by phase; lines are those of a phase, and all phases have as many, some of which are outside of the image.
struct Phase { h: u32, w: u32, v: u32, u: u32 }     // the remainders, and the first tap

const NO_LINE: u32 = 0xffffffffu;

fn phases() -> u32 { return min(STRIDE_H, size.x_high) * min(STRIDE_W, size.x_wide); }

fn phase_of(layer: Dims, n: u32) -> Phase {
    let along = min(STRIDE_W, layer.x_wide);
    var phase = Phase(n / along, n % along, 0u, 0u);
    while phase.v < LEAP_H && (phase.h + layer.pad_h + phase.v * layer.step_h * (STRIDE_H - 1u)) % STRIDE_H != 0u { phase.v++; }
    while phase.u < LEAP_W && (phase.w + layer.pad_w + phase.u * layer.step_w * (STRIDE_W - 1u)) % STRIDE_W != 0u { phase.u++; }
    // None at all.
    if phase.v == LEAP_H { phase.v = layer.high; }
    if phase.u == LEAP_W { phase.u = layer.wide; }
    return phase;
}

// A pixel of x.
fn pixel_in(phase: Phase, l: u32) -> vec3<u32> {
    return pixel_of(l) * vec3(1u, STRIDE_H, STRIDE_W) + vec3(0u, phase.h, phase.w);
}

fn line_in_x(phase: Phase, l: u32) -> u32 {
    let p = pixel_in(phase, l);
    let there = l < lines(now) && p.y < size.x_high && p.z < size.x_wide;
    return select(NO_LINE, (p.x * size.x_high + p.y) * size.x_wide + p.z, there);
}

fn row_of_x(p: vec3<u32>, v: u32) -> Row {
    let h = p.y + size.pad_h - v * size.step_h;
    return Row((p.x * size.y_high + h / STRIDE_H) * size.y_wide, h / STRIDE_H < size.y_high);
}

// The line of y whose tap reads a pixel of x.
fn source_of_x(row: Row, p: vec3<u32>, u: u32) -> Source {
    let w = p.z + size.pad_w - u * size.step_w;
    let there = row.there && w / STRIDE_W < size.y_wide;
    return Source(select(0u, row.at + w / STRIDE_W, there), there);
}

fn start_of(o: u32) -> vec4<f32> {
    if !BIAS { return vec4(0.0); }
    return parameters[bias_at(o)];
}

fn put_y(l: u32, o: u32, value: vec4<f32>) {
    if l >= lines(now) || o >= size.outputs4 { return; }
    let keep = real(o, size.outputs);
    let at = l * size.outputs4 + o;
    y[at] = select(vec4(0.0), activated(at, select(vec4(0.0), value, keep)), keep);
}

fn put_dx(l: u32, i: u32, value: vec4<f32>) {
    if l == NO_LINE || i >= size.x4 { return; }
    let at = l * size.x4 + i;
    let d = select(vec4(0.0), through(at, value), real(i, size.inputs));
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
