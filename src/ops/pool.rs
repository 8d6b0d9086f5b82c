//! What the poolings share: the windows of an image, `shaders/lib/pool.wgsl`.

use serde_json::Value;

use super::arguments::Arguments;
use crate::gpu::Grid;
use crate::graph::{Attribute, LoopBound, OnnxNode, OpContext, Shape, Step, Work, sample};
use crate::tensor::Operand;

/// The windows of a pooling, along (height, width), as in PyTorch: window o covers the pixels o·stride - padding … + kernel - 1.
/// Windows that would reach beyond the padding are left out (floor mode).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Windows {
    /// Pixels of a window.
    pub kernel: [usize; 2],
    /// Pixels from one window to the next.
    pub stride: [usize; 2],
    /// Pixels before and behind the image.
    pub padding: [usize; 2],
}

impl Windows {
    /// Windows of this size side by side.
    pub fn side_by_side(kernel: usize) -> Windows {
        Windows { kernel: [kernel; 2], stride: [kernel; 2], padding: [0; 2] }
    }

    /// From the arguments `kernel`, `stride` (the kernel if not given) and `padding`.
    pub(super) fn from(arguments: &Arguments, name: &str) -> Result<Windows, String> {
        let wanted = || {
            format!(
                "takes the size of its windows, as in {{ {name} = 2 }} or {{ {name} = {{ kernel = 3, stride = 2 }} }}"
            )
        };
        let kernel = arguments.pair("kernel", 1)?.ok_or_else(wanted)?;
        let stride = arguments.pair("stride", 1)?.unwrap_or(kernel);
        let padding = arguments.pair("padding", 0)?.unwrap_or_default();
        if padding.iter().zip(kernel).any(|(&padding, kernel)| padding > kernel / 2) {
            return Err(format!("padding {padding:?} is more than half of the kernel {kernel:?}"));
        }
        Ok(Windows { kernel, stride, padding })
    }

    /// The shape of the output for an image of this shape.
    pub(super) fn output(&self, x: &Shape) -> Result<Shape, String> {
        let [height, width, channels] = image(x)?;
        let Windows { kernel, stride, padding } = self;
        let count = |axis: usize, size: usize| {
            (size + 2 * padding[axis]).checked_sub(kernel[axis]).map(|left| left / stride[axis] + 1)
        };
        match [count(0, height), count(1, width)] {
            [Some(height), Some(width)] => Ok(Shape::of(&[height, width, channels])),
            _ => Err(format!("x is {x}, in which no window of {kernel:?} fits with a padding of {padding:?}")),
        }
    }

    /// The pixels that exist of window `o` along an axis of this size.
    pub(super) fn pixels(&self, axis: usize, o: usize, size: usize) -> std::ops::Range<usize> {
        let end = o * self.stride[axis] + self.kernel[axis] - self.padding[axis];
        (o * self.stride[axis]).saturating_sub(self.padding[axis])..end.min(size)
    }

    /// Whether no pixel lies in two windows, and none is added.
    pub(super) fn are_apart(&self) -> bool {
        self.padding == [0, 0] && self.kernel.iter().zip(self.stride).all(|(&kernel, stride)| kernel <= stride)
    }

    /// Most windows that one pixel lies in.
    pub(super) fn overlap(&self) -> usize {
        self.kernel.iter().zip(self.stride).map(|(kernel, stride)| kernel.div_ceil(stride)).product()
    }

    /// A bound on the iterations of two loops over the pixels of a window.
    pub(super) fn turns(&self) -> u64 {
        turns(self.kernel)
    }

    /// A bound on the iterations of two loops over the windows of a pixel, each of which takes `inside` more.
    pub(super) fn turns_back(&self, inside: u64) -> u64 {
        let windows = [0, 1].map(|axis| self.kernel[axis].div_ceil(self.stride[axis]));
        turns(windows) + (windows[0] * windows[1]) as u64 * inside
    }

    /// A step with one invocation for each vec4 of columns of each pixel of an image of this many pixels, row by row.
    pub(super) fn step(&self, cx: &OpContext, entry: &'static str, pixels: usize, moves: usize, turns: u64) -> Step {
        let (x, y) = (cx.graph.shape(cx.input(0)), cx.graph.shape(cx.output()));
        let columns4 = cx.columns(cx.input(0)).div_ceil(4);
        let work = Work::moves((moves * 4 * columns4 as usize).min(u32::MAX as usize) as u32, LoopBound::fixed(turns));
        let [kernel, stride, padding] =
            [self.kernel, self.stride, self.padding].map(|pair| pair.map(|size| size as u32));
        let mut step = cx.step_over_rows(entry, Grid::Tiles { columns: pixels as u32 * columns4, rows_each: 1 }, work);
        let constants = [
            ("HEIGHT", x.dims()[0] as u32),
            ("X_WIDTH", x.dims()[1] as u32),
            ("OUT_HEIGHT", y.dims()[0] as u32),
            ("OUT_WIDTH", y.dims()[1] as u32),
            ("COLUMNS4", columns4),
            ("X_STRIDE4", cx.stride(cx.input(0)) / 4),
            ("KERNEL_Y", kernel[0]),
            ("KERNEL_X", kernel[1]),
            ("STRIDE_Y", stride[0]),
            ("STRIDE_X", stride[1]),
            ("PADDING_Y", padding[0]),
            ("PADDING_X", padding[1]),
        ];
        step.constants.extend(constants.map(|(name, value)| (name, f64::from(value))));
        step
    }

    /// Calls `with` for each window of each row: the line of the output, and the lines of x in it, in the order of the scan.
    pub(super) fn each(&self, x: &Operand, mut with: impl FnMut(usize, &[usize])) {
        let Ok(y) = self.output(x.shape) else { return };
        let ([height, width], [out_height, out_width]) =
            ([0, 1].map(|axis| x.shape.dims()[axis]), [y.dims()[0], y.dims()[1]]);
        for row in 0..x.rows / (height * width) {
            for o in 0..out_height * out_width {
                let (ys, xs) = (self.pixels(0, o / out_width, height), self.pixels(1, o % out_width, width));
                let line = |y: usize, x: usize| (row * height + y) * width + x;
                let lines: Vec<usize> = ys.flat_map(|y| xs.clone().map(move |x| line(y, x))).collect();
                with(row * out_height * out_width + o, &lines);
            }
        }
    }

    /// The arguments of a module of PyTorch.
    pub(super) fn torch(&self) -> String {
        let pair = |[high, wide]: [usize; 2]| format!("({high}, {wide})");
        format!("{}, stride={}, padding={}", pair(self.kernel), pair(self.stride), pair(self.padding))
    }

    /// A node of ONNX that takes windows.
    pub(super) fn onnx(&self, operator: &'static str) -> OnnxNode {
        let whole = |values: &[usize]| Attribute::Ints(values.iter().map(|&value| value as i64).collect());
        OnnxNode::new(operator, &["x"], "y")
            .with("kernel_shape", whole(&self.kernel))
            .with("strides", whole(&self.stride))
            .with("pads", whole(&[self.padding, self.padding].concat()))
    }
}

/// The arguments of a configuration that say what windows there are.
pub(super) fn windows(given: &Value, name: &str) -> Result<Windows, String> {
    Windows::from(&Arguments::new(given, &["kernel", "stride", "padding"])?, name)
}

/// Iterations of two loops, one in the other, with their ends.
fn turns([outer, inner]: [usize; 2]) -> u64 {
    outer as u64 * (inner as u64 + 2) + 1
}

/// Height, width and channels.
pub(super) fn image(x: &Shape) -> Result<[usize; 3], String> {
    let x = sample(x, "x")?;
    let wanted = || format!("x is {x}, but images (rows, height, width, channels) are wanted");
    x.dims().try_into().map_err(|_| wanted())
}
