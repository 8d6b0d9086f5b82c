//! The mean over all positions, like PyTorch's `nn.AdaptiveAvgPool2d(1)`: (height, width, channels) or (tokens, channels) to
//! (channels)

use std::sync::Arc;

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// For sequences, of which PyTorch's poolings want the channels before the tokens.
const CLASS: &str = r#"class MeanOfTokens(nn.Module):
    """The mean over the tokens of (rows, tokens, channels)."""

    def forward(self, x):
        return x.mean(1)
"#;

/// The mean over all positions of a row, column by column.
#[derive(Clone, Copy, Debug)]
pub struct GlobalAvgPool;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(GlobalAvgPool)]
}

fn step(cx: &OpContext, entry: &'static str, grid: Grid, turns: u64) -> Step {
    let columns4 = cx.columns(cx.input(0)).div_ceil(4);
    let work = Work::moves(4 * columns4 * (cx.positions() + 1), LoopBound::fixed(turns));
    cx.step_over_rows(entry, grid, work).dims(&[
        ("positions", cx.positions()),
        ("columns4", columns4),
        ("x_stride4", cx.stride(cx.input(0)) / 4),
    ])
}

impl Op for GlobalAvgPool {
    fn name(&self) -> &'static str {
        "global_avg_pool"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/global_avg_pool.wgsl")])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        match sample(x, "x")?.dims() {
            [.., channels] if x.dims().len() > 1 => Ok(Shape::columns_of(*channels)),
            _ => Err(format!(
                "x is {x}, but images (rows, height, width, channels) or sequences (rows, tokens, channels) are wanted"
            )),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let columns4 = cx.columns(cx.input(0)).div_ceil(4);
        let grid = Grid::Tiles { columns: columns4, rows_each: 1 };
        let step = step(cx, "forward", grid, u64::from(cx.positions()) + 1);
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let columns = cx.positions() * cx.columns(cx.input(0)).div_ceil(4);
        let step = step(cx, "backward", Grid::Tiles { columns, rows_each: 1 }, 0);
        vec![step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        if x.dims().len() == 2 {
            let axes = OnnxNode::new("Constant", &[], "axes").with("value_ints", vec![1]);
            let mean = OnnxNode::new("ReduceMean", &["x", "axes"], "y").with("keepdims", 0);
            return Some(Export::new("MeanOfTokens()", vec![axes, mean]).with_class(CLASS));
        }
        let nodes = vec![OnnxNode::new("GlobalAveragePool", &["x"], "mean"), OnnxNode::new("Flatten", &["mean"], "y")];
        Some(Export::new("nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Flatten())", nodes))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, positions) = (inputs[0], inputs[0].shape.positions());
        let sum = |r: usize, c: usize| (0..positions).map(|p| x.at(r * positions + p, c)).sum::<f64>();
        Matrix::build(x.rows / positions, x.columns, |r, c| sum(r, c) / positions as f64)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, positions) = (inputs[0], inputs[0].shape.positions());
        vec![Matrix::build(x.rows, x.columns, |line, c| dy.at(line / positions, c) / positions as f64)]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        // A division rounds by 2.5 units, as a few more terms.
        Tolerance::of_products(self, checked, &[checked.inputs[0].shape.positions() + 8, 9])
    }
}
