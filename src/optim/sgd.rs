//! Stochastic gradient descent with momentum, as `torch.optim.SGD` defines it.

use serde::{Deserialize, Serialize};

use super::kind::{FROM_ZERO, WEIGHT_DECAY};
use super::{Kind, Optimizer, Setting, rate, update_step};
use crate::gpu::{Scalar, Shader};
use crate::graph::{Span, Step};
use crate::wgsl::{CLOCK, ONE_RATE, STATS, UPDATE, UPDATES};
use crate::{Error, Result};

/// Stochastic gradient descent.
pub static SGD: Kind = Kind {
    name: "sgd",
    settings: SETTINGS,
    make: |given| Ok(Box::new(given.read::<Sgd>()?)),
    cases: || {
        let momentum = Sgd { momentum: 0.9, ..Sgd::default() };
        let nesterov = Sgd { nesterov: true, weight_decay: 0.01, ..momentum };
        let dampened = Sgd { dampening: 0.3, ..momentum };
        vec![Box::new(Sgd::default()), Box::new(momentum), Box::new(nesterov), Box::new(dampened)]
    },
    shaders: &[&SHADER, &MOMENTUM],
};

const SETTINGS: &[Setting] = &[
    Setting {
        name: "momentum",
        wanted: FROM_ZERO,
        example: "0.9",
        elsewhere: &[],
        about: "how much of the last update goes into the next",
    },
    Setting {
        name: "nesterov",
        wanted: "true or false",
        example: "true",
        elsewhere: &[],
        about: "look ahead along the momentum",
    },
    Setting {
        name: "dampening",
        wanted: FROM_ZERO,
        example: "0.0",
        elsewhere: &[],
        about: "how much of the gradient the momentum leaves out",
    },
    WEIGHT_DECAY,
];

static SHADER: Shader =
    Shader { name: "sgd", parts: &[CLOCK, STATS, UPDATE, ONE_RATE, UPDATES, include_str!("../../shaders/sgd.wgsl")] };

static MOMENTUM: Shader = Shader {
    name: "momentum",
    parts: &[CLOCK, STATS, UPDATE, ONE_RATE, UPDATES, include_str!("../../shaders/momentum.wgsl")],
};

/// Stochastic gradient descent. Every setting has its meaning in
/// [`torch.optim.SGD`](https://docs.pytorch.org/docs/stable/generated/torch.optim.SGD.html); 0 turns it off:
///
/// ```text
/// g = gradient + weight_decay · p
/// b = g in the first update, else momentum · b + (1 - dampening) · g
/// g = g + momentum · b if nesterov, else b          (only with momentum)
/// p = p - lr · g
/// ```
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Sgd {
    /// The share of the last step that is kept.
    pub momentum: f64,
    /// The share of the gradient that does not enter the momentum.
    pub dampening: f64,
    /// How strongly parameters are drawn to 0.
    pub weight_decay: f64,
    /// Whether to look ahead by one step of momentum.
    pub nesterov: bool,
}

impl Optimizer for Sgd {
    fn name(&self) -> &'static str {
        "sgd"
    }

    fn check(&self) -> Result<()> {
        rate("momentum", self.momentum)?;
        rate("dampening", self.dampening)?;
        rate("weight_decay", self.weight_decay)?;
        if self.nesterov && (self.momentum == 0.0 || self.dampening != 0.0) {
            let message = "needs momentum above 0 and dampening 0; set them or leave nesterov out";
            return Err(Error::config("optimizer.nesterov", message));
        }
        Ok(())
    }

    fn state_slots(&self) -> usize {
        usize::from(self.momentum != 0.0)
    }

    fn step(&self, span: Span) -> Step {
        let slots = self.state_slots();
        let step = update_step(if slots > 0 { &MOMENTUM } else { &SHADER }, span, slots);
        let step = step.constant("WEIGHT_DECAY", self.weight_decay);
        if slots == 0 {
            return step;
        }
        step.constant("MOMENTUM", self.momentum)
            .constant("DAMPENING", self.dampening)
            .constant("NESTEROV", f64::from(u8::from(self.nesterov)))
    }

    fn scalars(&self, _: u64, lr: f64) -> Vec<(&'static str, Scalar)> {
        vec![("lr", Scalar::F32(lr as f32))]
    }

    fn reference(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]) {
        for (at, (p, gradient)) in parameters.iter_mut().zip(gradient).enumerate() {
            let mut g = gradient + self.weight_decay * *p;
            if self.momentum != 0.0 {
                let b = &mut moments[at];
                *b = if update == 1 { g } else { self.momentum * *b + (1.0 - self.dampening) * g };
                g = if self.nesterov { g + self.momentum * *b } else { *b };
            }
            *p -= lr * g;
        }
    }
}
