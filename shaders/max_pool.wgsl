// The largest value of each window, as PyTorch's nn.MaxPool2d, column by column:
//
//   forward    y[r,o,c]      = max over the pixels p of window o of x[r,p,c]
//   backward   dinput[r,p,c] (+)= df(saved, Σ_o dy[r,o,c]) over the windows o, ascending, whose largest value is that of pixel p; f of
//              the activation before it, if its kernels compute that, too
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
    let o = id.x / COLUMNS4;
    let c = id.x % COLUMNS4;
    let windows = OUT_HEIGHT * OUT_WIDTH;
    if o >= windows || id.y >= lines(now) { return; }
    let pixels = pixels_of(o);
    let image = id.y * HEIGHT;
    var best = x[((image + pixels.y.x) * X_WIDTH + pixels.x.x) * X_STRIDE4 + c];
    for (var py = pixels.y.x; py < pixels.y.y; py++) {
        for (var px = pixels.x.x; px < pixels.x.y; px++) {
            let v = x[((image + py) * X_WIDTH + px) * X_STRIDE4 + c];
            best = select(best, v, beats(v, best));
        }
    }
    y[(id.y * windows + o) * COLUMNS4 + c] = best;
}

fn put(at: u32, d: vec4<f32>) {
    let value = through(at, d);
    if ACCUMULATE { dinput[at] += value; } else { dinput[at] = value; }
}

// The pixel with the largest value of window o.
fn largest(image: u32, o: u32, c: u32) -> vec4<u32> {
    let pixels = pixels_of(o);
    var at = vec4(pixels.y.x * X_WIDTH + pixels.x.x);
    var best = x[(image + at.x) * X_STRIDE4 + c];
    for (var py = pixels.y.x; py < pixels.y.y; py++) {
        for (var px = pixels.x.x; px < pixels.x.y; px++) {
            let p = py * X_WIDTH + px;
            let v = x[(image + p) * X_STRIDE4 + c];
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
    let p = id.x / COLUMNS4;
    let c = id.x % COLUMNS4;
    let pixels = HEIGHT * X_WIDTH;
    if p >= pixels || id.y >= lines(now) { return; }
    let windows = windows_of(p);
    var d = vec4(0.0);
    for (var oy = windows.y.x; oy < windows.y.y; oy++) {
        for (var ox = windows.x.x; ox < windows.x.y; ox++) {
            let o = oy * OUT_WIDTH + ox;
            let mine = largest(id.y * pixels, o, c) == vec4(p);
            d += select(vec4(0.0), dy[(id.y * OUT_HEIGHT * OUT_WIDTH + o) * COLUMNS4 + c], mine);
        }
    }
    put((id.y * pixels + p) * COLUMNS4 + c, d);
}

// Where no windows overlap: an invocation for each window and what lies between it and the next ones.
@compute @workgroup_size(64)
fn backward_apart(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    let wide = (X_WIDTH + STRIDE_X - 1u) / STRIDE_X;
    let high = (HEIGHT + STRIDE_Y - 1u) / STRIDE_Y;
    let w = id.x / COLUMNS4;
    let c = id.x % COLUMNS4;
    if w >= high * wide || id.y >= lines(now) { return; }
    let window = vec2(w / wide, w % wide);
    let image = id.y * HEIGHT * X_WIDTH;
    var at = vec4(0xffffffffu);
    var d = vec4(0.0);
    if window.x < OUT_HEIGHT && window.y < OUT_WIDTH {
        let o = window.x * OUT_WIDTH + window.y;
        at = largest(image, o, c);
        d = dy[(id.y * OUT_HEIGHT * OUT_WIDTH + o) * COLUMNS4 + c];
    }
    for (var py = window.x * STRIDE_Y; py < min((window.x + 1u) * STRIDE_Y, HEIGHT); py++) {
        for (var px = window.y * STRIDE_X; px < min((window.y + 1u) * STRIDE_X, X_WIDTH); px++) {
            let p = py * X_WIDTH + px;
            put((image + p) * COLUMNS4 + c, select(vec4(0.0), d, at == vec4(p)));
        }
    }
}
