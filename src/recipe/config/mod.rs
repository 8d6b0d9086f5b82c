//! The configuration of a training run: the keys of `config.toml` and their defaults.

mod checkpoint;
mod optimizer;
mod train;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::data::Layout;
use crate::graph::{Role, TargetKind};
use crate::nn::Layer;
use crate::ops;

pub use checkpoint::Checkpoint;
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

/// The section `[data]`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Data {
    /// A file of rows, in one of the formats of [`SOURCES`](crate::data::source::SOURCES).
    pub path: PathBuf,
    /// The columns or arrays to predict.
    pub target: Names,
    /// The columns or arrays that are features; every other one without it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub features: Option<Names>,
    /// How images lie in the file.
    #[serde(skip_serializing_if = "is_default")]
    pub layout: Layout,
    /// The rows held back to measure the model on.
    pub validation: Validation,
    /// Whether features (and the targets of a regression) are brought to mean 0 and deviation 1.
    pub standardize: bool,
    /// The column that says how much each row counts; without it all count 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub weight: Option<String>,
}

/// One column, or several.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Names {
    /// The name of one column.
    One(String),
    /// The names of several columns.
    Many(Vec<String>),
}

/// The source of the rows to measure the model on.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Validation {
    /// This share of the rows of `data.path`, taken by seed; 0 for none.
    Share(f64),
    /// Every row of another file.
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
    /// A safetensors file with the first weights; without it they come by seed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub init: Option<PathBuf>,
}

impl Default for Data {
    fn default() -> Self {
        Self {
            path: PathBuf::new(),
            target: Names::Many(Vec::new()),
            features: None,
            layout: Layout::default(),
            validation: Validation::Share(0.2),
            standardize: true,
            weight: None,
        }
    }
}

/// Whether a key says what it would mean without it.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

impl Names {
    /// The names of the columns.
    pub fn names(&self) -> &[String] {
        match self {
            Names::One(name) => std::slice::from_ref(name),
            Names::Many(names) => names,
        }
    }
}
