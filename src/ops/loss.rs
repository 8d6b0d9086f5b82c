//! What the losses share that are a mean over a row's outputs: `shaders/lib/loss.wgsl`, joined with the op's own `loss`
//! and `dloss`.

use super::{FusionPart, Op, OpContext, Resource, Role, Step, rows};
use crate::gpu::{Grid, Shader};
use crate::graph::Shape;
use crate::reference::Matrix;

pub(super) const ROW_LOSS: &str = include_str!("../../shaders/lib/row_loss.wgsl");
pub(super) const LOSS: &str = include_str!("../../shaders/lib/loss.wgsl");

/// What a loss compares a row of outputs with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reads {
    /// As many numbers as there are outputs.
    Values,
    /// For each output, yes (1) or no (0); the output is the logit of yes.
    Flags,
    /// The number of a class; the outputs are the classes' logits.
    Class,
}

/// loss_r = Σ_c loss(y, t) / columns
pub struct Mean {
    /// The op's WGSL.
    pub shader: Shader,
    /// What the target is.
    pub reads: Reads,
    /// loss(y, t)
    pub loss: fn(f64, f64) -> f64,
    /// Its derivative by y.
    pub dloss: fn(f64, f64) -> f64,
}

/// The step of a loss, which computes the gradient of y, too: both need the same row, and nothing but the row.
pub(super) fn both(cx: &OpContext) -> Step {
    let y = cx.input(0);
    let record = cx.graph.record();
    let dims = [
        ("columns", cx.columns(y)),
        ("y_stride", cx.stride(y)),
        ("record_stride", record.stride as u32),
        ("target_at", record.target_at as u32),
        ("weight_at", record.weight_at as u32),
    ];
    // The largest of them, their sum and their gradients.
    let turns = 4 * u64::from(cx.stride(y));
    cx.step("both", Grid::Rows)
        .dims(&dims)
        .loops(turns, 0)
        .bind("y", Resource::Value(y))
        .bind("record", Resource::Record)
        .bind("row_loss", Resource::Value(cx.output()))
        .bind("dy", Resource::Gradient(y))
        // y and its gradient, the target, the weight and the loss.
        .moves(2 * cx.columns(y) + record.targets as u32 + 2, 0)
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        self.shader.name
    }

    fn role(&self) -> Role {
        Role::Loss(self.reads)
    }

    fn shader(&self) -> &Shader {
        &self.shader
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [y, target] = inputs else {
            return Err(format!("takes y and a target, but {} tensors were given", inputs.len()));
        };
        let (outputs, targets) = (rows(y, "y")?, rows(target, "the target")?);
        if outputs != targets {
            return Err(format!("y is {y} but the target is {target}: {outputs} and {targets} columns differ"));
        }
        Ok(Shape::Rows(1))
    }

    fn forward(&self, cx: &OpContext) -> Step {
        both(cx)
    }

    fn backward(&self, _: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    fn fusion_part(&self) -> Option<FusionPart> {
        // Without the clock and the kernels that stand alone.
        self.shader.parts.get(2..).map(FusionPart::Loss)
    }

    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let (y, t) = (inputs[0], inputs[1]);
        let mean = |r| (0..y.columns).map(|c| (self.loss)(y.at(r, c), t.at(r, c))).sum::<f64>() / y.columns as f64;
        Matrix::build(y.rows, 1, |r, _| mean(r))
    }

    fn reference_backward(&self, inputs: &[&Matrix], _: &Matrix, dloss: &Matrix) -> Vec<Matrix> {
        let (y, t) = (inputs[0], inputs[1]);
        let derivative = |r, c| dloss.at(r, 0) * (self.dloss)(y.at(r, c), t.at(r, c)) / y.columns as f64;
        vec![Matrix::build(y.rows, y.columns, derivative), Matrix::default()]
    }
}
