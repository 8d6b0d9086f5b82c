//! leaky_relu(x) = x where x > 0, else x / 100

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// leaky_relu(x) = x where x > 0, else x / 100
pub const LEAKY_RELU: Map = Map {
    name: "leaky_relu",
    wgsl: &[include_str!("../../shaders/leaky_relu.wgsl")],
    f: |x| if x > 0.0 { x } else { 0.01 * x },
    df: |x| if x > 0.0 { 1.0 } else { 0.01 },
    derivative_of: DerivativeOf::Output,
    kinks: &[0.0],
    export: || Export::new("nn.LeakyReLU(0.01)", vec![OnnxNode::new("LeakyRelu", &["x"], "y").with("alpha", 0.01_f32)]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(LEAKY_RELU)]
}
