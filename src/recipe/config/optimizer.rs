//! The section `[optimizer]`, with PyTorch's meaning of every key.

use serde::{Deserialize, Serialize};

use super::is_default;
use crate::ops;
use crate::optim::{self, Clip, Decay, Given, Kind, LrFactors, Scaling, Schedule, ScheduleShape, Value};
use crate::recipe::keys;
use crate::{Error, Result};

/// The section `[optimizer]`. A missing key has PyTorch's default for the type.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct Optimizer {
    /// The optimizer: one of [`optim::ALL`].
    #[serde(rename = "type")]
    pub kind: &'static Kind,
    /// The full learning rate.
    pub lr: f64,
    /// What the learning rate of each kind of parameter is multiplied with.
    #[serde(skip_serializing_if = "is_default")]
    pub lr_factors: LrFactors,
    /// Which parameters the weight decay acts on.
    #[serde(skip_serializing_if = "is_default")]
    pub decay: Decay,
    /// The optimizer's settings.
    #[serde(flatten)]
    pub settings: Given,
    /// The largest norm of the gradient over all parameters.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_norm: Option<f64>,
    /// The largest size of each element of the gradient.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub clip_value: Option<f64>,
    /// The learning rate's shape after the warm-up. Its numbers are the three keys below and the run's length.
    #[serde(with = "shape")]
    pub schedule: ScheduleShape,
    /// Updates in which the learning rate rises from 0.
    pub warmup: u64,
    /// Updates between two steps of the schedule "step".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_every: Option<u64>,
    /// The factor of each step.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub step_factor: Option<f64>,
    /// The learning rate at the end of the schedule "cosine".
    #[serde(skip_serializing_if = "Option::is_none")]
    pub min_lr: Option<f64>,
    /// How the learning rate follows a batch that changes. Its base is the key below.
    #[serde(with = "scaling")]
    pub lr_scaling: Scaling,
    /// The batch for which `lr` is meant; by default the first of the schedule.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub base_batch: Option<u32>,
}

impl Default for Optimizer {
    fn default() -> Self {
        Self {
            kind: optim::ALL[0],
            lr: 0.01,
            lr_factors: LrFactors::default(),
            decay: Decay::default(),
            settings: Given::default(),
            clip_norm: None,
            clip_value: None,
            schedule: ScheduleShape::Constant,
            warmup: 0,
            step_every: None,
            step_factor: None,
            min_lr: None,
            lr_scaling: Scaling::None,
            base_batch: None,
        }
    }
}

impl Optimizer {
    /// Fails for keys that do not belong to the type or the schedule, and for invalid values.
    pub fn check(&self) -> Result<()> {
        for (setting, kinds) in optim::settings() {
            if self.settings.get(setting.name).is_some() && !kinds.contains(&self.kind) {
                let owners: Vec<&str> = kinds.iter().map(|kind| kind.name).collect();
                let (owners, kind) = (keys::listed(&owners, "and"), self.kind.name);
                let message = format!("belongs to {owners}, but this is {kind}; leave it out");
                return Err(Error::config(format!("optimizer.{}", setting.name), message));
            }
        }
        let stepped = matches!(self.schedule, ScheduleShape::Step { .. });
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
        if self.min_lr.is_some() && !matches!(self.schedule, ScheduleShape::Cosine { .. }) {
            return schedule("min_lr", "belongs to schedule = \"cosine\"; leave it out");
        }
        if self.base_batch.is_some() && self.lr_scaling == Scaling::None {
            return schedule("base_batch", "belongs to lr_scaling = \"linear\" or \"sqrt\"; leave it out");
        }
        if self.base_batch == Some(0) {
            return schedule("base_batch", "0 is not a number of samples; give 1 or more");
        }
        let rates = [("lr", Some(self.lr)), ("step_factor", self.step_factor), ("min_lr", self.min_lr)];
        for (key, value) in rates {
            // The GPU takes the number as an f32, in which 1e39 is infinite.
            if value.is_some_and(|value| value < 0.0 || !(value as f32).is_finite()) {
                return Err(keys::unusable(&format!("optimizer.{key}"), value.unwrap_or_default()));
            }
        }
        self.lr_factors.check(&ops::parameter_kinds())?;
        self.make()?.check()?;
        self.clip().check()
    }

    /// The library's optimizer.
    ///
    /// # Errors
    /// [`Error::Config`] if a setting belongs to another optimizer.
    pub fn make(&self) -> Result<Box<dyn optim::Optimizer>> {
        (self.kind.make)(self.settings.clone()).map_err(|error| Error::config("optimizer", error.to_string()))
    }

    /// How the gradient is clipped.
    pub fn clip(&self) -> Clip {
        Clip { norm: self.clip_norm, value: self.clip_value }
    }

    /// The learning rate over a run of this many updates.
    pub fn schedule(&self, updates: u64) -> Schedule {
        let shape = match self.schedule {
            ScheduleShape::Constant => ScheduleShape::Constant,
            ScheduleShape::Step { every, factor } => ScheduleShape::Step {
                every: self.step_every.unwrap_or(every),
                factor: self.step_factor.unwrap_or(factor),
            },
            ScheduleShape::Cosine { .. } => {
                let floor = if self.lr > 0.0 { self.min_lr.unwrap_or(0.0) / self.lr } else { 0.0 };
                ScheduleShape::Cosine { updates, floor }
            }
            ScheduleShape::Coslog4 { .. } => ScheduleShape::Coslog4 { updates },
        };
        Schedule { warmup: self.warmup, shape }
    }

    /// How the learning rate follows the batch; `first` is the first window's batch.
    pub fn scaling(&self, first: u32) -> Scaling {
        let base = self.base_batch.unwrap_or(first);
        match self.lr_scaling {
            Scaling::None => Scaling::None,
            Scaling::Linear { .. } => Scaling::Linear { base },
            Scaling::Sqrt { .. } => Scaling::Sqrt { base },
        }
    }

    /// The optimizer and its settings in one line, without those that are off: numbers, pairs, switches.
    pub fn describe(&self) -> String {
        let mut line = format!("{}, lr {}", self.kind.name, self.lr);
        let (mut pairs, mut switches) = (String::new(), String::new());
        for (name, value) in self.settings.iter().map(|(name, value)| (name.replace('_', " "), value)) {
            match value {
                Value::Number(number) if number != 0.0 => line += &format!(", {name} {number}"),
                Value::Pair(one, other) => pairs += &format!(", {name} {one} and {other}"),
                Value::Switch(true) => switches += &format!(", {name}"),
                Value::Number(_) | Value::Switch(false) => {}
            }
        }
        for (name, value) in [("clip norm", self.clip_norm), ("clip value", self.clip_value)] {
            line += &value.filter(|&value| value != 0.0).map_or_else(String::new, |value| format!(", {name} {value}"));
        }
        line += &(pairs + &switches);
        if self.lr_factors != LrFactors::default() {
            line += &format!(", lr factors {}", self.lr_factors.describe());
        }
        if self.decay != Decay::All {
            line += &format!(", decay of {}", self.decay.name());
        }
        if self.schedule != ScheduleShape::Constant || self.warmup > 0 {
            line += &format!(", {} schedule", self.schedule.name());
        }
        if self.warmup > 0 {
            line += &format!(" after {} updates of warm-up", self.warmup);
        }
        line
    }
}

/// The name of a shape.
mod shape {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::optim::ScheduleShape;

    pub fn serialize<S: Serializer>(shape: &ScheduleShape, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(shape.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<ScheduleShape, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = ScheduleShape::ALL.into_iter().find(|shape| shape.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("{name:?} is no schedule")))
    }
}

/// The name of a scaling.
mod scaling {
    use serde::de::{Deserialize, Deserializer, Error};
    use serde::ser::Serializer;

    use crate::optim::Scaling;

    pub fn serialize<S: Serializer>(scaling: &Scaling, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(scaling.name())
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Scaling, D::Error> {
        let name = String::deserialize(deserializer)?;
        let found = Scaling::ALL.into_iter().find(|scaling| scaling.name() == name);
        found.ok_or_else(|| D::Error::custom(format!("{name:?} is no scaling")))
    }
}
