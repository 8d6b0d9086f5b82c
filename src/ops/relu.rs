//! relu(x) = x where x > 0, else 0

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

/// relu(x) = x where x > 0, else 0
pub static RELU: Map = Map {
    shader: Shader { name: "relu", parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/relu.wgsl")] },
    f: |x| if x > 0.0 { x } else { 0.0 },
    df: |x| if x > 0.0 { 1.0 } else { 0.0 },
    saved: DerivativeOf::Output,
};
