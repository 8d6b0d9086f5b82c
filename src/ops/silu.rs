//! silu(x) = x · sigmoid(x)

use std::sync::Arc;

use super::map::Map;
use super::sigmoid::logistic;
use crate::graph::{DerivativeOf, Op};

/// silu(x) = x · sigmoid(x)
pub const SILU: Map = Map {
    name: "silu",
    wgsl: &[include_str!("../../shaders/silu.wgsl")],
    f: |x| x * logistic(x),
    df: |x| logistic(x) * (1.0 + x * (1.0 - logistic(x))),
    derivative_of: DerivativeOf::Input,
    kinks: &[],
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(SILU)]
}
