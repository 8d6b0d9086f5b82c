//! Binary cross-entropy with logits: max(y, 0) - y t + log(1 + exp(-|y|))

use super::loss::{LOSS, Mean, ROW_LOSS, Reads};
use super::map::CLOCK;
use super::sigmoid::logistic;
use crate::gpu::Shader;

/// Binary cross-entropy with logits: max(y, 0) - y t + log(1 + exp(-|y|))
pub static BCE: Mean = Mean {
    shader: Shader { name: "bce", parts: &[CLOCK, ROW_LOSS, LOSS, include_str!("../../shaders/bce.wgsl")] },
    reads: Reads::Flags,
    loss: |y, t| y.max(0.0) - y * t + (-y.abs()).exp().ln_1p(),
    dloss: |y, t| logistic(y) - t,
};
