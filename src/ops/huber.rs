//! Huber: with e = y - t, e²/2 where |e| <= 1, else |e| - 1/2

use std::sync::Arc;

use super::loss::Mean;
use crate::graph::{Op, TargetKind};

/// Huber: with e = y - t, e²/2 where |e| <= 1, else |e| - 1/2
pub const HUBER: Mean = Mean {
    name: "huber",
    wgsl: include_str!("../../shaders/huber.wgsl"),
    target: TargetKind::Values,
    loss: |y, t| if (y - t).abs() <= 1.0 { 0.5 * (y - t) * (y - t) } else { (y - t).abs() - 0.5 },
    dloss: |y, t| (y - t).clamp(-1.0, 1.0),
    kinks: &[-1.0, 1.0],
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(HUBER)]
}
