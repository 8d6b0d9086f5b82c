//! selu(x) = scale · x where x > 0, else scale · alpha · (exp(x) - 1)

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

/// The constants of Klambauer et al., *Self-Normalizing Neural Networks*, 2017, and of PyTorch's `nn.SELU`.
const SCALE: f64 = 1.050_700_987_355_480_5;
const ALPHA: f64 = 1.673_263_242_354_377_2;

/// selu(x) = scale · x where x > 0, else scale · alpha · (exp(x) - 1)
pub const SELU: Map = Map {
    name: "selu",
    wgsl: &[include_str!("../../shaders/selu.wgsl")],
    f: |x| SCALE * if x > 0.0 { x } else { ALPHA * x.exp_m1() },
    df: |x| SCALE * if x > 0.0 { 1.0 } else { ALPHA * x.exp() },
    derivative_of: DerivativeOf::Output,
    kinks: &[0.0],
    export: || Export::new("nn.SELU()", vec![OnnxNode::new("Selu", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(SELU)]
}
