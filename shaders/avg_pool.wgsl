// The mean of each window, as PyTorch's nn.AvgPool2d, column by column:
//
//   forward    y[r,o,c]      = Σ_p x[r,p,c] / n[o] over the pixels p of window o, in scan order
//   backward   dinput[r,p,c] (+)= Σ_o dy[r,o,c] / n[o] over the windows o that pixel p lies in, ascending
//
// n[o] is the number of pixels of a window: of all, padding included, or (PIXELS_ONLY) of those that exist.

override PIXELS_ONLY: bool = false;

@group(0) @binding(2) var<storage, read> x: array<vec4<f32>>;             // (rows, height, width, columns)
@group(0) @binding(3) var<storage, read_write> y: array<vec4<f32>>;       // (rows, out_height, out_width, columns)
@group(0) @binding(4) var<storage, read> dy: array<vec4<f32>>;            // as y
@group(0) @binding(5) var<storage, read_write> dinput: array<vec4<f32>>;  // (rows, height, width, columns)

// n[o]
fn count_of(pixels: Range2) -> f32 {
    if PIXELS_ONLY { return f32((pixels.y.y - pixels.y.x) * (pixels.x.y - pixels.x.x)); }
    return f32(KERNEL_Y * KERNEL_X);
}

@compute @workgroup_size(64)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    let o = id.x / COLUMNS4;
    let c = id.x % COLUMNS4;
    let windows = OUT_HEIGHT * OUT_WIDTH;
    if o >= windows || id.y >= lines(now) { return; }
    let pixels = pixels_of(o);
    let image = id.y * HEIGHT;
    var sum = vec4(0.0);
    for (var py = pixels.y.x; py < pixels.y.y; py++) {
        for (var px = pixels.x.x; px < pixels.x.y; px++) {
            sum += x[((image + py) * X_WIDTH + px) * X_STRIDE4 + c];
        }
    }
    y[(id.y * windows + o) * COLUMNS4 + c] = sum / count_of(pixels);
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
            let at = (id.y * OUT_HEIGHT * OUT_WIDTH + o) * COLUMNS4 + c;
            d += dy[at] / count_of(pixels_of(o));
        }
    }
    let at = (id.y * pixels + p) * COLUMNS4 + c;
    if ACCUMULATE { dinput[at] += d; } else { dinput[at] = d; }
}
