//! tanh(x)

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// tanh(x)
pub const TANH: Map = Map {
    name: "tanh",
    wgsl: &[include_str!("../../shaders/tanh.wgsl")],
    f: f64::tanh,
    df: |x| 1.0 - x.tanh() * x.tanh(),
    derivative_of: DerivativeOf::Output,
    kinks: &[],
    export: || Export::new("nn.Tanh()", vec![OnnxNode::new("Tanh", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(TANH)]
}
