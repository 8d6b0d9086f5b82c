//! The last token of a sequence, which with causal attention has seen all others: (tokens, columns) to (columns)

use std::sync::Arc;

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// In PyTorch, which has no module for it.
const CLASS: &str = r#"class LastToken(nn.Module):
    """The last token of (rows, tokens, columns)."""

    def forward(self, x):
        return x[:, -1]
"#;

/// The columns of the last token.
#[derive(Clone, Copy, Debug)]
pub struct LastToken;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(LastToken)]
}

fn step(cx: &OpContext, entry: &'static str, grid: Grid, moved: u32) -> Step {
    let columns4 = cx.columns(cx.input(0)).div_ceil(4);
    cx.step_over_rows(entry, grid, Work::moves(moved, LoopBound::NONE)).dims(&[
        ("tokens", cx.positions()),
        ("columns4", columns4),
        ("x_stride4", cx.stride(cx.input(0)) / 4),
    ])
}

impl Op for LastToken {
    fn name(&self) -> &'static str {
        "last_token"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/last_token.wgsl")])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        match sample(x, "x")?.dims() {
            [_, columns] => Ok(Shape::columns_of(*columns)),
            _ => Err(format!("x is {x}, but (rows, tokens, columns) are wanted")),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let columns4 = cx.columns(cx.input(0)).div_ceil(4);
        let grid = Grid::Tiles { columns: columns4, rows_each: 1 };
        vec![step(cx, "forward", grid, 8 * columns4).bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let columns = cx.positions() * cx.columns(cx.input(0)).div_ceil(4);
        let step = step(cx, "backward", Grid::Tiles { columns, rows_each: 1 }, 4 * columns);
        vec![step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        let int = |name: &str, value: i64| OnnxNode::new("Constant", &[], name).with("value_int", value);
        let nodes = vec![int("last", -1), OnnxNode::new("Gather", &["x", "last"], "y").with("axis", 1)];
        Some(Export::new("LastToken()", nodes).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, tokens) = (inputs[0], inputs[0].shape.positions());
        Matrix::build(x.rows / tokens, x.columns, |r, c| x.at((r + 1) * tokens - 1, c))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, tokens) = (inputs[0], inputs[0].shape.positions());
        let d = |l: usize, c| if (l + 1).is_multiple_of(tokens) { dy.at(l / tokens, c) } else { 0.0 };
        vec![Matrix::build(x.rows, x.columns, d)]
    }

    /// Numbers are copied.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_products(self, checked, &[1, 2])
    }
}
