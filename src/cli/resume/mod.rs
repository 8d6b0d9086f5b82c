//! Never lose a run: where its checkpoints are, what they belong to, when they are written.

mod checkpoints;
mod identity;
mod saver;

pub use checkpoints::{Checkpoints, Found};
pub use identity::Identity;
pub use saver::Saver;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What the command keeps in a checkpoint beside the trainer's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct About {
    /// What the run was begun with.
    pub identity: Identity,
    /// Bytes of `metrics.jsonl` at that moment.
    pub metrics: u64,
    /// The best epoch so far.
    pub best: Option<Best>,
}

impl About {
    /// As it stands in a checkpoint.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("checkpoint: {error}")))
    }
}

/// The epoch with the lowest loss on the validation rows.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Its last update.
    pub update: u64,
    /// Its loss on the validation rows.
    pub loss: f64,
}
