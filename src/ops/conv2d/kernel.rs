//! The choice among kernels of a convolution. All that fit its groups give the same bits.

use super::Conv2d;
use crate::gpu::Grid;
use crate::graph::{Hardware, pad4};
use crate::wgsl::{CHAIN, OUTER};

const GRADIENT: &str = include_str!("../../../shaders/linear/gradient.wgsl");
const SMALL_WGSL: &str = include_str!("../../../shaders/conv2d/small.wgsl");
const LANES_WGSL: &str = include_str!("../../../shaders/conv2d/lanes.wgsl");
const GROUPED_WGSL: &str = include_str!("../../../shaders/conv2d/grouped.wgsl");
const DEPTHWISE_WGSL: &str = include_str!("../../../shaders/conv2d/depthwise.wgsl");

/// The three kernels of a convolution, of one kind.
#[derive(Debug)]
pub struct ConvKernel {
    /// Its name.
    pub name: &'static str,
    /// Its WGSL, besides the parts that all kinds share.
    pub(super) parts: &'static [&'static str],
    /// Lines that an invocation or a workgroup makes.
    lines: u32,
    /// vec4 of channels that a workgroup of eight lanes makes; 0 if each invocation makes one by itself.
    quads: u32,
    /// Outputs in vec4 whose weights' gradients an invocation makes.
    pub(super) outputs_each: u32,
    /// Loop iterations per 32 lines of a weight's gradient.
    pub(super) turns: u64,
}

/// One vec4 of channels of four lines per invocation, in workgroups of 8 × 8.
static SMALL: ConvKernel = ConvKernel {
    name: "small",
    parts: &["const WIDE: u32 = 8u;\nconst HIGH: u32 = 8u;\n", CHAIN, OUTER, GRADIENT, SMALL_WGSL],
    lines: 4,
    quads: 0,
    outputs_each: 1,
    turns: 36,
};

/// The same for few channels.
static TALL: ConvKernel = ConvKernel {
    name: "tall",
    parts: &["const WIDE: u32 = 2u;\nconst HIGH: u32 = 32u;\n", CHAIN, OUTER, GRADIENT, SMALL_WGSL],
    ..SMALL
};

/// For a CPU whose subgroups are the lanes of a register: 32 pixels × 16 channels in a workgroup.
static LANES: ConvKernel = ConvKernel {
    name: "lanes",
    parts: &["const QUADS: u32 = 4u;\n", CHAIN, OUTER, GRADIENT, LANES_WGSL],
    lines: 32,
    quads: 4,
    outputs_each: 4,
    turns: 16,
};

/// The same for 8 channels.
static LANES_8: ConvKernel = ConvKernel {
    name: "lanes_8",
    parts: &["const QUADS: u32 = 2u;\n", CHAIN, OUTER, GRADIENT, LANES_WGSL],
    quads: 2,
    ..LANES
};

/// The same for 4 channels.
static LANES_4: ConvKernel = ConvKernel {
    name: "lanes_4",
    parts: &["const QUADS: u32 = 1u;\n", CHAIN, OUTER, GRADIENT, LANES_WGSL],
    quads: 1,
    ..LANES
};

/// For groups that do not begin at multiples of four channels.
static GROUPED: ConvKernel =
    ConvKernel { name: "grouped", parts: &[GRADIENT, GROUPED_WGSL], lines: 1, outputs_each: 4, turns: 200, ..SMALL };

/// For as many groups as channels.
static DEPTHWISE: ConvKernel = ConvKernel { name: "depthwise", parts: &[DEPTHWISE_WGSL], lines: 1, turns: 36, ..SMALL };

/// Fewer vec4 of channels than this leave most lanes of a workgroup that is eight wide empty.
const FEW: u32 = 4;

impl ConvKernel {
    /// The kernel that makes images of so many vec4 of channels, or the gradient of a weight.
    pub(super) fn of(conv: &Conv2d, inputs: u32, made4: u32, hardware: &Hardware) -> &'static ConvKernel {
        let (groups, outputs) = (conv.groups as u32, conv.channels as u32);
        let of_group = [inputs / groups, outputs / groups];
        if groups > 1 && groups == inputs && groups == outputs {
            return &DEPTHWISE;
        }
        if groups > 1 && of_group.iter().any(|channels| channels % 4 != 0) {
            return &GROUPED;
        }
        let asked = hardware.matmul.is_some_and(|name| name.starts_with("shared"));
        let wanted = if hardware.matmul.is_some() { asked } else { hardware.cpu };
        if hardware.subgroups && wanted {
            let fits = |kernel: &&&ConvKernel| groups == 1 || of_group.iter().all(|of| of % (4 * kernel.quads) == 0);
            let by_size: &[&'static ConvKernel] = match made4 {
                1 => &[&LANES_4],
                2 => &[&LANES_8, &LANES_4],
                _ => &[&LANES, &LANES_8, &LANES_4],
            };
            if let Some(kernel) = by_size.iter().find(fits) {
                return kernel;
            }
        }
        if made4 < FEW { &TALL } else { &SMALL }
    }

    /// The kernel of the gradient of a weight.
    pub(super) fn of_gradient(conv: &Conv2d, inputs: u32, hardware: &Hardware) -> &'static ConvKernel {
        let kernel = ConvKernel::of(conv, inputs, u32::MAX, hardware);
        // Those of lanes make 16 outputs at a time, all of one group.
        if kernel.quads > 0 && kernel.quads < 4 { &SMALL } else { kernel }
    }

    /// The grid of an image of so many vec4 of channels.
    pub(super) fn made(&self, made4: u32) -> Grid {
        let columns = if self.quads == 0 { made4 } else { 8 * made4.div_ceil(self.quads) };
        Grid::Tiles { columns, rows_each: self.lines }
    }

    /// The grid of the gradients of a weight of so many vec4 of outputs and of their weights, and of the bias.
    pub(super) fn gradient(&self, outputs4: u32, inputs4: u32, [high, wide]: [usize; 2]) -> Grid {
        match self.name {
            "depthwise" => Grid::Fixed { columns: outputs4, rows: (pad4(high) * wide) as u32 + 1 },
            "grouped" => Grid::Fixed { columns: inputs4 + 1, rows: 4 * outputs4 },
            _ if self.quads == 0 => Grid::Fixed { columns: inputs4 + 1, rows: outputs4 },
            _ => Grid::Fixed { columns: inputs4.next_multiple_of(8) + 8, rows: outputs4.div_ceil(4) },
        }
    }

    /// By how much the place of an invocation's output grows with its own, in parts of a grid.
    pub(super) fn outputs_apart(&self) -> u32 {
        if self.quads == 0 { 1 } else { self.outputs_each }
    }
}
