//! A run with its files: trained from its beginning or a checkpoint to its end, recorded and saved on the way.

use std::ops::ControlFlow;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Best, Found, Line, Lock, MetricsFile, RunFolder, Saver};
use crate::Result;
use crate::data::Tokenizer;
use crate::nn::ModelFile;
use crate::train::{Event, FitConfig, Outcome, Run, Sampling, Trainer, generate};

/// The files of a run that has begun; it holds the folder's lock.
pub struct Journal {
    folder: RunFolder,
    metrics: MetricsFile,
    saver: Saver,
    found: Option<Found>,
    lines: Vec<Line>,
    /// Whether a line could not be written.
    wrote: Result<()>,
    /// An epoch that has just ended.
    epoch: Option<Event>,
    stopped: bool,
    early: Option<u32>,
    _lock: Lock,
}

/// Tokens of what a model writes after an epoch.
pub(crate) const WRITTEN: usize = 200;

/// What a model writes now.
fn write(trainer: &mut Trainer, tokenizer: &Tokenizer) -> Result<String> {
    let (model, mut tokens) = (trainer.model().clone(), Vec::new());
    let predict = |features: &[f32]| trainer.predict(features);
    generate(&model, &Sampling::default(), &[tokenizer.beginning()], WRITTEN, predict, |token| {
        tokens.push(token);
        ControlFlow::Continue(())
    })?;
    Ok(tokenizer.decode(&tokens))
}

impl Journal {
    pub(super) fn new(
        folder: RunFolder,
        lock: Lock,
        metrics: MetricsFile,
        saver: Saver,
        found: Option<Found>,
        lines: Vec<Line>,
    ) -> Journal {
        let (wrote, epoch, stopped, early) = (Ok(()), None, false, None);
        Journal { folder, metrics, saver, found, lines, wrote, epoch, stopped, early, _lock: lock }
    }

    /// The folder.
    pub fn folder(&self) -> &RunFolder {
        &self.folder
    }

    /// The updates made before this process, if the run was resumed.
    pub fn goes_on_after(&self) -> Option<u64> {
        self.found.as_ref().map(|found| found.checkpoint.position.updates)
    }

    /// Takes the lines that the run wrote before this process.
    pub fn earlier(&mut self) -> Vec<Line> {
        std::mem::take(&mut self.lines)
    }

    /// The best epoch so far.
    pub fn best(&self) -> Option<Best> {
        self.saver.best()
    }

    /// The epoch after which the training ended early, if it did.
    pub fn early(&self) -> Option<u32> {
        self.early
    }

    /// The update of the last checkpoint, if there is one.
    pub fn kept(&self) -> Option<u64> {
        self.saver.kept()
    }

    /// Trains to the end, or until no better epoch came for as many as the patience allows, or until `stop` is set or an event handler returns [`ControlFlow::Break`]; saves the run then, and
    /// whenever it is time. On an error it keeps the best model. `saved` makes the description of the best model.
    ///
    /// # Errors
    /// Those of [`Run::advance`], and [`Error::Io`](crate::Error::Io).
    pub fn train(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        saved: &ModelFile,
        stop: &AtomicBool,
        mut on_event: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Outcome> {
        let outcome = self.go_to_the_end(trainer, fit, saved, stop, &mut on_event);
        self.early = self.saver.ran_out().filter(|&epoch| epoch < fit.epochs);
        if outcome.is_err() {
            // The first error counts.
            let _ = self.saver.keep_best((&self.folder.best(), saved));
        }
        outcome.and_then(|outcome| self.metrics.finish().map(|()| outcome))
    }

    fn go_to_the_end(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        saved: &ModelFile,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Outcome> {
        let mut run = match self.found.take() {
            None => Run::new(trainer, fit)?,
            Some(found) => {
                trainer.set_state(&found.checkpoint.state)?;
                Run::at(trainer, fit, &found.checkpoint.position)?
            }
        };
        // A run that ended early has no more to train.
        while self.saver.ran_out().is_none() {
            run.pause_after(self.saver.next_update());
            let mut outcome = run.advance(trainer, fit, |event| self.event(event, stop, on_event))?;
            self.look(trainer, saved)?;
            if self.saver.ran_out().is_some() {
                outcome = Some(Outcome::Done);
            } else if outcome.is_none() && self.ends(stop) {
                outcome = Some(Outcome::Stopped);
            }
            if outcome.is_some() || self.saver.is_due(&run.position()) {
                run.settle(trainer, fit, |event| self.event(event, stop, on_event))?;
                self.save(trainer, &run, saved)?;
            }
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
        Ok(Outcome::Done)
    }

    fn event(
        &mut self,
        event: Event,
        stop: &AtomicBool,
        on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> ControlFlow<()> {
        self.stopped |= on_event(&event).is_break();
        if self.wrote.is_ok() {
            self.wrote = self.metrics.event(&event);
        }
        if matches!(event, Event::Epoch { .. }) {
            self.epoch = Some(event);
        }
        if self.ends(stop) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether the run is to end: on request, or because a line could not be written.
    fn ends(&self, stop: &AtomicBool) -> bool {
        self.wrote.is_err() || self.stopped || stop.load(Ordering::Relaxed)
    }

    /// Saves a settled run.
    fn save(&mut self, trainer: &mut Trainer, run: &Run, saved: &ModelFile) -> Result<()> {
        self.look(trainer, saved)?;
        std::mem::replace(&mut self.wrote, Ok(()))?;
        let metrics = self.metrics.sync()?;
        self.saver.save(trainer, run, metrics, (&self.folder.best(), saved))
    }

    /// Keeps the parameters of an epoch that has just ended, if it is the best; lets a model of texts write one.
    fn look(&mut self, trainer: &mut Trainer, saved: &ModelFile) -> Result<()> {
        let epoch = self.epoch.take();
        self.saver.look(trainer, epoch.as_ref())?;
        let (Some(tokenizer), Some(Event::Epoch { epoch, validation: Some(_), .. })) = (&saved.tokenizer, epoch) else {
            return Ok(());
        };
        // More often it would take as long as short epochs do.
        if !epoch.is_power_of_two() {
            return Ok(());
        }
        self.metrics.written(epoch, &write(trainer, tokenizer)?)
    }
}
