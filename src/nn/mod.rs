//! Networks composed of ops: their description as data, their first weights, their file.

mod checksum;
pub(crate) mod container;
mod file;
mod init;
mod model;
mod outputs;

pub use file::{ModelFile, TargetNames, arrays_from_bytes, is_described, read_arrays, write_arrays};
pub use init::{FirstWeights, initial, initial_of};
#[cfg(feature = "recipe")]
pub(crate) use model::op_of;
pub use model::{Layer, LayerSummary, MOST_LAYERS, Model, Network, WIDEST};
pub use outputs::probabilities;

use std::collections::BTreeMap;

use crate::tensor::Array;

/// Weights by name, as in a PyTorch `state_dict`: `0.weight`, `0.bias`, `2.weight`, …
pub type Arrays = BTreeMap<String, Array>;
