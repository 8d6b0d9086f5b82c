//! Mean squared error: loss(y, t) = (y - t)²

use std::sync::Arc;

use super::loss::Mean;
use crate::graph::{Op, TargetKind};

/// Mean squared error: loss(y, t) = (y - t)²
pub const MSE: Mean = Mean {
    name: "mse",
    wgsl: include_str!("../../shaders/mse.wgsl"),
    target: TargetKind::Values,
    loss: |y, t| (y - t) * (y - t),
    dloss: |y, t| 2.0 * (y - t),
    kinks: &[],
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(MSE)]
}
