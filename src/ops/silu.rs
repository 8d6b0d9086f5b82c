//! silu(x) = x · sigmoid(x)

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use super::sigmoid::logistic;
use crate::gpu::Shader;

/// silu(x) = x · sigmoid(x)
pub static SILU: Map = Map {
    shader: Shader { name: "silu", parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/silu.wgsl")] },
    f: |x| x * logistic(x),
    df: |x| logistic(x) * (1.0 + x * (1.0 - logistic(x))),
    saved: DerivativeOf::Input,
};
