//! leaky_relu(x) = x where x > 0, else x / 100

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

/// leaky_relu(x) = x where x > 0, else x / 100
pub static LEAKY_RELU: Map = Map {
    shader: Shader {
        name: "leaky_relu",
        parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/leaky_relu.wgsl")],
    },
    f: |x| if x > 0.0 { x } else { 0.01 * x },
    df: |x| if x > 0.0 { 1.0 } else { 0.01 },
    saved: DerivativeOf::Output,
};
