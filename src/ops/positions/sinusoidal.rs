//! Fixed positions, as in "Attention is all you need": sines and cosines of the place of a token, added to it.

use std::sync::Arc;

use serde_json::Value;

use super::{Rotary, angle, named, off, sequence, table};
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, PADDING, TURN};

/// Rows of the table `turns` of the shader, four pairs each.
const ROWS: usize = 128;

/// In PyTorch.
const CLASS: &str = r#"class Sinusoidal(nn.Module):
    """Adds sines and cosines of its place to each token."""

    def forward(self, x):
        tokens, columns = x.shape[-2:]
        pairs = (columns + 1) // 2
        turns = 10000.0 ** (-torch.arange(pairs, dtype=torch.float64) / pairs)
        angles = torch.arange(tokens, dtype=torch.float64)[:, None] * turns
        return x + torch.stack([angles.sin(), angles.cos()], 2).flatten(1)[:, :columns].to(x)
"#;

/// y = x + sin and cos of place · 10000^(-2i / columns), side by side.
#[derive(Clone, Copy, Debug)]
pub struct Sinusoidal;

/// What is added to a column of a token.
fn added(token: usize, c: usize, columns: usize) -> f64 {
    let angle = token as f64 * angle(c / 2, columns.div_ceil(2), Rotary::BASE);
    if c.is_multiple_of(2) { angle.sin() } else { angle.cos() }
}

fn step(cx: &OpContext, entry: &'static str, tensors: u32) -> Step {
    let x = cx.input(0);
    let columns = cx.columns(x);
    let columns4 = columns.div_ceil(4);
    let work = Work::moves(tensors * columns, LoopBound::NONE);
    let mut step = cx.step(entry, Grid::Elements { columns: columns4 }, work).dims(&[
        ("columns", columns),
        ("columns4", columns4),
        ("x_stride4", cx.stride(x) / 4),
        ("tokens", cx.positions()),
    ]);
    if entry == "forward" {
        step.tables.push(table(columns.div_ceil(2) as usize, Rotary::BASE, ROWS));
    }
    step
}

impl Op for Sinusoidal {
    fn name(&self) -> &'static str {
        "positions"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../../shaders/sinusoidal.wgsl");
        Shader::joined("sinusoidal".to_owned(), vec![CLOCK, PADDING, TURN, own])
    }

    fn takes_arguments(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        named(arguments)
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let [_, columns] = sequence(sample(x, "x")?)?;
        if columns > 8 * ROWS {
            return Err(format!("x is {x}, but sinusoidal positions have {} columns at most", 8 * ROWS));
        }
        Ok((*x).clone())
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![step(cx, "forward", 2).bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        vec![step(cx, "backward", 2).bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let [tokens, columns] = sequence(x).ok()?;
        let all = (0..tokens).flat_map(|t| (0..columns).map(move |c| added(t, c, columns) as f32)).collect::<Vec<_>>();
        let nodes = vec![
            OnnxNode::new("Constant", &[], "all").with("value_floats", all),
            OnnxNode::new("Constant", &[], "shape").with("value_ints", vec![tokens as i64, columns as i64]),
            OnnxNode::new("Reshape", &["all", "shape"], "places"),
            OnnxNode::new("Add", &["x", "places"], "y"),
        ];
        Some(Export::new("Sinusoidal()".to_owned(), nodes).with_class(CLASS))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        let tokens = x.shape.positions();
        Matrix::build(x.rows, x.columns, |l, c| x.at(l, c) + added(l % tokens, c, x.columns))
    }

    fn reference_backward(&self, _: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        vec![dy.clone()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let x = checked.inputs[0];
        let tokens = x.shape.positions();
        let plain = Matrix::zeros(x.rows, x.columns);
        let value = |l: usize, c: usize| off(l % tokens) + 1e-7 * (1.0 + x.at(l, c).abs());
        Tolerance { value: Matrix::build(x.rows, x.columns, value), inputs: vec![plain] }
    }
}
