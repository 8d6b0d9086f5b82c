//! gelu(x) = x · Φ(x), Φ the distribution function of the standard normal

use super::map::{CLOCK, DerivativeOf, MAP, Map, PADDING, SPECIAL};
use crate::gpu::Shader;

use std::f64::consts::PI;

/// Φ(x) = (1 + erf(x / √2)) / 2. Near 0 by its Taylor series, in the tails by the continued fraction of erfc.
fn normal_cdf(x: f64) -> f64 {
    let density = (-0.5 * x * x).exp() / (2.0 * PI).sqrt();
    if x.abs() < 3.0 {
        let (mut term, mut sum) = (x, x);
        for k in 1..100 {
            term *= x * x / f64::from(2 * k + 1);
            sum += term;
        }
        return 0.5 + density * sum;
    }
    let fraction = (1..=60).rev().fold(x.abs(), |below, k| x.abs() + f64::from(k) / below);
    let tail = density / fraction;
    if x > 0.0 { 1.0 - tail } else { tail }
}

/// gelu(x) = x · Φ(x), Φ the distribution function of the standard normal
pub static GELU: Map = Map {
    shader: Shader { name: "gelu", parts: &[CLOCK, PADDING, SPECIAL, MAP, include_str!("../../shaders/gelu.wgsl")] },
    f: |x| x * normal_cdf(x),
    df: |x| normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
    saved: DerivativeOf::Input,
};
