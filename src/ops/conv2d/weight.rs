//! The gradient of a convolution's weight and bias: in one kernel, or block by block where there is room for the blocks' sums.

use super::{Conv2d, ConvKernel, Layer, shader};
use crate::gpu::Grid;
use crate::graph::{Blocks, LoopBound, Op, OpContext, Step, Work};
use crate::tensor::{Shape, pad4};

/// The blocks' sums of a row may take so many times the memory of the image that is made.
const ROOM: usize = 2;

impl Conv2d {
    /// Floats of weight and bias in memory.
    fn floats(&self, x: &Shape) -> usize {
        self.parameters(x).iter().map(|part| part.padded()).map(|(rows, columns)| rows * columns).sum()
    }

    /// How many blocks a row has, if each has its own sums: where no block is ever open, and the sums take little memory.
    pub(super) fn blocks_apart(&self, x: &Shape) -> Option<usize> {
        let [high, wide, channels] = self.made(x).ok()?;
        let blocks = Blocks::of(high * wide);
        let apart = blocks.positions.div_ceil(blocks.lines);
        let fits = apart * self.floats(x) <= ROOM * high * wide * pad4(channels);
        (fits && !blocks.can_be_open()).then_some(apart)
    }

    /// Floats of a row's sums.
    pub(super) fn sums(&self, x: &Shape) -> usize {
        self.blocks_apart(x).unwrap_or(0) * self.floats(x)
    }

    pub(super) fn backward_weight(&self, cx: &OpContext) -> Vec<Step> {
        let layer = self.layer(cx);
        let kernel = ConvKernel::of_gradient(self, layer.x[2], layer.is_same(), &cx.hardware);
        match self.blocks_apart(cx.graph.shape(cx.input(0))) {
            Some(apart) => self.by_blocks(cx, &layer, kernel, apart),
            None => vec![self.at_once(cx, &layer, kernel)],
        }
    }

    /// All blocks, one after the other.
    fn at_once(&self, cx: &OpContext, layer: &Layer, kernel: &'static ConvKernel) -> Step {
        let work = Work {
            loops: LoopBound { fixed: 16, block: kernel.turns },
            computes: 2 * layer.products(),
            per_line: layer.x[2] + layer.y[2],
            once: 2 * layer.weights(),
        };
        let step = cx.step_over(cx.output(), "backward_weight", layer.gradient(kernel), work);
        self.with_taps(kernel, step, layer)
            .bind("x", cx.value(0))
            .bind("left", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", kernel.outputs_apart())
    }

    /// Each block by itself, then the sums of their sums.
    fn by_blocks(&self, cx: &OpContext, layer: &Layer, kernel: &'static ConvKernel, apart: usize) -> Vec<Step> {
        let positions = (layer.y[0] * layer.y[1]) as usize;
        let lines = Blocks::of(positions).lines;
        let floats = self.floats(cx.graph.shape(cx.input(0))) as u32;
        let in_blocks = |step: Step| {
            self.with_taps(kernel, step, layer)
                .constant("BLOCKS", apart as f64)
                .constant("PLACES", positions as f64)
                .constant("LENGTH", lines as f64)
                .bind("sums", cx.scratch(0))
        };
        let work = Work {
            // Blocks have 256 lines at most.
            loops: LoopBound::fixed(8 * kernel.turns + 8),
            computes: 2 * lines as u64 * layer.products(),
            per_line: lines as u32 * (layer.x[2] + layer.y[2]) + floats,
            once: 0,
        };
        let grid = Grid::Tiles { columns: layer.gradient_of_block(kernel), rows_each: 1 };
        let blocks = in_blocks(cx.step_of_lines(apart, "weight_blocks", grid, work))
            .bind("x", cx.value(0))
            .bind("left", cx.output_gradient())
            .in_parts("first", 1);
        let work = Work { once: 2 * u64::from(floats), ..Work::moves(floats, LoopBound { fixed: 4, block: 34 }) };
        let fold = in_blocks(cx.step_of_lines(apart, "fold", Grid::Line(floats / 4), work))
            .bind("dparameters", cx.gradient(1));
        vec![blocks, fold]
    }

    fn with_taps(&self, kernel: &'static ConvKernel, step: Step, layer: &Layer) -> Step {
        let step = self.step(step, layer, shader(kernel, None), layer.y[1]);
        match kernel.step() {
            Some(name) => step.constant(name, self.dilation[1] as f64),
            None => step,
        }
    }
}

impl Layer<'_> {
    fn gradient(&self, kernel: &ConvKernel) -> Grid {
        let [columns, rows] = self.gradient_tiles(kernel);
        Grid::Fixed { columns, rows }
    }

    /// The same in one line of workgroups.
    fn gradient_of_block(&self, kernel: &ConvKernel) -> u32 {
        let [columns, rows] = self.gradient_tiles(kernel);
        columns * rows
    }

    fn gradient_tiles(&self, kernel: &ConvKernel) -> [u32; 2] {
        kernel.gradient(self.y[2].div_ceil(4), self.taps() * self.group4(), self.conv.kernel)
    }
}
