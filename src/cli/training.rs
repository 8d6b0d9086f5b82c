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
use crate::train::{Event, Fit, Outcome, Position, Run, Trainer};

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

/// Trains to the end, or until Ctrl-C; the run is saved then, and whenever it is time. On an error the best model is kept.
pub fn run(
    session: &Session,
    trainer: &mut Trainer,
    from: Option<Found>,
    folder: &RunFolder,
    saver: &mut Saver,
    told: &mut Told,
) -> Result<Outcome> {
    let outcome = to_the_end(session, trainer, from, folder, saver, told);
    if outcome.is_err() {
        // What went wrong first is what counts.
        let _ = saver.keep_best((&folder.best(), &session.prepared.saved));
    }
    outcome
}

fn to_the_end(
    session: &Session,
    trainer: &mut Trainer,
    from: Option<Found>,
    folder: &RunFolder,
    saver: &mut Saver,
    told: &mut Told,
) -> Result<Outcome> {
    let fit = session.fit();
    let mut run = match from {
        None => Run::new(trainer, &fit)?,
        Some(found) => {
            let position: Position = found.checkpoint.position;
            trainer.set_state(&found.checkpoint.state)?;
            Run::at(trainer, &fit, &position)?
        }
    };
    loop {
        run.pause_after(saver.next_update());
        let mut outcome = run.advance(trainer, &fit, |event| told.event(event))?;
        saver.look(trainer, told.epoch.take().as_ref())?;
        if outcome.is_none() && told.ends() {
            outcome = Some(Outcome::Stopped);
        }
        if outcome.is_some() || saver.is_due(&run.position()) {
            save(&mut run, trainer, &fit, session, folder, saver, told)?;
        }
        if let Some(outcome) = outcome {
            return Ok(outcome);
        }
    }
}

fn save(
    run: &mut Run,
    trainer: &mut Trainer,
    fit: &Fit,
    session: &Session,
    folder: &RunFolder,
    saver: &mut Saver,
    told: &mut Told,
) -> Result<()> {
    run.settle(trainer, fit, |event| told.event(event))?;
    saver.look(trainer, told.epoch.take().as_ref())?;
    std::mem::replace(&mut told.wrote, Ok(()))?;
    let metrics = told.metrics.sync()?;
    saver.save(trainer, run, metrics, (&folder.best(), &session.prepared.saved))
}
