//! The section `[optimizer]`, with PyTorch's meaning of every key.

use serde::{Deserialize, Serialize};

use crate::optim::{self, Adam, Clip, Scaling, Schedule, ScheduleShape, Sgd};
use crate::{Error, Result};

/// The section `[optimizer]`. What is not given has PyTorch's default for the type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optimizer {
    /// Which optimizer.
    #[serde(rename = "type")]
    pub kind: OptimizerKind,
    /// The learning rate, at full size.
    pub lr: f64,
    /// How much of the last update goes into the next; sgd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub momentum: Option<f64>,
    /// Whether the momentum looks ahead; sgd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nesterov: Option<bool>,
    /// How much of the gradient the momentum leaves out; sgd.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub dampening: Option<f64>,
    /// How much of the means of the gradient and of its square goes on; adam, adamw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub betas: Option<(f64, f64)>,
    /// Keeps the division from overflowing; adam, adamw.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub epsilon: Option<f64>,
    /// How strongly parameters are drawn to 0.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight_decay: Option<f64>,
    /// The most that the norm of the gradient over all parameters may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The most that each element of the gradient may be.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
    /// How the learning rate goes after the warm-up.
    pub schedule: LrSchedule,
    /// Updates in which the learning rate rises from 0.
    pub warmup: u64,
    /// Updates between two steps of the schedule "step".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_every: Option<u64>,
    /// What each step multiplies the learning rate with.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_factor: Option<f64>,
    /// The learning rate at which the schedule "cosine" ends.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lr: Option<f64>,
    /// How the learning rate follows a batch that changes.
    pub lr_scaling: LrScaling,
    /// The batch for which `lr` is meant; the first of the schedule without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_batch: Option<u32>,
}

/// The optimizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    #[default]
    Sgd,
    /// Adam.
    Adam,
    /// Adam with decoupled weight decay.
    Adamw,
}

/// The shapes of the learning rate over the updates.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrSchedule {
    /// Always the same.
    #[default]
    Constant,
    /// Multiplied with `step_factor` after every `step_every` updates.
    Step,
    /// Down along half a cosine to `min_lr` at the last update.
    Cosine,
}

/// How the learning rate follows the batch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LrScaling {
    /// Not at all.
    #[default]
    None,
    /// As batch / base_batch.
    Linear,
    /// As its square root.
    Sqrt,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            kind: OptimizerKind::Sgd,
            lr: 0.01,
            momentum: None,
            nesterov: None,
            dampening: None,
            betas: None,
            epsilon: None,
            weight_decay: None,
            clip_norm: None,
            clip_value: None,
            schedule: LrSchedule::Constant,
            warmup: 0,
            step_every: None,
            step_factor: None,
            min_lr: None,
            lr_scaling: LrScaling::None,
            base_batch: None,
        }
    }
}

impl Optimizer {
    /// Refuses keys that do not belong to the type or the schedule, and values that cannot be used.
    pub fn check(&self) -> Result<()> {
        let kind = self.name();
        let belongs = |key: &str, given: bool, to: &str, yes: bool| {
            if !given || yes {
                return Ok(());
            }
            Err(Error::config(format!("optimizer.{key}"), format!("belongs to {to}, but this is {kind}; leave it out")))
        };
        let sgd = self.kind == OptimizerKind::Sgd;
        belongs("momentum", self.momentum.is_some(), "sgd", sgd)?;
        belongs("nesterov", self.nesterov.is_some(), "sgd", sgd)?;
        belongs("dampening", self.dampening.is_some(), "sgd", sgd)?;
        belongs("betas", self.betas.is_some(), "adam and adamw", !sgd)?;
        belongs("epsilon", self.epsilon.is_some(), "adam and adamw", !sgd)?;
        let stepped = self.schedule == LrSchedule::Step;
        let schedule = |key: &str, message: &str| Err(Error::config(format!("optimizer.{key}"), message));
        if stepped != self.step_every.is_some() || stepped != self.step_factor.is_some() {
            return schedule(
                "schedule",
                "\"step\" and the keys step_every and step_factor go together; give all three or none",
            );
        }
        if self.step_every == Some(0) {
            return schedule("step_every", "0 is not a number of updates; give 1 or more");
        }
        if self.min_lr.is_some() && self.schedule != LrSchedule::Cosine {
            return schedule("min_lr", "belongs to schedule = \"cosine\"; leave it out");
        }
        if self.base_batch.is_some() != (self.lr_scaling != LrScaling::None) && self.base_batch.is_some() {
            return schedule("base_batch", "belongs to lr_scaling = \"linear\" or \"sqrt\"; leave it out");
        }
        if self.base_batch == Some(0) {
            return schedule("base_batch", "0 is not a number of samples; give 1 or more");
        }
        let rates = [("lr", Some(self.lr)), ("step_factor", self.step_factor), ("min_lr", self.min_lr)];
        for (key, value) in rates {
            // The GPU takes the number as an f32, where 1e39 is infinite.
            if value.is_some_and(|value| value < 0.0 || !(value as f32).is_finite()) {
                return Err(super::super::keys::unusable(&format!("optimizer.{key}"), value.unwrap_or_default()));
            }
        }
        self.make().check()?;
        self.clip().check()
    }

    fn name(&self) -> &'static str {
        match self.kind {
            OptimizerKind::Sgd => "sgd",
            OptimizerKind::Adam => "adam",
            OptimizerKind::Adamw => "adamw",
        }
    }

    /// The library's optimizer.
    pub fn make(&self) -> Box<dyn optim::Optimizer> {
        if self.kind == OptimizerKind::Sgd {
            let sgd = Sgd {
                momentum: self.momentum.unwrap_or(0.0),
                dampening: self.dampening.unwrap_or(0.0),
                weight_decay: self.weight_decay.unwrap_or(0.0),
                nesterov: self.nesterov.unwrap_or(false),
            };
            return Box::new(sgd);
        }
        let default = if self.kind == OptimizerKind::Adamw { Adam::decoupled() } else { Adam::default() };
        let adam = Adam {
            betas: self.betas.unwrap_or(default.betas),
            epsilon: self.epsilon.unwrap_or(default.epsilon),
            weight_decay: self.weight_decay.unwrap_or(default.weight_decay),
            ..default
        };
        Box::new(adam)
    }

    /// How large the gradient may be.
    pub fn clip(&self) -> Clip {
        Clip { norm: self.clip_norm, value: self.clip_value }
    }

    /// The learning rate over a run of so many updates.
    pub fn schedule(&self, updates: u64) -> Schedule {
        let shape = match self.schedule {
            LrSchedule::Constant => ScheduleShape::Constant,
            LrSchedule::Step => {
                ScheduleShape::Step { every: self.step_every.unwrap_or(1), factor: self.step_factor.unwrap_or(1.0) }
            }
            LrSchedule::Cosine => {
                let floor = if self.lr > 0.0 { self.min_lr.unwrap_or(0.0) / self.lr } else { 0.0 };
                ScheduleShape::Cosine { updates, floor }
            }
        };
        Schedule { warmup: self.warmup, shape }
    }

    /// How the learning rate follows the batch, where `first` is the first window's.
    pub fn scaling(&self, first: u32) -> Scaling {
        let base = self.base_batch.unwrap_or(first);
        match self.lr_scaling {
            LrScaling::None => Scaling::None,
            LrScaling::Linear => Scaling::Linear { base },
            LrScaling::Sqrt => Scaling::Sqrt { base },
        }
    }

    /// The optimizer and its settings in one line, what is off left out.
    pub fn describe(&self) -> String {
        let mut line = format!("{}, lr {}", self.name(), self.lr);
        let settings = [
            ("momentum", self.momentum),
            ("dampening", self.dampening),
            ("epsilon", self.epsilon),
            ("weight decay", self.weight_decay),
            ("clip norm", self.clip_norm),
            ("clip value", self.clip_value),
        ];
        for (name, value) in settings {
            if let Some(value) = value.filter(|value| *value != 0.0) {
                line += &format!(", {name} {value}");
            }
        }
        if let Some((beta1, beta2)) = self.betas {
            line += &format!(", betas {beta1} and {beta2}");
        }
        if self.nesterov == Some(true) {
            line += ", nesterov";
        }
        if self.schedule != LrSchedule::Constant || self.warmup > 0 {
            line += &format!(", {} schedule", format!("{:?}", self.schedule).to_lowercase());
        }
        if self.warmup > 0 {
            line += &format!(" after {} updates of warm-up", self.warmup);
        }
        line
    }
}
