// The windows of a pooling over images (rows, height, width, columns), as in PyTorch: along an axis, window o covers the pixels
// o·stride - padding … o·stride - padding + kernel - 1, as far as they exist; at least one does.
//
// All sizes are constants, so that nothing is divided by a number that is not known before: a CPU does that lane by lane.
override HEIGHT: u32 = 1;
override X_WIDTH: u32 = 1;
override OUT_HEIGHT: u32 = 1;
override OUT_WIDTH: u32 = 1;
override COLUMNS4: u32 = 1;    // in vec4, rounded up
override X_STRIDE4: u32 = 1;   // from one pixel of x to the next, in vec4
override KERNEL_Y: u32 = 1;
override KERNEL_X: u32 = 1;
override STRIDE_Y: u32 = 1;
override STRIDE_X: u32 = 1;
override PADDING_Y: u32 = 0;
override PADDING_X: u32 = 0;

override ACCUMULATE: bool = false;

// Pixels (y.x … y.y - 1) × (x.x … x.y - 1), or windows.
struct Range2 {
    y: vec2<u32>,
    x: vec2<u32>,
}

// The pixels of a window along one axis.
fn pixels_along(o: u32, steps: u32, before: u32, reach: u32, count: u32) -> vec2<u32> {
    let at = o * steps;
    return vec2(max(at, before) - before, min(at + reach - before, count));
}

// The windows along one axis that a pixel lies in.
fn windows_along(at: u32, steps: u32, before: u32, reach: u32, count: u32) -> vec2<u32> {
    let from_start = at + before;
    return vec2((max(from_start + 1u, reach) - reach + steps - 1u) / steps, min(from_start / steps + 1u, count));
}

// The pixels of window o, a number in scan order.
fn pixels_of(o: u32) -> Range2 {
    return Range2(
        pixels_along(o / OUT_WIDTH, STRIDE_Y, PADDING_Y, KERNEL_Y, HEIGHT),
        pixels_along(o % OUT_WIDTH, STRIDE_X, PADDING_X, KERNEL_X, X_WIDTH),
    );
}

// The windows that a pixel lies in, a number in scan order.
fn windows_of(pixel: u32) -> Range2 {
    return Range2(
        windows_along(pixel / X_WIDTH, STRIDE_Y, PADDING_Y, KERNEL_Y, OUT_HEIGHT),
        windows_along(pixel % X_WIDTH, STRIDE_X, PADDING_X, KERNEL_X, OUT_WIDTH),
    );
}
