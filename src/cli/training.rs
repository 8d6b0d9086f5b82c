//! A run as the command does it: from its beginning or a checkpoint to its end, told and saved on the way.

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::metrics_file::MetricsFile;
use super::progress::Progress;
use super::resume::{Found, Saver};
use super::run_folder::RunFolder;
use super::session::Session;
use super::summary::History;
use crate::Result;
use crate::train::{Event, FitConfig, Outcome, Run, Trainer};

/// Everything that is told of a run.
pub struct Told {
    /// What its report shows.
    pub history: History,
    /// What the terminal shows.
    pub progress: Progress,
    /// What `metrics.jsonl` has.
    pub metrics: MetricsFile,
    pressed: Arc<AtomicBool>,
    wrote: Result<()>,
    epoch: Option<Event>,
}

impl Told {
    /// Tells from now on, and listens for Ctrl-C.
    pub fn new(history: History, progress: Progress, metrics: MetricsFile) -> Result<Told> {
        let pressed = progress.interrupts()?;
        Ok(Told { history, progress, metrics, pressed, wrote: Ok(()), epoch: None })
    }

    fn event(&mut self, event: Event) -> ControlFlow<()> {
        self.history.event(&event);
        self.progress.event(&event);
        if self.wrote.is_ok() {
            self.wrote = self.metrics.event(&event);
        }
        if matches!(event, Event::Epoch { .. }) {
            self.epoch = Some(event);
        }
        if self.ends() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    }

    /// Whether it is to end: on Ctrl-C, or when a line could not be written.
    fn ends(&self) -> bool {
        self.wrote.is_err() || self.pressed.load(Ordering::Relaxed)
    }
}

/// A run with all that it takes.
pub struct Training<'a> {
    /// Configuration, model and data.
    pub session: &'a Session,
    /// What trains.
    pub trainer: &'a mut Trainer,
    /// Where the best model is kept.
    pub folder: &'a RunFolder,
    /// When the run is saved, and how.
    pub saver: &'a mut Saver,
    /// Everything that is told.
    pub told: &'a mut Told,
}

impl Training<'_> {
    /// Trains to the end, or until Ctrl-C; the run is saved then, and whenever it is time. On an error the best model is kept.
    pub fn run(mut self, from: Option<Found>) -> Result<Outcome> {
        let outcome = self.go_to_the_end(from);
        if outcome.is_err() {
            // What went wrong first is what counts.
            let _ = self.saver.keep_best((&self.folder.best(), &self.session.prepared.saved));
        }
        outcome
    }

    fn go_to_the_end(&mut self, from: Option<Found>) -> Result<Outcome> {
        let fit = self.session.fit();
        let mut run = match from {
            None => Run::new(self.trainer, &fit)?,
            Some(found) => {
                self.trainer.set_state(&found.checkpoint.state)?;
                Run::at(self.trainer, &fit, &found.checkpoint.position)?
            }
        };
        loop {
            run.pause_after(self.saver.next_update());
            let mut outcome = run.advance(self.trainer, &fit, |event| self.told.event(event))?;
            self.look()?;
            if outcome.is_none() && self.told.ends() {
                outcome = Some(Outcome::Stopped);
            }
            if outcome.is_some() || self.saver.is_due(&run.position()) {
                self.save(&mut run, &fit)?;
            }
            if let Some(outcome) = outcome {
                return Ok(outcome);
            }
        }
    }

    fn save(&mut self, run: &mut Run, fit: &FitConfig) -> Result<()> {
        run.settle(self.trainer, fit, |event| self.told.event(event))?;
        self.look()?;
        std::mem::replace(&mut self.told.wrote, Ok(()))?;
        let metrics = self.told.metrics.sync()?;
        self.saver.save(self.trainer, run, metrics, (&self.folder.best(), &self.session.prepared.saved))
    }

    /// Keeps the parameters of an epoch that has just ended, if it is the best.
    fn look(&mut self) -> Result<()> {
        self.saver.look(self.trainer, self.told.epoch.take().as_ref())
    }
}
