//! Binary cross-entropy with logits: max(y, 0) - y t + log(1 + exp(-|y|))

use std::sync::Arc;

use super::loss::Mean;
use super::sigmoid::logistic;
use crate::graph::{Op, TargetKind};

/// Binary cross-entropy with logits: max(y, 0) - y t + log(1 + exp(-|y|))
pub const BCE: Mean = Mean {
    name: "bce",
    wgsl: include_str!("../../shaders/bce.wgsl"),
    target: TargetKind::Flags,
    loss: |y, t| y.max(0.0) - y * t + (-y.abs()).exp().ln_1p(),
    dloss: |y, t| logistic(y) - t,
    kinks: &[],
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(BCE)]
}
