// The windows of a pooling over images (rows, height, width, columns), as in PyTorch: along an axis, window o covers the pixels
// o·stride - padding … o·stride - padding + kernel - 1, as far as they exist; at least one does.
struct Dims {
    @align(16) height: u32,
    width: u32,
    out_height: u32,
    out_width: u32,
    columns4: u32,   // in vec4, rounded up
    x_stride4: u32,  // from one pixel of x to the next, in vec4
    kernel_y: u32,
    kernel_x: u32,
    stride_y: u32,
    stride_x: u32,
    padding_y: u32,
    padding_x: u32,
}

override ACCUMULATE: bool = false;

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;

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
        pixels_along(o / size.out_width, size.stride_y, size.padding_y, size.kernel_y, size.height),
        pixels_along(o % size.out_width, size.stride_x, size.padding_x, size.kernel_x, size.width),
    );
}

// The windows that a pixel lies in, a number in scan order.
fn windows_of(pixel: u32) -> Range2 {
    return Range2(
        windows_along(pixel / size.width, size.stride_y, size.padding_y, size.kernel_y, size.out_height),
        windows_along(pixel % size.width, size.stride_x, size.padding_x, size.kernel_x, size.out_width),
    );
}
