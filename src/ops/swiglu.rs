//! A gated activation that halves the columns: silu of the first half times the second half.

use std::sync::Arc;

use super::sigmoid::logistic;
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, SPECIAL};

/// In PyTorch, for the last dimension; of images that is the channels, which come first there.
const CLASS: &str = r#"class Swiglu(nn.Module):
    """The first half, through silu, times the second half."""

    def __init__(self, dim):
        super().__init__()
        self.dim = dim

    def forward(self, x):
        gate, up = x.chunk(2, self.dim)
        return nn.functional.silu(gate) * up
"#;

/// A number beyond counts as this, so that no product of two overflows.
const MOST: f64 = 1e18;

/// y = silu(a) · b of x = (a, b), two halves of the columns.
#[derive(Clone, Copy, Debug)]
pub struct Swiglu;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Swiglu)]
}

fn step(cx: &OpContext, entry: &'static str, tensors: u32) -> Step {
    let x = cx.input(0);
    let columns4 = cx.columns(x) / 8;
    let work = Work::moves(tensors * 4 * columns4, LoopBound::NONE);
    cx.step(entry, Grid::Elements { columns: columns4 }, work)
        .dims(&[("columns4", columns4), ("x_stride4", cx.stride(x) / 4)])
        .bind("x", cx.value(0))
}

/// a, b and sigmoid(a) of each column of y.
fn halves(x: &Matrix, r: usize, c: usize) -> (f64, f64, f64) {
    let [a, b] = [c, x.columns / 2 + c].map(|at| x.at(r, at).clamp(-MOST, MOST));
    (a, b, logistic(a))
}

impl Op for Swiglu {
    fn name(&self) -> &'static str {
        "swiglu"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/swiglu.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, SPECIAL, own])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let columns = sample(x, "x")?.columns().unwrap_or(0);
        if columns == 0 || !columns.is_multiple_of(8) {
            return Err(format!("x is {x}, but halves of it need a multiple of 8 columns"));
        }
        Ok(x.with_columns(columns / 2))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![step(cx, "forward", 3).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        vec![step(cx, "backward", 7).bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let dim: i64 = if x.dims().len() == 3 { 1 } else { -1 };
        let half = (x.columns()? / 2) as i64;
        let ints = |name: &str, value: i64| OnnxNode::new("Constant", &[], name).with("value_ints", vec![value]);
        let nodes = vec![
            ints("zero", 0),
            ints("half", half),
            ints("all", 2 * half),
            ints("axis", dim),
            OnnxNode::new("Slice", &["x", "zero", "half", "axis"], "gate"),
            OnnxNode::new("Slice", &["x", "half", "all", "axis"], "up"),
            OnnxNode::new("Sigmoid", &["gate"], "open"),
            OnnxNode::new("Mul", &["gate", "open"], "opened"),
            OnnxNode::new("Mul", &["opened", "up"], "y"),
        ];
        Some(Export::new(format!("Swiglu({dim})"), nodes).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        Matrix::build(x.rows, x.columns / 2, |r, c| {
            let (a, b, s) = halves(&x, r, c);
            a * s * b
        })
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, half) = (inputs[0], inputs[0].columns / 2);
        let d = |r, at: usize| {
            let (a, b, s) = halves(&x, r, at % half);
            dy.at(r, at % half) * if at < half { b * s * (1.0 + a * (1.0 - s)) } else { a * s }
        };
        vec![Matrix::build(x.rows, x.columns, d)]
    }

    /// As that of an activation, times the other half.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let (x, dy, half) = (checked.inputs[0], checked.doutput, checked.inputs[0].columns / 2);
        let value = |r, c| {
            let (a, b, _) = halves(&x, r, c);
            1e-6 * (1.0 + a.abs()) * b.abs()
        };
        let gradient = |r, at: usize| {
            let (a, b, _) = halves(&x, r, at % half);
            1e-6 * (1.0 + a.abs()) * dy.at(r, at % half).abs() * if at < half { b.abs() } else { 1.0 }
        };
        Tolerance {
            value: Matrix::build(x.rows, half, value),
            inputs: vec![Matrix::build(x.rows, x.columns, gradient)],
        }
    }
}
