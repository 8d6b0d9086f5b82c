//! Rotary positions: pairs of columns of queries and keys are turned by an angle that grows with the place of their token, so that
//! a product of two of them knows how far apart they are.

use std::sync::Arc;

use serde_json::Value;

use super::{angle, off, sequence, table};
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, LoopBound, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::ops::arguments::Arguments;
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, TURN};

/// Rows of the table `turns` of the shader, four pairs each.
const ROWS: usize = 16;

/// Turns the columns of the first heads; the others stay. A pair is a column of a head's first half and the same of its second
/// half, as in GPT-NeoX and Llama.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Rotary {
    /// Heads that are turned.
    pub heads: usize,
    /// Columns of a head: a multiple of 8, 128 at most.
    pub columns: usize,
    /// From one token to the next, pair i of n turns by base^(-i / n).
    pub base: f64,
}

impl Rotary {
    /// The base of the paper.
    pub const BASE: f64 = 10_000.0;

    fn step(&self, cx: &OpContext) -> Step {
        let x = cx.input(0);
        let (columns, pairs4) = (cx.columns(x), (self.columns / 8) as u32);
        let columns4 = columns.div_ceil(4);
        let work = Work::moves(3 * columns, LoopBound::NONE).computing(4 * u64::from(columns));
        let mut step = cx.step("turn", Grid::Elements { columns: columns4 }, work).dims(&[
            ("columns4", columns4),
            ("x_stride4", cx.stride(x) / 4),
            ("tokens", cx.positions()),
            ("heads", self.heads as u32),
            ("pairs4", pairs4),
        ]);
        step.tables.push(table(self.columns / 2, self.base, ROWS));
        step
    }

    /// For a line and a column: the other column of its pair, and the cosine and the sine with which both are weighed. `None` where
    /// nothing is turned.
    fn turned(&self, token: usize, c: usize) -> Option<(usize, f64, f64)> {
        let (head, at, half) = (c / self.columns, c % self.columns, self.columns / 2);
        if head >= self.heads {
            return None;
        }
        let (sin, cos) = (token as f64 * angle(at % half, half, self.base)).sin_cos();
        Some(if at < half { (c + half, cos, -sin) } else { (c - half, cos, sin) })
    }

    /// What becomes of x, or of a gradient, which is turned back.
    fn turn(&self, x: &Operand, from: &Matrix, back: bool) -> Matrix {
        let tokens = x.shape.positions();
        let sign = if back { -1.0 } else { 1.0 };
        Matrix::build(from.rows, from.columns, |l, c| match self.turned(l % tokens, c) {
            Some((other, cos, sin)) => cos * from.at(l, c) + sign * sin * from.at(l, other),
            None => from.at(l, c),
        })
    }
}

impl Op for Rotary {
    fn name(&self) -> &'static str {
        "rotary"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, TURN, include_str!("../../../shaders/rotary.wgsl")])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let given = Arguments::new(arguments, &["heads", "columns", "base"])?;
        let missing = |name: &str| format!("{name} is missing; write {{ rotary = {{ heads = 2, columns = 32 }} }}");
        let heads = given.whole("heads", 1)?.ok_or_else(|| missing("heads"))?;
        let columns = given.whole("columns", 8)?.ok_or_else(|| missing("columns"))?;
        Ok(Arc::new(Rotary { heads, columns, base: given.positive("base")?.unwrap_or(Rotary::BASE) }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let [_, columns] = sequence(sample(x, "x")?)?;
        if !self.columns.is_multiple_of(8) || self.columns > 8 * ROWS {
            return Err(format!("heads of {} columns; a multiple of 8 up to {} is wanted", self.columns, 8 * ROWS));
        }
        if self.heads * self.columns > columns || !columns.is_multiple_of(4) {
            return Err(format!("x is {x}, which has no {} heads of {} columns", self.heads, self.columns));
        }
        Ok((*x).clone())
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![self.step(cx).bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let columns4 = cx.columns(cx.input(0)).div_ceil(4);
        // A gradient's lines lie side by side, whatever those of x do.
        let step = self.step(cx).set_dims(&[("x_stride4", columns4)]).constant("BACK", 1.0);
        vec![step.bind("x", cx.output_gradient()).bind("y", cx.gradient(0)).write(write)]
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        self.turn(&inputs[0], &inputs[0], false)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        vec![self.turn(&inputs[0], dy, true)]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let (x, dy) = (checked.inputs[0], checked.doutput);
        let tokens = x.shape.positions();
        let size = |of: &Matrix, l: usize, c: usize| match self.turned(l % tokens, c) {
            Some((other, ..)) => (of.at(l, c).abs() + of.at(l, other).abs()) * off(l % tokens),
            None => 0.0,
        };
        Tolerance {
            value: Matrix::build(x.rows, x.columns, |l, c| size(&x, l, c)),
            inputs: vec![Matrix::build(x.rows, x.columns, |l, c| size(dy, l, c))],
        }
    }
}
