//! Adam and AdamW, as `torch.optim` defines them.

use serde::{Deserialize, Serialize};

use super::kind::WEIGHT_DECAY;
use super::{Kind, Optimizer, Setting, positive, rate, update_step};
use crate::gpu::{Scalar, Shader};
use crate::graph::{Span, Step};
use crate::wgsl::{CLOCK, ONE_RATE, STATS, UPDATE, UPDATES};
use crate::{Error, Result};

/// Adam.
pub static ADAM: Kind = Kind {
    name: "adam",
    settings: SETTINGS,
    make: |given| Ok(Box::new(given.read::<Adam>()?)),
    cases: || vec![Box::new(Adam::default())],
    shaders: &[&SHADER],
};

/// AdamW.
pub static ADAMW: Kind = Kind {
    name: "adamw",
    settings: SETTINGS,
    make: |given| {
        let default = Adam::decoupled();
        let adam: Adam = given.or(WEIGHT_DECAY.name, default.weight_decay).read()?;
        Ok(Box::new(Adam { decoupled: true, ..adam }))
    },
    cases: || vec![Box::new(Adam::decoupled())],
    // Uses Adam's kernel.
    shaders: &[],
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "betas",
        wanted: "a list of two numbers from 0 to below 1",
        example: "[0.9, 0.999]",
        elsewhere: &[],
        about: "decay of the means of the gradient and of its square",
    },
    Setting {
        name: "epsilon",
        wanted: "a number above 0",
        example: "1e-8",
        elsewhere: &["eps"],
        about: "keeps the division from overflowing",
    },
    WEIGHT_DECAY,
];

static SHADER: Shader =
    Shader { name: "adam", parts: &[CLOCK, STATS, UPDATE, ONE_RATE, UPDATES, include_str!("../../shaders/adam.wgsl")] };

/// Adam (Kingma & Ba 2015), and with `decoupled` AdamW (Loshchilov & Hutter 2019). Settings and defaults are those of
/// [`torch.optim.Adam`](https://docs.pytorch.org/docs/stable/generated/torch.optim.Adam.html) and
/// [`torch.optim.AdamW`](https://docs.pytorch.org/docs/stable/generated/torch.optim.AdamW.html):
///
/// ```text
/// g = gradient + weight_decay · p                    (Adam)
/// p = p - lr · weight_decay · p                      (AdamW)
/// m = β1 · m + (1 - β1) · g        v = β2 · v + (1 - β2) · g²
/// p = p - lr · (m / (1 - β1ᵗ)) / (√(v / (1 - β2ᵗ)) + epsilon)        in update t
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Adam {
    /// The shares of the last mean, and of the last mean square, of the gradient that are kept.
    pub betas: (f64, f64),
    /// Keeps the division from overflowing.
    pub epsilon: f64,
    /// How strongly parameters are drawn to 0.
    pub weight_decay: f64,
    /// Whether weight decay acts on the parameters (AdamW) or on the gradient (Adam).
    #[serde(skip)]
    pub decoupled: bool,
}

impl Default for Adam {
    /// Adam with PyTorch's defaults.
    fn default() -> Adam {
        Adam { betas: (0.9, 0.999), epsilon: 1e-8, weight_decay: 0.0, decoupled: false }
    }
}

impl Adam {
    /// AdamW with PyTorch's defaults.
    pub fn decoupled() -> Adam {
        Adam { weight_decay: 0.01, decoupled: true, ..Adam::default() }
    }
}

impl Optimizer for Adam {
    fn name(&self) -> &'static str {
        if self.decoupled { "adamw" } else { "adam" }
    }

    fn check(&self) -> Result<()> {
        let (beta1, beta2) = self.betas;
        for beta in [beta1, beta2] {
            if !(0.0..1.0).contains(&beta) || 1.0 - beta < 1e-7 {
                return Err(Error::config("optimizer.betas", format!("{beta}; give numbers from 0 to below 1")));
            }
        }
        positive("epsilon", self.epsilon)?;
        rate("weight_decay", self.weight_decay)
    }

    fn state_slots(&self) -> usize {
        2
    }

    fn step(&self, span: Span) -> Step {
        update_step(&SHADER, span, self.state_slots())
            .constant("KEEP1", 1.0 - self.betas.0)
            .constant("KEEP2", 1.0 - self.betas.1)
            .constant("EPSILON", self.epsilon)
            .constant("WEIGHT_DECAY", self.weight_decay)
            .constant("DECOUPLED", f64::from(u8::from(self.decoupled)))
    }

    fn scalars(&self, _: u64, lr: f64) -> Vec<(&'static str, Scalar)> {
        vec![("lr", Scalar::F32(lr as f32))]
    }

    fn reference(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]) {
        let (beta1, beta2) = self.betas;
        let (q1, q2) = (1.0 - beta1.powf(update as f64), 1.0 - beta2.powf(update as f64));
        let (means, squares) = moments.split_at_mut(parameters.len());
        for (at, (p, gradient)) in parameters.iter_mut().zip(gradient).enumerate() {
            let mut g = *gradient;
            if self.decoupled {
                *p -= lr * self.weight_decay * *p;
            } else {
                g += self.weight_decay * *p;
            }
            means[at] = beta1 * means[at] + (1.0 - beta1) * g;
            squares[at] = beta2 * squares[at] + (1.0 - beta2) * g * g;
            *p -= lr * (means[at] / q1) / ((squares[at] / q2).sqrt() + self.epsilon);
        }
    }
}
