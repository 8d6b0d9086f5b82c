//! Softmax cross-entropy against a class: loss_r = log Σ_c exp(y_c) - y_class

use std::sync::Arc;

use super::loss::{both, per_position, shader};
use crate::gpu::Shader;
use crate::graph::{Checked, MlpPart, Op, OpContext, Role, Shape, Step, TargetKind, Tolerance};
use crate::tensor::{Matrix, Operand};

const WGSL: &str = include_str!("../../shaders/cross_entropy.wgsl");

/// Softmax cross-entropy against a class: loss_r = log Σ_c exp(y_c) - y_class
#[derive(Clone, Copy, Debug)]
pub struct CrossEntropy;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(CrossEntropy)]
}

/// (max, Σ exp(y - max)) of a row
fn softmax(y: &Matrix, r: usize) -> (f64, f64) {
    let m = (0..y.columns).map(|c| y.at(r, c)).fold(f64::NEG_INFINITY, f64::max);
    (m, (0..y.columns).map(|c| (y.at(r, c) - m).exp()).sum())
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        "cross_entropy"
    }

    fn role(&self) -> Role {
        Role::Loss(TargetKind::Class)
    }

    fn shader(&self) -> &'static Shader {
        shader(self.name(), &[WGSL])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        per_position(inputs, |_| 1)
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        // The maximum, the sum and the gradients.
        both(cx, 3)
    }

    fn backward(&self, _: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    fn mlp_part(&self) -> Option<MlpPart> {
        Some(MlpPart::Loss(vec![WGSL]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (y, class) = (inputs[0], inputs[1]);
        Matrix::build(y.rows, 1, |r, _| {
            let (m, s) = softmax(&y, r);
            s.ln() + m - y.at(r, class.at(r, 0) as usize)
        })
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dloss: &Matrix) -> Vec<Matrix> {
        let (y, class) = (inputs[0], inputs[1]);
        let dy = Matrix::build(y.rows, y.columns, |r, c| {
            let (m, s) = softmax(&y, r);
            let hit = if c == class.at(r, 0) as usize { 1.0 } else { 0.0 };
            dloss.at(r, 0) * ((y.at(r, c) - m).exp() / s - hit)
        });
        vec![dy, Matrix::default()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_loss(checked, 1.0)
    }
}
