//! An optimizer as a configuration sees it: its name, its settings, and how one is made of them.

use std::fmt;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Given, Optimizer};
use crate::gpu::Shader;

/// An optimizer that a configuration can name. Each stands in its own file, and in [`ALL`](super::ALL).
pub struct Kind {
    /// Its name, which [`Optimizer::name`] returns too.
    pub name: &'static str,
    /// Its settings, in the order in which they are shown.
    pub settings: &'static [Setting],
    /// Makes one of the settings that are given, with PyTorch's defaults for all others.
    pub make: fn(Given) -> Result<Box<dyn Optimizer>, de::value::Error>,
    /// Settings that take different ways through its kernels, the defaults first: what the self-test and the tests run.
    pub cases: fn() -> Vec<Box<dyn Optimizer>>,
    /// Its kernels.
    pub shaders: &'static [&'static Shader],
}

/// One setting of an optimizer.
#[derive(Debug)]
pub struct Setting {
    /// Its name, as PyTorch has it.
    pub name: &'static str,
    /// What it takes, to be read after "is not".
    pub wanted: &'static str,
    /// A value that can be used, as TOML.
    pub example: &'static str,
    /// What other trainers call it.
    pub elsewhere: &'static [&'static str],
    /// What it does, in a few words.
    pub about: &'static str,
}

/// What a setting takes that is a finite number from 0.
pub(super) const FROM_ZERO: &str = "a finite number from 0";

/// How strongly parameters are drawn to 0, which nearly all optimizers have.
pub const WEIGHT_DECAY: Setting = Setting {
    name: "weight_decay",
    wanted: FROM_ZERO,
    example: "0.01",
    elsewhere: &["l2"],
    about: "how strongly parameters are drawn to 0",
};

impl Kind {
    /// Whether it has a setting of this name.
    pub fn takes(&self, setting: &str) -> bool {
        self.settings.iter().any(|own| own.name == setting)
    }
}

impl PartialEq for Kind {
    fn eq(&self, other: &Kind) -> bool {
        self.name == other.name
    }
}

impl fmt::Debug for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Serialize for Kind {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(self.name)
    }
}

impl<'de> Deserialize<'de> for &'static Kind {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let name = String::deserialize(deserializer)?;
        super::find(&name).ok_or_else(|| de::Error::custom(format!("{name:?} is no optimizer")))
    }
}
