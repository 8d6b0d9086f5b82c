//! sigmoid(x) = 1 / (1 + exp(-x))

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// 1 / (1 + exp(-x))
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// sigmoid(x) = 1 / (1 + exp(-x))
pub const SIGMOID: Map = Map {
    name: "sigmoid",
    wgsl: &[include_str!("../../shaders/sigmoid.wgsl")],
    f: logistic,
    df: |x| logistic(x) * (1.0 - logistic(x)),
    derivative_of: DerivativeOf::Output,
    kinks: &[],
    export: || Export::new("nn.Sigmoid()", vec![OnnxNode::new("Sigmoid", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(SIGMOID)]
}
