//! gelu_tanh(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

const K: f64 = 0.797_884_560_802_865_4; // √(2/π)

fn t(x: f64) -> f64 {
    (K * (x + 0.044715 * x * x * x)).tanh()
}

/// gelu_tanh(x) = x/2 · (1 + tanh(√(2/π) (x + 0.044715 x³)))
pub static GELU_TANH: Map = Map {
    shader: Shader {
        name: "gelu_tanh",
        parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/gelu_tanh.wgsl")],
    },
    f: |x| 0.5 * x * (1.0 + t(x)),
    df: |x| 0.5 * (1.0 + t(x)) + 0.5 * x * (1.0 - t(x) * t(x)) * K * (1.0 + 3.0 * 0.044715 * x * x),
    saved: DerivativeOf::Input,
};
