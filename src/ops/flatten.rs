//! Lays a sample out as one line, like PyTorch's `nn.Flatten`: an image channel after channel, (height, width, channels) to
//! (channels · height · width), and a sequence token after token. The memory of images has the channels last, so this moves every
//! number; a linear layer behind it has its weights in PyTorch's order.

use std::sync::Arc;

use super::pool::image;
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// Lays an image out as one line, channel after channel, and a sequence token after token.
#[derive(Clone, Copy, Debug)]
pub struct Flatten;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Flatten)]
}

fn step(cx: &OpContext, entry: &'static str, columns: u32) -> Step {
    let (x, outputs4) = (cx.input(0), cx.columns(cx.output()).div_ceil(4));
    let work = Work::moves(8 * outputs4, LoopBound::NONE);
    cx.step_over_rows(entry, Grid::Tiles { columns, rows_each: 1 }, work)
        .dims(&[
            ("positions", cx.positions()),
            ("columns", cx.columns(x)),
            ("columns4", cx.columns(x).div_ceil(4)),
            ("outputs4", outputs4),
            ("x_stride", cx.stride(x)),
        ])
        .constant("TOKENS", f64::from(u8::from(is_sequence(cx.graph.shape(x)))))
}

fn is_sequence(x: &Shape) -> bool {
    x.dims().len() == 2
}

/// The line of x within its row, and the column, of each number of a sample.
fn place(x: &Shape, at: usize) -> (usize, usize) {
    let (positions, columns) = (x.positions(), x.columns().unwrap_or(1));
    if is_sequence(x) { (at / columns, at % columns) } else { (at % positions, at / positions) }
}

impl Op for Flatten {
    fn name(&self) -> &'static str {
        "flatten"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/flatten.wgsl")])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        if !is_sequence(x) {
            image(x)?;
        }
        Ok(Shape::columns_of(x.dims().iter().product()))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let step = step(cx, "forward", cx.columns(cx.output()).div_ceil(4));
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let step = step(cx, "backward", cx.positions() * cx.columns(cx.input(0)).div_ceil(4));
        vec![step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        Some(Export::new("nn.Flatten()", vec![OnnxNode::new("Flatten", &["x"], "y")]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, positions) = (inputs[0], inputs[0].shape.positions());
        let value = |r, at| {
            let (line, c) = place(x.shape, at);
            x.at(r * positions + line, c)
        };
        Matrix::build(x.rows / positions, positions * x.columns, value)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, positions) = (inputs[0], inputs[0].shape.positions());
        let mut dx = Matrix::zeros(x.rows, x.columns);
        for (r, at) in (0..dy.rows).flat_map(|r| (0..dy.columns).map(move |at| (r, at))) {
            let (line, c) = place(x.shape, at);
            dx.values[(r * positions + line) * x.columns + c] = dy.at(r, at);
        }
        vec![dx]
    }

    /// Numbers are copied.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let exact = |m: &Matrix| Matrix::zeros(m.rows, m.columns);
        Tolerance { value: exact(checked.output), inputs: vec![exact(&checked.gradients[0])] }
    }
}
