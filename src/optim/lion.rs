//! Lion, the sign of a mean of gradients: Chen et al., *Symbolic Discovery of Optimization Algorithms*, 2023.

use serde::{Deserialize, Serialize};

use super::kind::WEIGHT_DECAY;
use super::{Kind, Optimizer, Setting, rate, update_step};
use crate::gpu::{Scalar, Shader};
use crate::graph::{Span, Step};
use crate::wgsl::{CLOCK, ONE_RATE, STATS, UPDATE, UPDATES};
use crate::{Error, Result};

/// Lion.
pub static LION: Kind = Kind {
    name: "lion",
    settings: &[
        Setting {
            name: "betas",
            wanted: "a list of two numbers from 0 to below 1",
            example: "[0.9, 0.99]",
            elsewhere: &[],
            about: "how much of the mean of the gradient goes into an update, and how much goes on",
        },
        WEIGHT_DECAY,
    ],
    make: |given| Ok(Box::new(given.read::<Lion>()?)),
    cases: || {
        let other = Lion { betas: (0.5, 0.9), weight_decay: 0.1 };
        vec![Box::new(Lion::default()), Box::new(other)]
    },
    shaders: &[&SHADER],
};

static SHADER: Shader =
    Shader { name: "lion", parts: &[CLOCK, STATS, UPDATE, ONE_RATE, UPDATES, include_str!("../../shaders/lion.wgsl")] };

/// Lion, with the names and defaults of the paper's program. It keeps one float of state per parameter. Every element of an
/// update has the size of the learning rate: use about a tenth of Adam's.
///
/// ```text
/// p = p - lr · (sign(β1 · m + (1 - β1) · g) + weight_decay · p)
/// m = β2 · m + (1 - β2) · g
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Lion {
    /// β1 and β2.
    pub betas: (f64, f64),
    /// How strongly parameters are drawn to 0.
    pub weight_decay: f64,
}

impl Default for Lion {
    fn default() -> Lion {
        Lion { betas: (0.9, 0.99), weight_decay: 0.0 }
    }
}

impl Optimizer for Lion {
    fn name(&self) -> &'static str {
        LION.name
    }

    fn check(&self) -> Result<()> {
        let (beta1, beta2) = self.betas;
        if let Some(beta) = [beta1, beta2].into_iter().find(|beta| !(0.0..1.0).contains(beta)) {
            return Err(Error::config("optimizer.betas", format!("{beta}; give numbers from 0 to below 1")));
        }
        rate("weight_decay", self.weight_decay)
    }

    fn state_slots(&self) -> usize {
        1
    }

    fn step(&self, span: Span) -> Step {
        update_step(&SHADER, span, self.state_slots())
            .constant("KEEP1", 1.0 - self.betas.0)
            .constant("KEEP2", 1.0 - self.betas.1)
            .constant("WEIGHT_DECAY", self.weight_decay)
    }

    fn scalars(&self, _: u64, lr: f64) -> Vec<(&'static str, Scalar)> {
        vec![("lr", Scalar::F32(lr as f32))]
    }

    fn reference(&self, _: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]) {
        let (beta1, beta2) = self.betas;
        for ((p, m), g) in parameters.iter_mut().zip(moments).zip(gradient) {
            let mean = beta1 * *m + (1.0 - beta1) * g;
            let direction = if mean == 0.0 { 0.0 } else { mean.signum() };
            *p -= lr * (direction + self.weight_decay * *p);
            *m = beta2 * *m + (1.0 - beta2) * g;
        }
    }
}
