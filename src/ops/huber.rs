//! Huber: with e = y - t, e²/2 where |e| <= 1, else |e| - 1/2

use super::loss::{LOSS, Mean, ROW_LOSS, Reads};
use super::map::CLOCK;
use crate::gpu::Shader;

/// Huber: with e = y - t, e²/2 where |e| <= 1, else |e| - 1/2
pub static HUBER: Mean = Mean {
    shader: Shader { name: "huber", parts: &[CLOCK, ROW_LOSS, LOSS, include_str!("../../shaders/huber.wgsl")] },
    reads: Reads::Values,
    loss: |y, t| if (y - t).abs() <= 1.0 { 0.5 * (y - t) * (y - t) } else { (y - t).abs() - 0.5 },
    dloss: |y, t| (y - t).clamp(-1.0, 1.0),
};
