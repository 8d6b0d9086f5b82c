//! The choice among kernels of a convolution. All that fit its groups give the same bits.

use super::Conv2d;
use crate::gpu::Grid;
use crate::graph::{Hardware, pad4};
use crate::wgsl::{CHAIN, OUTER};

const GRADIENT: &str = include_str!("../../../shaders/linear/gradient.wgsl");
const SMALL_WGSL: &str = include_str!("../../../shaders/conv2d/small.wgsl");
const LANES_WGSL: &str = include_str!("../../../shaders/conv2d/lanes.wgsl");
const SMALL_WEIGHT_WGSL: &str = include_str!("../../../shaders/conv2d/small_weight.wgsl");
const LANES_WEIGHT_WGSL: &str = include_str!("../../../shaders/conv2d/lanes_weight.wgsl");
const SAME_WEIGHT_WGSL: &str = include_str!("../../../shaders/conv2d/same_weight.wgsl");
const BLOCKS_WGSL: &str = include_str!("../../../shaders/conv2d/blocks.wgsl");
const SUMS_WGSL: &str = include_str!("../../../shaders/conv2d/sums.wgsl");
const GROUPED_WGSL: &str = include_str!("../../../shaders/conv2d/grouped.wgsl");
const DEPTHWISE_WGSL: &str = include_str!("../../../shaders/conv2d/depthwise.wgsl");

/// Kernels of one kind: those that make images, those of the gradient of a weight, or both.
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
    /// Loop iterations per 32 lines of a weight's gradient.
    pub(super) turns: u64,
}

/// One vec4 of channels of four lines per invocation, in workgroups of 8 × 8.
static SMALL: ConvKernel = ConvKernel {
    name: "small",
    parts: &["const WIDE: u32 = 8u;\nconst HIGH: u32 = 8u;\n", CHAIN, GRADIENT, SMALL_WGSL],
    lines: 4,
    quads: 0,
    turns: 36,
};

/// The same for few channels.
static TALL: ConvKernel = ConvKernel {
    name: "tall",
    parts: &["const WIDE: u32 = 2u;\nconst HIGH: u32 = 32u;\n", CHAIN, GRADIENT, SMALL_WGSL],
    ..SMALL
};

/// The gradient of a weight, one vec4 of it for each of four outputs per invocation.
static SMALL_WEIGHT: ConvKernel =
    ConvKernel { name: "small_weight", parts: &[OUTER, GRADIENT, BLOCKS_WGSL, SUMS_WGSL, SMALL_WEIGHT_WGSL], ..SMALL };

/// For a CPU whose subgroups are the lanes of a register: 64 pixels × 16 channels in a workgroup.
static LANES: ConvKernel = ConvKernel {
    name: "lanes",
    parts: &["const QUADS: u32 = 4u;\n", CHAIN, GRADIENT, LANES_WGSL],
    lines: 64,
    quads: 4,
    turns: 16,
};

/// The same for 8 channels.
static LANES_8: ConvKernel = ConvKernel {
    name: "lanes_8",
    parts: &["const QUADS: u32 = 2u;\n", CHAIN, GRADIENT, LANES_WGSL],
    quads: 2,
    ..LANES
};

/// The same for 4 channels.
static LANES_4: ConvKernel = ConvKernel {
    name: "lanes_4",
    parts: &["const QUADS: u32 = 1u;\n", CHAIN, GRADIENT, LANES_WGSL],
    quads: 1,
    ..LANES
};

/// The gradient of a weight by the lanes of a register.
static LANES_WEIGHT: ConvKernel = ConvKernel {
    name: "lanes_weight",
    parts: &[OUTER, GRADIENT, BLOCKS_WGSL, SUMS_WGSL, LANES_WEIGHT_WGSL],
    turns: 36,
    ..LANES
};

/// The same where images keep their size: 18 taps of 4 channels × 16 outputs in a workgroup.
static SAME_WEIGHT: ConvKernel =
    ConvKernel { name: "same_weight", parts: &[OUTER, GRADIENT, BLOCKS_WGSL, SUMS_WGSL, SAME_WEIGHT_WGSL], ..LANES };

/// For groups that do not begin at multiples of four channels.
static GROUPED: ConvKernel = ConvKernel {
    name: "grouped",
    parts: &[GRADIENT, BLOCKS_WGSL, SUMS_WGSL, GROUPED_WGSL],
    lines: 1,
    turns: 200,
    ..SMALL
};

/// For as many groups as channels.
static DEPTHWISE: ConvKernel =
    ConvKernel { name: "depthwise", parts: &[BLOCKS_WGSL, DEPTHWISE_WGSL], lines: 1, turns: 36, ..SMALL };

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

    /// The kernel of the gradient of a weight, where images keep their size or do not.
    pub(super) fn of_gradient(conv: &Conv2d, inputs: u32, same: bool, hardware: &Hardware) -> &'static ConvKernel {
        let kernel = ConvKernel::of(conv, inputs, u32::MAX, hardware);
        match kernel.quads {
            // Those for groups of any size make images and gradients.
            0 if kernel.lines == 1 => kernel,
            4 if same && conv.kernel[1] > 1 && conv.dilation[1] <= 2 => &SAME_WEIGHT,
            4 => &LANES_WEIGHT,
            // Those of lanes would make 16 outputs at a time, of more than one group.
            _ => &SMALL_WEIGHT,
        }
    }

    /// Loop iterations behind one element of an image, whose sums are over taps of so many channels.
    pub(super) fn made_turns(&self, [high, wide]: [usize; 2], channels: u32) -> u64 {
        let (high, wide, quads) = (high as u64, wide as u64, u64::from(channels.div_ceil(4)));
        match self.name {
            // Four channels one after the other, each a product at a time.
            "grouped" => 4 * (high * (quads * (6 * wide + 2) + 2) + 2) + 1,
            _ => high * (quads * (wide + 2) + 2) + 4,
        }
    }

    /// Whether its lanes hand pixels on from tap to tap, where they lie this far apart.
    pub(super) fn hands_on(&self, span: i64) -> bool {
        self.quads > 0 && span <= 8
    }

    /// The constant that says how far taps are apart, if it takes one.
    pub(super) fn step(&self) -> Option<&'static str> {
        (self.name == "same_weight").then_some("STEP")
    }

    /// The grid of an image of so many vec4 of channels, made in so many phases.
    pub(super) fn made(&self, made4: u32, phases: u32) -> Grid {
        let columns = if self.quads == 0 { made4 } else { 8 * made4.div_ceil(self.quads) };
        Grid::Tiles { columns: phases * columns, rows_each: self.lines }
    }

    /// Invocations along both axes for the gradients of a weight of so many vec4 of outputs and of their weights, and of the bias.
    pub(super) fn gradient(&self, outputs4: u32, inputs4: u32, [high, wide]: [usize; 2]) -> [u32; 2] {
        match self.name {
            "depthwise" => [outputs4, (pad4(high) * wide) as u32 + 1],
            "same_weight" => {
                let rows_of_taps = inputs4 / wide as u32;
                [8 * rows_of_taps.div_ceil(6) * (wide as u32).div_ceil(3), outputs4.div_ceil(4)]
            }
            "grouped" => [inputs4 + 1, 4 * outputs4],
            _ if self.quads == 0 => [inputs4 + 1, outputs4],
            _ => [inputs4.next_multiple_of(8) + 8, outputs4.div_ceil(4)],
        }
    }

    /// By how much the place of an invocation's output grows with its own, in parts of a grid.
    pub(super) fn outputs_apart(&self) -> u32 {
        if self.quads == 0 { 1 } else { 4 }
    }
}
