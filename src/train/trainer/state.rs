//! A trainer's state on the host: enough for another trainer, on another device, to continue with the same bits.

use std::collections::BTreeMap;

use super::Trainer;
use crate::graph::Resource;
use crate::nn::Arrays;
use crate::plan::{BLOCK, Layout, Stats};
use crate::{Error, Result};

/// Everything that training has changed, including an open window.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct State {
    /// The parameters, under PyTorch's names.
    pub parameters: Arrays,
    /// The optimizer's state: one map for each of its slots, under the parameters' names.
    pub moments: Vec<Arrays>,
    /// The gradient sums of the open window; empty if no window is open.
    pub gradients: Arrays,
    /// The gradient sums of its open block; empty if none is open.
    pub open_block: Arrays,
    /// Counters besides the arrays.
    pub counts: Counters,
}

/// A trainer's counters, and the sums that its kernels keep besides the gradients.
#[derive(Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize)]
pub struct Counters {
    /// The optimizer.
    pub optimizer: String,
    /// Updates requested so far.
    pub updates: u64,
    /// Samples in the open window.
    pub rows: u32,
    /// Whether the open window had its last micro-batch, so that only its update is missing.
    pub ended: bool,
    /// The full learning rate.
    pub lr: f64,
    /// The words at the head of the stats, as the GPU keeps them: the open window's sums, and the guards.
    pub stats: Vec<u32>,
}

impl Trainer {
    /// Waits for all requested work, and copies the state to the host.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if not all of it was done; [`Error::Diverged`] after an update that would have made parameters
    /// infinite or NaN; [`Error::Shape`] between encode and submitted.
    pub fn state(&mut self) -> Result<State> {
        let mut stats = self.all_done()?;
        self.ledger.sound()?;
        stats.truncate(Stats::HEADER as usize);
        // Each trainer counts from its own number.
        Stats::set_counts(&mut stats, 0, 0);
        let stats = bytemuck::pod_collect_to_vec(&stats);
        let counts = Counters {
            optimizer: self.optimizer.name().to_owned(),
            updates: self.updates(),
            rows: self.open_rows(),
            ended: self.window.has_ended(),
            lr: self.window.lr(),
            stats,
        };
        let open = counts.rows > 0;
        let mut open_block = Arrays::new();
        if open && !self.window.is_closed() {
            let mut flat = self.read(Resource::OpenGradients(self.plan().all_gradients()))?;
            // If no layer's block can be open, there is no memory for one.
            flat.resize(self.plan().gradients.floats(), 0.0);
            open_block = self.plan().gradients.unpack(&flat);
        }
        Ok(State {
            parameters: self.parameters()?,
            moments: self.optimizer_state()?,
            gradients: if open { self.sums_of_uses()? } else { Arrays::new() },
            open_block,
            counts,
        })
    }

    /// Continues from a state and discards what was there before, except results not yet received. The micro-batch may differ
    /// from that of the state's trainer; model and optimizer may not.
    ///
    /// # Errors
    /// [`Error::Config`] naming what does not fit this trainer, which is left as it was; [`Error::DeviceLost`] if the trainer
    /// lost work; [`Error::Memory`] if there was no memory for all of the state: a new trainer can take it then;
    /// [`Error::Shape`] between encode and submitted.
    pub fn set_state(&mut self, state: &State) -> Result<()> {
        self.all_done()?;
        let packed = self.pack(state)?;
        self.take_ahead()?;
        let replaced = self.put_all(&packed, &state.counts);
        self.replaced(replaced)?;
        self.ledger.mend();
        let Counters { updates, rows, ended, lr, .. } = state.counts;
        self.window.restore(updates, rows, ended, lr);
        Ok(())
    }

    fn put_all(&self, packed: &Packed, counts: &Counters) -> Result<()> {
        let Packed { parameters, moments, gradients, open_block } = packed;
        let (all, every) = (self.all(), self.plan().all_gradients());
        self.put(Resource::Parameters(all), parameters)?;
        if !moments.is_empty() {
            self.put(Resource::OptimizerState(self.plan().layout.learned()), moments)?;
        }
        if let Some(gradients) = gradients {
            self.put(Resource::Gradients(every), gradients)?;
        }
        if let Some(open_block) = open_block.as_ref().filter(|_| self.plan().has_open_blocks()) {
            self.put(Resource::OpenGradients(every), open_block)?;
        }
        self.set_stats(bytemuck::cast_slice(&counts.stats).to_vec())
    }

    /// Writes a header before the results of windows. Sequence numbers go on, so that earlier results never pass for results of
    /// what comes.
    pub(super) fn set_stats(&self, mut header: Vec<u8>) -> Result<()> {
        Stats::set_counts(&mut header, self.ledger.sequence(), self.ledger.marks());
        let (stats, _) = self.program.at(Resource::Stats)?;
        self.gpu().upload(stats, &header)
    }

    fn put(&self, place: Resource, floats: &[f32]) -> Result<()> {
        self.gpu().upload(self.program.at(place)?.0, bytemuck::cast_slice(floats))
    }

    /// The arrays in their memory layout, after checking that all of them fit.
    fn pack(&self, state: &State) -> Result<Packed> {
        let Counters { optimizer, rows, ended, lr, stats, updates } = &state.counts;
        let wrong = |message: String| Err(Error::config("state", message));
        if optimizer != self.optimizer.name() {
            return wrong(format!("is of the optimizer {optimizer:?}; this trainer's is {:?}", self.optimizer.name()));
        }
        if 4 * stats.len() as u64 != Stats::HEADER || !(lr.is_finite() && *lr >= 0.0) {
            return wrong("its counters are none of this version".to_owned());
        }
        if (*ended && *rows == 0) || *rows > u32::MAX / 2 || *updates >= u64::from(u32::MAX) {
            return wrong(format!("counts that no training comes to: {updates} updates, {rows} rows, ended {ended}"));
        }
        let count = self.optimizer.state_slots();
        if state.moments.len() != count {
            return wrong(format!("has {} moments; this trainer's optimizer has {count}", state.moments.len()));
        }
        let block = !ended && !(*rows as usize).is_multiple_of(BLOCK);
        if (*rows > 0) == state.gradients.is_empty() || block == state.open_block.is_empty() {
            return wrong(format!("lacks gradients of its open window of {rows} rows, or has some that it should not"));
        }
        if block && !self.window.open_blocks() {
            let message = "its window is open inside a block of rows; make the trainer with open_blocks".to_owned();
            return Err(Error::config("open_blocks", message));
        }
        let flat = |what: &str, layout: &Layout, arrays: &Arrays| {
            let packed = layout.pack(arrays);
            packed.map_err(|message| Error::config(format!("state, {what}"), message))
        };
        let sums = |what: &str, arrays: &BTreeMap<_, _>| {
            let packed = (!arrays.is_empty()).then(|| self.plan().gradients.pack(arrays)).transpose();
            packed.map_err(|message| Error::config(format!("state, {what}"), message))
        };
        let learned = self.plan().layout.learned_only();
        let moments =
            state.moments.iter().map(|moment| flat("moments", &learned, moment)).collect::<Result<Vec<_>>>()?;
        Ok(Packed {
            parameters: flat("parameters", &self.plan().layout, &state.parameters)?,
            moments: moments.concat(),
            gradients: sums("gradients", &state.gradients)?,
            open_block: sums("open block", &state.open_block)?,
        })
    }
}

struct Packed {
    parameters: Vec<f32>,
    moments: Vec<f32>,
    gradients: Option<Vec<f32>>,
    open_block: Option<Vec<f32>>,
}
