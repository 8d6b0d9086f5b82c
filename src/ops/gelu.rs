//! gelu(x) = x · Φ(x), Φ the distribution function of the standard normal

use std::sync::Arc;

use super::map::Map;
use crate::graph::{DerivativeOf, Export, OnnxNode, Op};

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
pub const GELU: Map = Map {
    name: "gelu",
    wgsl: &[include_str!("../../shaders/gelu.wgsl")],
    f: |x| x * normal_cdf(x),
    df: |x| normal_cdf(x) + x * (-0.5 * x * x).exp() / (2.0 * PI).sqrt(),
    derivative_of: DerivativeOf::Input,
    kinks: &[],
    export: || Export::new("nn.GELU()", vec![OnnxNode::new("Gelu", &["x"], "y")]),
};

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(GELU)]
}
