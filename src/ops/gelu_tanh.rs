//! gelu_tanh(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

const K: f64 = 0.797_884_560_802_865_4; // √(2/π)

fn t(x: f64) -> f64 {
    (K * (x + 0.044715 * x * x * x)).tanh()
}

/// gelu_tanh(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
pub const GELU_TANH: Map = Map {
    name: "gelu_tanh",
    wgsl: &[include_str!("../../shaders/gelu_tanh.wgsl")],
    f: |x| 0.5 * x * (1.0 + t(x)),
    df: |x| 0.5 * (1.0 + t(x)) + 0.5 * x * (1.0 - t(x) * t(x)) * K * (1.0 + 3.0 * 0.044715 * x * x),
    derivative_of: DerivativeOf::Input,
    kinks: &[],
    export: || {
        Export::new("nn.GELU(approximate='tanh')", vec![OnnxNode::new("Gelu", &["x"], "y").with("approximate", "tanh")])
    },
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(GELU_TANH)]
}
