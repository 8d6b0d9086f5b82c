//! mish(x) = x · tanh(log(1 + exp(x)))

use std::sync::Arc;

use super::map::Map;
use super::sigmoid::logistic;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// tanh(log(1 + exp(x)))
fn gate(x: f64) -> f64 {
    (x.max(0.0) + (-x.abs()).exp().ln_1p()).tanh()
}

/// mish(x) = x · tanh(log(1 + exp(x)))
pub const MISH: Map = Map {
    name: "mish",
    wgsl: &[include_str!("../../shaders/mish.wgsl")],
    f: |x| x * gate(x),
    df: |x| gate(x) + x * (1.0 - gate(x) * gate(x)) * logistic(x),
    derivative_of: DerivativeOf::Input,
    kinks: &[],
    export: || Export::new("nn.Mish()", vec![OnnxNode::new("Mish", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(MISH)]
}
