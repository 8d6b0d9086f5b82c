//! Mean squared error: loss(y, t) = (y - t)²

use super::loss::{LOSS, Mean, ROW_LOSS, Reads};
use super::map::CLOCK;
use crate::gpu::Shader;

/// Mean squared error: loss(y, t) = (y - t)²
pub static MSE: Mean = Mean {
    shader: Shader { name: "mse", parts: &[CLOCK, ROW_LOSS, LOSS, include_str!("../../shaders/mse.wgsl")] },
    reads: Reads::Values,
    loss: |y, t| (y - t) * (y - t),
    dloss: |y, t| 2.0 * (y - t),
};
