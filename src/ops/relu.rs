//! relu(x) = x where x > 0, else 0

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// relu(x) = x where x > 0, else 0
pub const RELU: Map = Map {
    name: "relu",
    wgsl: &[include_str!("../../shaders/relu.wgsl")],
    f: |x| if x > 0.0 { x } else { 0.0 },
    df: |x| if x > 0.0 { 1.0 } else { 0.0 },
    derivative_of: DerivativeOf::Output,
    kinks: &[0.0],
    export: || Export::new("nn.ReLU()", vec![OnnxNode::new("Relu", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(RELU)]
}
