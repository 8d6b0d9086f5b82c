//! Results of submitted work.

use std::time::Instant;

use super::Trainer;
use crate::Result;
use crate::gpu::{Recorder, encode};
use crate::graph::Resource;
use crate::plan::Stats;
use crate::train::ledger::Ledger;
use crate::train::settings::Update;
use crate::train::submitter::Submitter;

/// Takes in the results of one submission; false if there are none, or none yet.
pub(super) fn receive(submitter: &mut Submitter, ledger: &mut Ledger, wait: bool) -> Result<bool> {
    ledger.alive()?;
    let Some((sent, stats)) = ledger.noticed(submitter.receive(wait))? else { return Ok(false) };
    ledger.settle(sent, &stats)?;
    Ok(true)
}

impl Trainer {
    /// Returns the updates made since the last call, in order, without waiting for more; updates that were left out say why.
    ///
    /// # Errors
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) if submitted work turns out not to have been done: from then on the
    /// trainer returns only this error.
    pub fn finished(&mut self) -> Result<Vec<Update>> {
        while self.receive(false)? {}
        Ok(self.ledger.take_all())
    }

    /// Submits scheduled work, waits for all of it, and returns the updates as [`Trainer::finished`] does.
    ///
    /// # Errors
    /// As [`Trainer::finished`].
    pub fn finish(&mut self) -> Result<Vec<Update>> {
        self.caught_up()?;
        Ok(self.ledger.take_all())
    }

    /// As [`Trainer::finished`], without the updates requested before a run.
    pub(in crate::train) fn arrived(&mut self) -> Result<Vec<Update>> {
        while self.receive(false)? {}
        Ok(self.ledger.take_finished())
    }

    /// Begins a run: waits for earlier work, which does not belong to it.
    pub(in crate::train) fn set_aside_earlier(&mut self) -> Result<()> {
        self.caught_up()?;
        self.ledger.set_aside();
        Ok(())
    }

    /// Takes in the results of one submission; false if there are none, or none yet.
    pub(in crate::train) fn receive(&mut self, wait: bool) -> Result<bool> {
        receive(&mut self.submitter, &mut self.ledger, wait)
    }

    /// Fails if the device is known to have lost work; then it gives neither results nor parameters.
    pub(in crate::train) fn alive(&self) -> Result<()> {
        self.ledger.alive()
    }

    /// Submits scheduled work and waits for its updates, which are then known to have been made.
    pub(in crate::train) fn caught_up(&mut self) -> Result<()> {
        self.submit()?;
        while self.receive(true)? {}
        Ok(())
    }

    /// Waits for everything, including the micro-batches of the open window, and checks that all of it was done. Returns the
    /// bytes of the stats.
    pub(super) fn all_done(&mut self) -> Result<Vec<u8>> {
        self.caught_up()?;
        let (stats, _) = self.program.at(Resource::Stats)?;
        let bytes = self.gpu().read(stats, Stats::BYTES);
        self.checked(bytes)
    }

    /// Whether loss and gradient of the open window, which had its last micro-batch, are finite.
    pub(in crate::train) fn window_is_finite(&mut self) -> Result<bool> {
        self.submit()?;
        let gpu = self.program.gpu();
        let mut encoder = gpu.encoder()?;
        let mut recorder = Recorder::new(&mut encoder, "accrue.looks");
        // The beginning of an update: it folds and checks all gradients.
        let (update, looks) = (self.program.update(), self.plan().folds() + 1);
        encode(gpu, &mut recorder, &update[..looks.min(update.len())], 0, 0, None);
        drop(recorder);
        let (stats, _) = self.program.at(Resource::Stats)?;
        let bytes = gpu.read_after(encoder, stats, Stats::HEADER);
        Ok(Stats::of(&self.checked(bytes)?).is_finite())
    }

    /// The bytes of the stats, if they say that all was done.
    fn checked(&mut self, stats: Result<Vec<u8>>) -> Result<Vec<u8>> {
        let checked = stats.and_then(|stats| self.ledger.check(&stats).map(|()| stats));
        self.ledger.noticed(checked)
    }

    /// Whether none of our work is running any more, after a wait that ends at `end`.
    pub(in crate::train) fn is_through(&mut self, end: Instant) -> Result<bool> {
        self.ledger.alive()?;
        let through = self.submitter.is_through(end);
        self.ledger.noticed(through)
    }

    /// Whether nothing is scheduled and nothing running.
    pub(in crate::train) fn is_idle(&self) -> bool {
        self.scheduled.is_empty() && self.submitter.is_idle()
    }

    /// A buffer of the trainer and the offset of a resource in it, for tests that write invalid values there.
    #[doc(hidden)]
    pub fn memory(&self, place: Resource) -> Result<(&wgpu::Buffer, std::ops::Range<u64>)> {
        self.program.at(place)
    }
}
