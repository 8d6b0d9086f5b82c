//! Networks composed of ops: their description as data, their first weights, their file.

mod build;
mod checksum;
pub(crate) mod container;
mod file;
mod grammar;
mod init;
mod layer;
mod layers;
mod model;
mod outputs;
mod summary;
#[cfg(test)]
mod tests;

#[cfg(feature = "export")]
pub(crate) use build::{Built, Module, ModuleKind};
pub use file::{ModelFile, TargetNames, arrays_from_bytes, is_described, read_arrays, write_arrays};
pub use grammar::{DEEPEST, MOST_LAYERS, NESTS};
#[cfg(feature = "recipe")]
pub(crate) use grammar::{Kind, Part, parse};
pub use init::{FirstWeights, initial, initial_of};
pub use layer::Layer;
pub use layers::Layers;
pub use model::{Model, Network, WIDEST};
pub use outputs::probabilities;
pub use summary::{LayerSummary, Totals};

use std::collections::BTreeMap;

use crate::tensor::Array;

/// Weights by name, as in a PyTorch `state_dict`: `0.weight`, `0.bias`, `2.weight`, …
pub type Arrays = BTreeMap<String, Array>;
