//! The configuration of a training run: what `config.toml` may say, with its defaults.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::Result;
use crate::ops::{self, Reads, Role};
use crate::window::{Partition, resolve_partition};

/// The losses of a classification; the target is one column of labels.
pub fn class_losses() -> Vec<&'static str> {
    losses(|reads| reads != Reads::Values)
}

/// The losses of a regression; every target is a column of numbers.
pub fn number_losses() -> Vec<&'static str> {
    losses(|reads| reads == Reads::Values)
}

fn losses(wanted: impl Fn(Reads) -> bool) -> Vec<&'static str> {
    ops::ALL.iter().filter(|op| matches!(op.role(), Role::Loss(reads) if wanted(reads))).map(|op| op.name()).collect()
}

/// Everything that says how to train. [`Config::default`] lacks `data.path`, `data.target`, `model.loss` and
/// `train.batch`, which have no default.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Where the samples come from.
    pub data: Data,
    /// What is trained.
    pub model: Model,
    /// How long, and how many samples at a time.
    pub train: Train,
    /// How an update is made of a gradient.
    pub optimizer: Optimizer,
}

/// The section `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A CSV file with a header row.
    pub path: PathBuf,
    /// The columns to predict; every other column is a feature.
    pub target: Target,
    /// The rows that are held back to measure the model on.
    pub validation: Validation,
    /// Whether features (and the targets of a regression) are brought to mean 0 and deviation 1.
    pub standardize: bool,
}

/// One target column, or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Target {
    /// The name of one column.
    One(String),
    /// The names of several columns.
    Many(Vec<String>),
}

/// Where the rows to measure the model on come from.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Validation {
    /// This share of the rows of `data.path`, taken by seed; 0 for none.
    Share(f64),
    /// Every row of another CSV file.
    File(PathBuf),
}

/// The section `[model]`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Model {
    /// The hidden layers; empty for a linear model. The output layer follows from the target.
    pub layers: Vec<Layer>,
    /// One of [`class_losses`] or [`number_losses`].
    pub loss: String,
    /// A safetensors file with the first weights; by seed without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
}

/// One item of `model.layers`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layer {
    /// A linear layer with this many outputs.
    Width(u32),
    /// One of [`ops::activations`].
    Activation(String),
}

/// The section `[train]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Train {
    /// How many times the training rows are gone through.
    pub epochs: u32,
    /// Samples of one update: what the maths sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub batch: Option<u32>,
    /// Rows that the GPU holds at once: what the memory sees.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub micro_batch: Option<u32>,
    /// Micro-batches of one update. Any two of the three give the third.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub accumulation_steps: Option<u32>,
    /// What becomes of the samples that do not fill the last batch of an epoch.
    pub tail: Tail,
    /// Whether every epoch takes the rows in a new order.
    pub shuffle: bool,
    /// Decides the split, the first weights and the order of the rows.
    pub seed: u64,
}

/// What becomes of the samples that do not fill the last batch of an epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tail {
    /// They make a smaller update, divided by what is really in it.
    #[default]
    Flush,
    /// They are left out in this epoch.
    Drop,
    /// The next epoch fills the batch up.
    Carry,
}

/// The section `[optimizer]`, with PyTorch's meaning of every key.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Optimizer {
    /// Which optimizer.
    #[serde(rename = "type")]
    pub kind: OptimizerKind,
    /// The learning rate.
    pub lr: f64,
    /// How much of the last update goes into the next.
    pub momentum: f64,
    /// Whether the momentum looks ahead.
    pub nesterov: bool,
    /// How much of the gradient the momentum leaves out.
    pub dampening: f64,
    /// How much of each parameter is added to its gradient.
    pub weight_decay: f64,
}

/// The optimizers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OptimizerKind {
    /// Stochastic gradient descent.
    #[default]
    Sgd,
}

impl Default for Data {
    fn default() -> Self {
        let target = Target::Many(Vec::new());
        Self { path: PathBuf::new(), target, validation: Validation::Share(0.2), standardize: true }
    }
}

impl Default for Train {
    fn default() -> Self {
        let (batch, micro_batch, accumulation_steps) = (None, None, None);
        Self { epochs: 10, batch, micro_batch, accumulation_steps, tail: Tail::Flush, shuffle: true, seed: 0 }
    }
}

impl Default for Optimizer {
    fn default() -> Self {
        let kind = OptimizerKind::Sgd;
        Self { kind, lr: 0.01, momentum: 0.0, nesterov: false, dampening: 0.0, weight_decay: 0.0 }
    }
}

impl Target {
    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        match self {
            Target::One(name) => std::slice::from_ref(name),
            Target::Many(names) => names,
        }
    }
}

impl Train {
    /// The batch and how it is cut, completed from what was given.
    pub fn partition(&self) -> Result<Partition> {
        resolve_partition(self.batch, self.micro_batch, self.accumulation_steps)
    }
}
