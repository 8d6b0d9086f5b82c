// The largest value of each window, as PyTorch's nn.MaxPool2d, column by column:
//
//   forward    y[r,o,c]      = max over the pixels p of window o of x[r,p,c]
//   backward   dinput[r,p,c] (+)= Σ_o dy[r,o,c] over the windows o, ascending, whose largest value is that of pixel p
//
// Of equal values the first in scan order counts; a NaN counts as larger than all others, the last one most. The backward kernel
// looks for the largest value again: no index is kept, and nothing is written twice.

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, height, width, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, out_height, out_width, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // as y
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, height, width, columns)

fn is_nan(v: vec4<f32>) -> vec4<bool> { return (bitcast<vec4<u32>>(v) & vec4(0x7fffffffu)) > vec4(0x7f800000u); }

// Whether a value takes the place of the largest one before it.
fn beats(v: vec4<f32>, best: vec4<f32>) -> vec4<bool> { return is_nan(v) | ((v > best) & !is_nan(best)); }

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let o = id.x / size.columns4;
    let c = id.x % size.columns4;
    let windows = size.out_height * size.out_width;
    if o >= windows || id.y >= lines(now) { return; }
    let pixels = pixels_of(o);
    let image = id.y * size.height;
    var best = x[((image + pixels.y.x) * size.width + pixels.x.x) * size.x_stride4 + c];
    for (var py = pixels.y.x; py < pixels.y.y; py++) {
        for (var px = pixels.x.x; px < pixels.x.y; px++) {
            let v = x[((image + py) * size.width + px) * size.x_stride4 + c];
            best = select(best, v, beats(v, best));
        }
    }
    y[(id.y * windows + o) * size.columns4 + c] = best;
}

// The pixel with the largest value of window o.
fn largest(image: u32, o: u32, c: u32) -> vec4<u32> {
    let pixels = pixels_of(o);
    var at = vec4(pixels.y.x * size.width + pixels.x.x);
    var best = x[(image + at.x) * size.x_stride4 + c];
    for (var py = pixels.y.x; py < pixels.y.y; py++) {
        for (var px = pixels.x.x; px < pixels.x.y; px++) {
            let p = py * size.width + px;
            let v = x[(image + p) * size.x_stride4 + c];
            let better = beats(v, best);
            best = select(best, v, better);
            at = select(at, vec4(p), better);
        }
    }
    return at;
}

@compute @workgroup_size(64)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    let p = id.x / size.columns4;
    let c = id.x % size.columns4;
    let pixels = size.height * size.width;
    if p >= pixels || id.y >= lines(now) { return; }
    let windows = windows_of(p);
    var d = vec4(0.0);
    for (var oy = windows.y.x; oy < windows.y.y; oy++) {
        for (var ox = windows.x.x; ox < windows.x.y; ox++) {
            let o = oy * size.out_width + ox;
            let mine = largest(id.y * pixels, o, c) == vec4(p);
            d += select(vec4(0.0), dy[(id.y * size.out_height * size.out_width + o) * size.columns4 + c], mine);
        }
    }
    let at = (id.y * pixels + p) * size.columns4 + c;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
