//! When a run is saved, and what is written.

use std::path::Path;
use std::time::Instant;

use super::{About, Best, Checkpoints, Every, Found, Identity, Options, Search};
use crate::Result;
use crate::nn::{Arrays, ModelFile};
use crate::train::metrics::Metric;
use crate::train::{Checkpoint, Event, Position, Run, Trainer};

/// Saves a run while it trains.
pub(super) struct Saver {
    checkpoints: Checkpoints,
    identity: Identity,
    every: Every,
    last: Instant,
    saved: Position,
    is_there: bool,
    metric: Metric,
    patience: Option<u32>,
    search: Search,
    /// The parameters of the best epoch, until they are on disk.
    unsaved: Option<Arrays>,
}

impl Saver {
    /// The saver of the run in this folder, resumed from a checkpoint or new.
    pub fn new(run: &Path, identity: Identity, options: &Options, from: Option<&Found>) -> Saver {
        Saver {
            checkpoints: Checkpoints::of(run),
            identity,
            every: options.every,
            last: Instant::now(),
            saved: from.map_or_else(Position::default, |found| found.checkpoint.position),
            is_there: from.is_some(),
            metric: options.best,
            patience: options.patience,
            search: from.map_or_else(Search::default, |found| found.about.search),
            unsaved: None,
        }
    }

    /// The update after which to save the run, if there is one.
    pub fn next_update(&self) -> Option<u64> {
        match self.every {
            Every::Updates(updates) => Some((self.saved.updates / updates + 1) * updates),
            Every::Time(_) | Every::End => None,
        }
    }

    /// Whether it is time to save.
    pub fn is_due(&self, position: &Position) -> bool {
        match self.every {
            Every::Updates(_) => self.next_update().is_some_and(|update| position.updates >= update),
            Every::Time(time) => self.last.elapsed() >= time,
            Every::End => false,
        }
    }

    /// The update of the last checkpoint, if there is one.
    pub fn kept(&self) -> Option<u64> {
        self.is_there.then_some(self.saved.updates)
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<Best> {
        self.search.best
    }

    /// The last epoch, if no better one came for as many as the patience allows.
    pub fn ran_out(&self) -> Option<u32> {
        self.search.ran_out(self.patience)
    }

    /// Takes the parameters if the epoch that has just ended is the best so far.
    pub fn look(&mut self, trainer: &mut Trainer, event: Option<&Event>) -> Result<()> {
        if event.is_some_and(|event| self.search.saw(event, self.metric)) {
            self.unsaved = Some(trainer.parameters()?);
        }
        Ok(())
    }

    /// Writes the best model, unless it is on disk already.
    pub fn keep_best(&mut self, (path, saved): (&Path, &ModelFile)) -> Result<()> {
        match self.unsaved.take() {
            Some(arrays) => {
                ModelFile { arrays, epoch: self.search.best.map(|best| best.epoch), ..saved.clone() }.write(path)
            }
            None => Ok(()),
        }
    }

    /// Saves a settled run: the best model, and a checkpoint to resume from. `metrics` are the bytes of `metrics.jsonl`.
    pub fn save(&mut self, trainer: &mut Trainer, run: &Run, metrics: u64, best: (&Path, &ModelFile)) -> Result<()> {
        self.keep_best(best)?;
        let about = About { identity: self.identity.clone(), metrics, search: self.search };
        let position = run.position();
        self.checkpoints.save(Checkpoint { state: trainer.state()?, position, about: about.text()? })?;
        (self.last, self.saved, self.is_there) = (Instant::now(), position, true);
        Ok(())
    }
}
