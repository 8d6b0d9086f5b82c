//! Softmax cross-entropy against a class: loss_r = log Σ_c exp(y_c) - y_class; with smoothed labels, a share of each class.

use std::sync::Arc;

use super::loss::{both, per_position, shader};
use crate::gpu::Shader;
use crate::graph::{Checked, MlpPart, Op, OpContext, Role, Shape, Step, TargetKind, Tolerance};
use crate::tensor::{Matrix, Operand};

const WGSL: &str = include_str!("../../shaders/cross_entropy.wgsl");

/// The shader's constant.
const SMOOTHING: &str = "SMOOTHING";

/// Softmax cross-entropy against a class, with PyTorch's `label_smoothing`: loss_r = -Σ_c share_c · log(softmax_c(y)), where the
/// class itself has a share of 1 - smoothing, and all K classes smoothing / K more.
#[derive(Clone, Copy, Debug, Default)]
pub struct CrossEntropy {
    /// 0 to below 1; 0 is the plain cross-entropy.
    pub smoothing: f64,
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(CrossEntropy::default()), Arc::new(CrossEntropy { smoothing: 0.1 })]
}

impl CrossEntropy {
    /// The share of a class in the target.
    fn share(&self, columns: usize, is_class: bool) -> f64 {
        self.smoothing / columns as f64 + if is_class { 1.0 - self.smoothing } else { 0.0 }
    }
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
        // The maximum, the sum, the loss of smoothed labels and the gradients.
        let steps = both(cx, 4).into_iter();
        steps.map(|step| step.constant(SMOOTHING, self.smoothing)).collect()
    }

    fn backward(&self, _: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    fn mlp_part(&self) -> Option<MlpPart> {
        Some(MlpPart::Loss { wgsl: vec![WGSL], constants: vec![(SMOOTHING, self.smoothing)] })
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (y, class) = (inputs[0], inputs[1]);
        Matrix::build(y.rows, 1, |r, _| {
            let (m, s) = softmax(&y, r);
            let share = |c| self.share(y.columns, c == class.at(r, 0) as usize);
            s.ln() + (0..y.columns).map(|c| share(c) * (m - y.at(r, c))).sum::<f64>()
        })
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dloss: &Matrix) -> Vec<Matrix> {
        let (y, class) = (inputs[0], inputs[1]);
        let dy = Matrix::build(y.rows, y.columns, |r, c| {
            let (m, s) = softmax(&y, r);
            let share = self.share(y.columns, c == class.at(r, 0) as usize);
            dloss.at(r, 0) * ((y.at(r, c) - m).exp() / s - share)
        });
        vec![dy, Matrix::default()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_loss(checked, 1.0)
    }
}
