//! Positions that are learned: adds a row of a table that is learned, like an `nn.Embedding` of the places.

use std::sync::Arc;

use serde_json::Value;

use super::{named, sequence};
use crate::gpu::{Grid, Shader};
use crate::graph::{
    Checked, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Role, Shape, Step, Tolerance, Work,
    sample,
};
use crate::tensor::{Matrix, Operand, pad4};
use crate::wgsl::CLOCK;

/// In PyTorch, whose `nn.Embedding` looks places up, but does not add them.
const CLASS: &str = r#"class Positions(nn.Embedding):
    """Adds the row of its place to each token."""

    def forward(self, x):
        return x + self.weight
"#;

/// y = x + weight, where `weight` has a row for each token of a sequence.
#[derive(Clone, Copy, Debug)]
pub struct Positions;

/// Sets the sizes of a step.
fn sized(cx: &OpContext, step: Step) -> Step {
    let x = cx.input(0);
    let (tokens, columns4) = (cx.positions(), cx.columns(x).div_ceil(4));
    step.dims(&[("tokens", tokens), ("columns4", columns4), ("x_stride4", cx.stride(x) / 4), ("first", 0)])
}

impl Op for Positions {
    fn name(&self) -> &'static str {
        "positions"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../../shaders/positions.wgsl")])
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        // As PyTorch's `nn.Embedding`.
        vec![ParameterSpec::new("weight", &sequence(x).unwrap_or([1, 1]), Init::Normal(1.0))]
    }

    fn takes_arguments(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        named(arguments)
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its weight".to_owned()) };
        let x = sample(x, "x")?;
        sequence(x)?;
        if *given != self.parameters(x) {
            return Err(format!("x is {x} but the weight is {}: they do not fit together", inputs[1]));
        }
        Ok(x.clone())
    }

    fn sums_rows(&self) -> bool {
        true
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let grid = Grid::Elements { columns: columns.div_ceil(4) };
        let step = sized(cx, cx.step("forward", grid, Work::moves(3 * columns, LoopBound::NONE)));
        vec![step.bind("x", cx.value(0)).bind("parameters", cx.value(1)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let input = cx.wants[0].map(|write| {
            let grid = Grid::Elements { columns: columns.div_ceil(4) };
            let step = sized(cx, cx.step("backward_input", grid, Work::moves(2 * columns, LoopBound::NONE)));
            step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)
        });
        let parameters4 = pad4(cx.positions() as usize) as u32 * columns.div_ceil(4);
        // Of each block: its rows, and the two loops' ends.
        let loops = LoopBound { fixed: 2, block: 34 };
        let work = Work { once: 8 * u64::from(parameters4), ..Work::moves(cx.positions() * columns, loops) };
        let parameters = sized(cx, cx.step_over_rows("backward_parameters", Grid::Line(parameters4), work))
            .bind("dy", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", 1);
        input.into_iter().chain([parameters]).collect()
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let [tokens, columns] = sequence(x).ok()?;
        let onnx = vec![OnnxNode::new("Add", &["x", "weight"], "y")];
        Some(Export::new(format!("Positions({tokens}, {columns})"), onnx).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, weight) = (inputs[0], inputs[1]);
        let tokens = x.shape.positions();
        Matrix::build(x.rows, x.columns, |l, c| x.at(l, c) + weight.at(0, l % tokens * x.columns + c))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, weight) = (inputs[0], inputs[1]);
        let count = weight.columns;
        let sum = |at: usize| (0..dy.values.len() / count).map(|r| dy.values[r * count + at]).sum();
        vec![Matrix::build(x.rows, x.columns, |l, c| dy.at(l, c)), Matrix::build(1, count, |_, at| sum(at))]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let x = checked.inputs[0];
        Tolerance::of_products(self, checked, &[2, 1, x.rows / x.shape.positions()])
    }
}
