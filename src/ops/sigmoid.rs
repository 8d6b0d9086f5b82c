//! sigmoid(x) = 1 / (1 + exp(-x))

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

/// 1 / (1 + exp(-x))
pub(super) fn logistic(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

/// sigmoid(x) = 1 / (1 + exp(-x))
pub static SIGMOID: Map = Map {
    shader: Shader {
        name: "sigmoid",
        parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/sigmoid.wgsl")],
    },
    f: logistic,
    df: |x| logistic(x) * (1.0 - logistic(x)),
    saved: DerivativeOf::Output,
};
