//! Scales each column by a factor that is learned and starts at 1: y = x · weight

use std::sync::Arc;

use crate::gpu::{Grid, Shader};
use crate::graph::{
    Checked, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Role, Shape, Step, Tolerance, Work,
    on_images, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// In PyTorch, which has no such module.
const CLASS: &str = r#"class Scale(nn.Module):
    """Multiplies each column by a factor."""

    def __init__(self, columns):
        super().__init__()
        self.weight = nn.Parameter(torch.ones(columns))

    def forward(self, x):
        return x * (self.weight[:, None, None] if x.dim() == 4 else self.weight)
"#;

/// y = x · weight, column by column.
#[derive(Clone, Copy, Debug)]
pub struct Scale;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Scale)]
}

fn step(cx: &OpContext, entry: &'static str, grid: fn(u32) -> Grid, work: Work) -> Step {
    let x = cx.input(0);
    let columns4 = cx.columns(x).div_ceil(4);
    cx.step(entry, grid(columns4), work).dims(&[("columns4", columns4), ("x_stride4", cx.stride(x) / 4), ("first", 0)])
}

impl Op for Scale {
    fn name(&self) -> &'static str {
        "scale"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/scale.wgsl")])
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        vec![ParameterSpec::new("weight", &[x.columns().unwrap_or(0)], Init::Constant(1.0))]
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its weight".to_owned()) };
        let x = sample(x, "x")?;
        if *given != self.parameters(x) {
            return Err(format!("x is {x} but the weight is {}: they do not fit together", inputs[1]));
        }
        Ok(x.clone())
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let grid = |columns| Grid::Elements { columns };
        let step = step(cx, "forward", grid, Work::moves(2 * cx.columns(cx.input(0)), LoopBound::NONE));
        vec![step.bind("x", cx.value(0)).bind("parameters", cx.value(1)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let input = cx.wants[0].map(|write| {
            let grid = |columns| Grid::Elements { columns };
            step(cx, "backward_input", grid, Work::moves(2 * columns, LoopBound::NONE))
                .bind("parameters", cx.value(1))
                .bind("dy", cx.output_gradient())
                .bind("dinput", cx.gradient(0))
                .write(write)
        });
        // Of each block: its lines, and the two loops' ends.
        let loops = LoopBound { fixed: 2, block: 34 };
        let work = Work { once: 2 * u64::from(columns), ..Work::moves(2 * columns, loops) };
        let parameters = step(cx, "backward_parameters", Grid::Line, work)
            .bind("x", cx.value(0))
            .bind("dy", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", 1);
        input.into_iter().chain([parameters]).collect()
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let torch = format!("Scale({})", x.columns()?);
        let onnx = match x.dims().len() {
            3 => on_images(vec![OnnxNode::new("Mul", &["x_last", "weight"], "y_last")]),
            _ => vec![OnnxNode::new("Mul", &["x", "weight"], "y")],
        };
        Some(Export::new(torch, onnx).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, weight) = (inputs[0], inputs[1]);
        Matrix::build(x.rows, x.columns, |r, c| x.at(r, c) * weight.at(0, c))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, weight) = (inputs[0], inputs[1]);
        let dx = Matrix::build(x.rows, x.columns, |r, c| dy.at(r, c) * weight.at(0, c));
        let sum = |c| (0..x.rows).map(|r| dy.at(r, c) * x.at(r, c)).sum();
        vec![dx, Matrix::build(1, x.columns, |_, c| sum(c))]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        // Terms of each sum of products: of the output, of the input's gradient, of the weight's.
        Tolerance::of_products(self, checked, &[1, 1, checked.inputs[0].rows])
    }
}
