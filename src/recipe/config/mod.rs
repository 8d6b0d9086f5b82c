//! The configuration of a training run: the keys of `config.toml` and their defaults.

mod checkpoint;
mod data;
mod optimizer;
mod train;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::graph::{Role, TargetKind};
use crate::nn::{FirstWeights, Layer};
use crate::ops;

pub use checkpoint::Checkpoint;
pub use data::{Augmentation, Data, Names, Standardize, Validation};
pub use optimizer::Optimizer;
pub use train::{Automatic, Batch, BatchUnit, Cut, Memory, MicroBatch, Train};

/// The losses of a classification; the target is one column of labels.
pub fn class_losses() -> Vec<&'static str> {
    losses(|reads| reads != TargetKind::Values)
}

/// The losses of a regression; every target is a column of numbers.
pub fn number_losses() -> Vec<&'static str> {
    losses(|reads| reads == TargetKind::Values)
}

fn losses(wanted: impl Fn(TargetKind) -> bool) -> Vec<&'static str> {
    ops::of_role(|role| matches!(role, Role::Loss(kind) if wanted(kind))).map(|op| op.name()).collect()
}

/// The whole configuration. [`Config::default`] lacks `data.path`, `data.target`, `model.loss` and
/// `train.batch`, which have no default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// The data.
    pub data: Data,
    /// The model.
    pub model: Model,
    /// The length of the training, and its windows.
    pub train: Train,
    /// The optimizer.
    pub optimizer: Optimizer,
}

/// The section `[model]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The hidden layers; empty for a linear model. The output layer follows from the target.
    pub layers: Vec<Layer>,
    /// One of [`class_losses`] or [`number_losses`].
    pub loss: String,
    /// The share of each label that all classes have alike, with the loss `cross_entropy`.
    #[serde(skip_serializing_if = "is_default")]
    pub label_smoothing: f64,
    /// The distributions of the first weights, which come by seed.
    #[serde(skip_serializing_if = "is_default")]
    pub first_weights: FirstWeights,
    /// A safetensors file with the first weights.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
}

/// Whether a key says what it would mean without it.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
