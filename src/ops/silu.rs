//! silu(x) = x · sigmoid(x)

use std::sync::Arc;

use super::map::Map;
use super::sigmoid::logistic;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// silu(x) = x · sigmoid(x)
pub const SILU: Map = Map {
    name: "silu",
    wgsl: &[include_str!("../../shaders/silu.wgsl")],
    f: |x| x * logistic(x),
    df: |x| logistic(x) * (1.0 + x * (1.0 - logistic(x))),
    derivative_of: DerivativeOf::Input,
    kinks: &[],
    export: || {
        let nodes = [OnnxNode::new("Sigmoid", &["x"], "gate"), OnnxNode::new("Mul", &["x", "gate"], "y")];
        Export::new("nn.SiLU()", nodes.to_vec())
    },
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(SILU)]
}
