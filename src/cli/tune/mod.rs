//! Which kernels are fastest here, measured once and kept in a table for each adapter and driver. No bit depends on it.

mod folder;
mod measure;
mod table;

use serde::{Deserialize, Serialize};

pub use measure::{Candidate, NotTimed, ROUNDS, TuneReport, lines, measure};
pub use table::Table;

use crate::Result;
use crate::gpu::Gpu;
use crate::nn::Model;
use crate::plan::{Chosen, ExecutionMode};
use crate::recipe::Session;

/// The key of a table's entry: the training for which kernels were chosen.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Key {
    /// Inputs, layers and loss.
    pub network: Model,
    /// The optimizer's name.
    pub optimizer: String,
    /// Whether the gradient's norm is clipped, which needs kernels of its own.
    pub clip_norm: bool,
    /// Rows at once.
    pub micro_batch: usize,
    /// Whether the data stays on the GPU.
    pub data_on_gpu: bool,
}

impl Key {
    /// A training's key in a table of kernels.
    pub fn of(session: &Session, chosen: &Chosen) -> Result<Key> {
        let settings = session.settings()?;
        Ok(Key {
            network: session.prepared.saved.model.clone(),
            optimizer: settings.optimizer.name().to_owned(),
            clip_norm: settings.clip.norm.is_some(),
            micro_batch: chosen.micro_batch,
            data_on_gpu: chosen.resident,
        })
    }
}

/// Takes the kernels that the adapter's table says are fastest, unless the user named kernels or they do not fit. The
/// micro-batch stays, because they were measured with it.
pub fn look_up(session: &mut Session, gpu: &Gpu, chosen: &mut Chosen) -> Result<Option<Tuned>> {
    if session.config.train.kernels.or_else(ExecutionMode::from_environment).is_some() {
        return Ok(None);
    }
    let key = Key::of(session, chosen)?;
    match Table::of(gpu.info()).and_then(|table| table.find(&key)) {
        Some(tuned) if session.prefer(gpu, tuned.mode, chosen)? => Ok(Some(tuned)),
        _ => Ok(None),
    }
}

/// The fastest kernels found. A table with fields unknown to this version is still read.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Tuned {
    /// Their execution mode.
    pub mode: ExecutionMode,
    /// The mode without a table.
    pub default: ExecutionMode,
    /// The speed-up.
    pub times_as_fast: f64,
}

impl Tuned {
    /// The finding, in words.
    pub fn describe(&self) -> String {
        if self.mode == self.default {
            return "no other is faster".to_owned();
        }
        format!("{:.2} times as fast as {}", self.times_as_fast, self.default)
    }
}
