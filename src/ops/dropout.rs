//! Dropout, like PyTorch's `nn.Dropout`: in training each element is 0 with probability p, and what is left is divided by 1 - p.

use std::sync::Arc;

use serde_json::Value;

use crate::gpu::{Grid, Shader};
use crate::graph::tolerance::EPS;
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::random::philox;
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, PHILOX};

/// Drops elements with this probability, in training.
#[derive(Clone, Copy, Debug)]
pub struct Dropout {
    /// The probability, from 0 to below 1.
    pub p: f64,
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Dropout { p: 0.5 }), Arc::new(Dropout { p: 0.1 })]
}

impl Dropout {
    /// An element whose word is below this is dropped.
    fn threshold(&self) -> u32 {
        (self.p * 2f64.powi(32)) as u32
    }

    fn scale(&self) -> f32 {
        (1.0 / (1.0 - self.p)) as f32
    }

    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let x = cx.input(0);
        let columns4 = cx.columns(x).div_ceil(4);
        let threshold = if cx.trains { self.threshold() } else { 0 };
        let work = Work::moves(8 * columns4, LoopBound::fixed(11)).computing(u64::from(100 * columns4));
        cx.step(entry, Grid::Elements { columns: columns4 }, work)
            .dims(&[
                ("columns4", columns4),
                ("x_stride4", cx.stride(x) / 4),
                ("threshold", threshold),
                ("stream", cx.stream()),
                ("seed_low", cx.seed as u32),
                ("seed_high", (cx.seed >> 32) as u32),
            ])
            .constant("SCALE", f64::from(self.scale()))
    }

    /// What an element of the only layer of its kind is multiplied with in the first window of seed 0, at a column of a line.
    fn factor(&self, positions: usize, columns: usize, line: usize, column: usize) -> f64 {
        let place = line % positions * columns.div_ceil(4) + column / 4;
        let words = philox([place as u32, (line / positions) as u32, 0, 0], [0, 0]);
        if words[column % 4] >= self.threshold() { f64::from(self.scale()) } else { 0.0 }
    }
}

impl Op for Dropout {
    fn name(&self) -> &'static str {
        "dropout"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/dropout.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, PHILOX, own])
    }

    fn differs_in_training(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let p = arguments.as_f64().or_else(|| arguments.as_object().filter(|all| all.len() == 1)?.get("p")?.as_f64());
        match p {
            Some(p) if (0.0..1.0).contains(&p) => Ok(Arc::new(Dropout { p })),
            _ => Err(format!("{arguments} is no probability from 0 to below 1, as in {{ dropout = 0.1 }}")),
        }
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => sample(x, "x").cloned(),
            _ => Err(format!("takes x, but {} tensors were given", inputs.len())),
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

    fn export(&self, _: &Shape) -> Option<Export> {
        // ONNX has it for models in use, where nothing is dropped.
        Some(Export::new(format!("nn.Dropout({:?})", self.p), vec![OnnxNode::new("Identity", &["x"], "y")]))
    }

    /// As in the first window of the seed 0, for the only layer of its kind.
    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        let positions = x.shape.positions();
        Matrix::build(x.rows, x.columns, |r, c| match self.factor(positions, x.columns, r, c) {
            0.0 => 0.0,
            factor => factor * x.at(r, c),
        })
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = Operand { values: dy, ..inputs[0] };
        vec![self.reference_forward(&[x])]
    }

    /// One product.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let size =
            |m: &Matrix| Matrix::build(m.rows, m.columns, |r, c| EPS * m.at(r, c).abs() + f64::from(f32::MIN_POSITIVE));
        Tolerance { value: size(checked.output), inputs: vec![size(&checked.gradients[0])] }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn about_as_many_are_dropped_as_was_said_and_the_mean_stays() {
        for p in [0.1, 0.5, 0.9] {
            let (dropout, shape) = (Dropout { p }, Shape::columns_of(64));
            let ones = Matrix::build(1000, 64, |_, _| 1.0);
            let operand = Operand { shape: &shape, values: &ones, counts: &[] };
            let y = dropout.reference_forward(&[operand]);
            let dropped = y.values.iter().filter(|&&v| v == 0.0).count() as f64 / 64_000.0;
            let mean = y.values.iter().sum::<f64>() / 64_000.0;
            assert!((dropped - p).abs() < 0.01 && (mean - 1.0).abs() < 0.05, "{p}: {dropped} dropped, mean {mean}");
        }
    }

    #[test]
    fn a_probability_is_a_number_below_1() {
        let with = |text: &str| Dropout { p: 0.5 }.with(&serde_json::from_str(text).unwrap());
        assert!(with("0.25").is_ok() && with(r#"{"p": 0}"#).is_ok());
        for wrong in ["1", "-0.1", r#""a""#, r#"{"q": 0.5}"#, r#"{"p": 0.5, "q": 1}"#] {
            assert!(with(wrong).unwrap_err().contains("{ dropout = 0.1 }"), "{wrong}");
        }
    }
}
