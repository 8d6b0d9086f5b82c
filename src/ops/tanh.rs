//! tanh(x)

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

/// tanh(x)
pub static TANH: Map = Map {
    shader: Shader { name: "tanh", parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/tanh.wgsl")] },
    f: f64::tanh,
    df: |x| 1.0 - x.tanh() * x.tanh(),
    saved: DerivativeOf::Output,
};
