//! Each channel in a unit of its own, as torchvision's `transforms.Normalize`: `y = (x - mean) / std`, nothing of it learned.

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::gpu::{Grid, Scalar, Shader};
use crate::graph::tolerance::EPS;
use crate::graph::{
    Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Table, Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, PADDING};

/// Most channels: the length of `channels` in `shaders/normalize.wgsl`.
pub const MOST_CHANNELS: usize = 64;

/// In PyTorch.
const CLASS: &str = r#"class Normalize(nn.Module):
    """Each channel in a unit of its own."""

    def __init__(self, mean, std, behind):
        super().__init__()
        self.shape = [-1] + [1] * behind  # dimensions behind the channels
        self.register_buffer("mean", torch.tensor(mean), persistent=False)
        self.register_buffer("std", torch.tensor(std), persistent=False)

    def forward(self, x):
        return (x - self.mean.view(self.shape)) / self.std.view(self.shape)
"#;

/// Takes the mean of each channel away and divides by its deviation.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Normalize {
    /// Of each channel.
    pub mean: Vec<f64>,
    /// Of each channel; above 0.
    pub std: Vec<f64>,
}

pub(super) fn samples(columns: usize) -> Vec<Arc<dyn Op>> {
    let of = |f: fn(usize) -> f64| (0..columns).map(f).collect();
    let op = Normalize { mean: of(|c| 0.5 - c as f64 / 8.0), std: of(|c| 0.25 + c as f64 / 4.0) };
    if columns > MOST_CHANNELS { Vec::new() } else { vec![Arc::new(op)] }
}

impl Normalize {
    fn factor(&self, c: usize) -> f32 {
        (1.0 / self.std[c]) as f32
    }

    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let x = cx.input(0);
        let columns = cx.columns(x);
        let columns4 = columns.div_ceil(4);
        let work = Work::moves(2 * columns, LoopBound::NONE).computing(u64::from(2 * columns));
        let mut step = cx.step(entry, Grid::Elements { columns: columns4 }, work).dims(&[
            ("columns", columns),
            ("columns4", columns4),
            ("x_stride4", cx.stride(x) / 4),
        ]);
        let channel = |c: usize| match self.mean.get(c) {
            Some(&mean) => vec![("mean", Scalar::F32(mean as f32)), ("factor", Scalar::F32(self.factor(c)))],
            None => vec![("mean", Scalar::F32(0.0)), ("factor", Scalar::F32(0.0))],
        };
        let rows = (0..MOST_CHANNELS).map(channel).collect();
        step.tables.push(Table { name: "channels", rows, bytes: 16 * MOST_CHANNELS as u64 });
        step
    }
}

impl Op for Normalize {
    fn name(&self) -> &'static str {
        "normalize"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/normalize.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, PADDING, own])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let wanted = "a table of lists, one number for each channel, as in { mean = [127.5], std = [64] }";
        let op = Normalize::deserialize(arguments).map_err(|error| format!("{error}; takes {wanted}"))?;
        let right = |value: &f64| (*value as f32).is_finite();
        let fits = op.mean.len() == op.std.len() && (1..=MOST_CHANNELS).contains(&op.mean.len());
        if !fits || !op.mean.iter().all(right) || !op.std.iter().all(|std| right(std) && *std as f32 > 0.0) {
            return Err(format!(
                "takes {wanted}; 1 to {MOST_CHANNELS} finite numbers each, and none of std is 0 or less"
            ));
        }
        Ok(Arc::new(op))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let x = sample(x, "x")?;
        match x.columns() {
            Some(columns) if columns == self.mean.len() => Ok(x.clone()),
            _ => Err(format!("x is {x}, but there are {} means", self.mean.len())),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![self.step(cx, "forward").bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let step = self.step(cx, "backward").bind("dy", cx.output_gradient());
        vec![step.bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        // Of images the channels come first, behind the rows; of sequences last.
        let behind = if x.dims().len() == 3 { 2 } else { 0 };
        let torch = format!("Normalize({:?}, {:?}, {behind})", self.mean, self.std);
        let shape: Vec<i64> = std::iter::once(-1).chain(vec![1; behind]).collect();
        let floats = |values: Vec<f32>, name: &str| OnnxNode::new("Constant", &[], name).with("value_floats", values);
        let nodes = vec![
            OnnxNode::new("Constant", &[], "shape").with("value_ints", shape),
            floats(self.mean.iter().map(|&mean| mean as f32).collect(), "means"),
            floats((0..self.std.len()).map(|c| self.factor(c)).collect(), "factors"),
            OnnxNode::new("Reshape", &["means", "shape"], "mean"),
            OnnxNode::new("Reshape", &["factors", "shape"], "factor"),
            OnnxNode::new("Sub", &["x", "mean"], "centered"),
            OnnxNode::new("Mul", &["centered", "factor"], "y"),
        ];
        Some(Export::new(torch, nodes).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        Matrix::build(x.rows, x.columns, |r, c| (x.at(r, c) - self.mean[c]) / self.std[c])
    }

    fn reference_backward(&self, _: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        vec![Matrix::build(dy.rows, dy.columns, |r, c| dy.at(r, c) / self.std[c])]
    }

    /// A difference, and a product with a rounded factor.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let x = checked.inputs[0];
        let least = f64::from(f32::MIN_POSITIVE);
        let value = |r, c| 4.0 * EPS * (x.at(r, c).abs() + self.mean[c].abs()) / self.std[c] + least;
        let gradient = |r, c| 4.0 * EPS * checked.gradients[0].at(r, c).abs() + least;
        Tolerance {
            value: Matrix::build(x.rows, x.columns, value),
            inputs: vec![Matrix::build(x.rows, x.columns, gradient)],
        }
    }
}
