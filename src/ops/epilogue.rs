//! The shaders of layers that compute the activation behind them, and go back through the one before.

use crate::gpu::Shader;
use crate::graph::{Activation, DerivativeOf};
use crate::wgsl::{IDENTITY, SPECIAL, THROUGH};

const KEEPS_X: &str = include_str!("../../shaders/linear/keeps_x.wgsl");
const KEEPS_Y: &str = include_str!("../../shaders/linear/keeps_y.wgsl");

/// The shader of these parts with an activation, whose name begins with `kernel`, or without one, called `plain`.
pub(super) fn joined(
    plain: &str,
    kernel: &str,
    mut parts: Vec<&'static str>,
    activation: Option<&Activation>,
) -> &'static Shader {
    let Some(activation) = activation else {
        parts.push(IDENTITY);
        return Shader::joined(plain.to_owned(), parts);
    };
    let (keeps, how) = match activation.derivative_of {
        Some(DerivativeOf::Input) => (KEEPS_X, "keeping"),
        _ => (KEEPS_Y, "along"),
    };
    parts.extend([SPECIAL, THROUGH, keeps]);
    parts.extend(activation.wgsl);
    Shader::joined(format!("{kernel}.{}.{how}", activation.name), parts)
}
