//! The configuration of a training run: the keys of `config.toml` and their defaults.

mod checkpoint;
mod data;
mod optimizer;
mod train;

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use serde_json::json;

use crate::graph::{Role, TargetKind};
use crate::nn::{FirstWeights, Layer};
use crate::ops;

pub use checkpoint::Checkpoint;
pub use data::{Augmentation, Data, Names, Standardize, Tokens, Validation};
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
    /// The output layer, if it is not a linear layer with bias.
    #[serde(skip_serializing_if = "is_default")]
    pub output: Output,
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

/// `model.output`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Output {
    /// Whether it takes the weight of the first layer, an embedding of tokens; then it has no bias.
    #[serde(skip_serializing_if = "is_default")]
    pub tied: bool,
    /// Whether it has a bias.
    pub bias: bool,
}

impl Default for Output {
    fn default() -> Output {
        Output { tied: false, bias: true }
    }
}

impl Output {
    /// The layer, for so many outputs.
    pub fn layer(self, outputs: usize) -> Layer {
        let with = |name: &str, arguments| Layer::With([(name.to_owned(), arguments)].into());
        match self {
            Output { tied: true, .. } => with("tied", json!("0")),
            Output { bias: false, .. } => with("linear", json!({ "out_features": outputs, "bias": false })),
            _ => Layer::Linear(outputs),
        }
    }
}

impl Model {
    /// The hidden layers; a first layer `{ embedding = 128 }` gets so many rows.
    pub fn with_tokens(&self, tokens: usize) -> Vec<Layer> {
        let mut layers = self.layers.clone();
        if let Some(Layer::With(first)) = layers.first_mut()
            && let Some(arguments) = first.get_mut("embedding")
        {
            if let Some(width) = arguments.as_u64() {
                *arguments = json!({ "embedding_dim": width });
            }
            if let Some(table) = arguments.as_object_mut() {
                table.entry("num_embeddings").or_insert(json!(tokens));
            }
        }
        layers
    }
}

/// Whether a key says what it would mean without it.
fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}
