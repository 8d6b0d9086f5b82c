//! A run of whole epochs that advances in pieces: it can be left, saved and resumed, even in the middle of a window.

mod advance_within;
mod locate_nonfinite;
mod position;

use std::collections::VecDeque;
use std::ops::{ControlFlow, Range};
use std::time::Duration;

use advance_within::Validation;
pub use position::Position;
pub(super) use position::Sums;

use super::fit::{Event, FitConfig, OnNonFinite, Outcome};
use super::metrics::Evaluation;
use super::settings::{LeftOut, Update};
use super::trainer::Trainer;
use super::window_state::WindowSettings;
use crate::plan::CLOCKS;
use crate::window::{Order, Window, Windows};
use crate::{Error, NotFinite, Result};

/// Training for whole epochs, one submission at a time. [`Trainer::fit`] is a loop around it.
///
/// It borrows nothing, so that an app can keep it beside its trainer and its data; pass the same trainer and the same
/// [`FitConfig`] to each call.
///
/// ```no_run
/// # use accrue::{data::Batch, train::{FitConfig, Run, Trainer}};
/// # fn frames(trainer: &mut Trainer, fit: &FitConfig) -> accrue::Result<()> {
/// let mut run = Run::new(trainer, fit)?;
/// while run.advance(trainer, fit, |_event| std::ops::ControlFlow::Continue(()))?.is_none() {
///     // … something else …
/// }
/// # Ok(()) }
/// ```
pub struct Run {
    windows: Windows,
    /// The open window, and the place of its next sample in the stream.
    open: Option<(Window, u64)>,
    order: Order,
    resident: bool,
    /// The first update requested by this object.
    first: u64,
    /// Most micro-batches and updates of the next submission. It grows, so that the first submissions measure the speed.
    most: usize,
    /// The windows whose updates are in flight.
    expected: VecDeque<Window>,
    /// An epoch whose last update was made, but which was not reported yet.
    ended: Option<(u32, u64)>,
    epoch: Sums,
    stopped: bool,
    pause: Option<u64>,
    validation: Option<Validation>,
    samples: Vec<u32>,
}

impl Run {
    /// Advances by about one submission, waits for the GPU if it is behind, and passes every event to `on_event`. Returns
    /// `None` if there is more to do.
    ///
    /// If an event handler returns [`ControlFlow::Break`], updates in flight are still made and reported, so that the
    /// parameters are those of the last update reported. A window may then be left open; [`Run::position`] and
    /// [`Trainer::state`] keep it.
    ///
    /// # Errors
    /// [`Error::Diverged`] at the first window that is not finite, unless such windows are skipped; its update was not made.
    /// The errors of [`Trainer::schedule`] and of the submission.
    pub fn advance(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Option<Outcome>> {
        self.stopped = false;
        let more = self.fill(trainer, fit, None)?;
        trainer.submit()?;
        self.most = (2 * self.most).min(CLOCKS);
        let updates = trainer.arrived()?;
        self.report(trainer, updates, fit, &mut on_event)?;
        if self.stopped || !more || self.awaits_validation(fit) {
            self.settle(trainer, fit, &mut on_event)?;
        }
        Ok(match (self.stopped, more) {
            (true, _) => Some(Outcome::Stopped),
            (false, true) => None,
            (false, false) => Some(Outcome::Done),
        })
    }

    pub(super) fn go_to_the_end(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Outcome> {
        loop {
            if let Some(outcome) = self.advance(trainer, fit, &mut on_event)? {
                return Ok(outcome);
            }
        }
    }

    /// Waits for all updates in flight and reports them: after this, [`Run::position`] and [`Trainer::state`] belong together.
    ///
    /// # Errors
    /// As [`Run::advance`].
    pub fn settle(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<()> {
        trainer.caught_up()?;
        let updates = trainer.arrived()?;
        self.report(trainer, updates, fit, &mut on_event)?;
        if let (Some(_), Some(validation)) = (self.ended, &fit.validation) {
            self.validation = None;
            trainer.take_ahead()?;
            let evaluation = trainer.evaluate(validation, fit.unit)?;
            self.end_epoch(Some(evaluation), &mut on_event);
        }
        Ok(())
    }

    /// Makes [`Run::advance`] return right after this update of the run, counted from 1, was requested.
    pub fn pause_after(&mut self, update: Option<u64>) {
        self.pause = update;
    }

    /// Whether an epoch must be validated before a later window may change the parameters: its last update was made, or is in
    /// flight.
    fn awaits_validation(&self, fit: &FitConfig) -> bool {
        let ends = self.ended.is_some() || self.expected.back().is_some_and(|window| window.ends_epoch);
        ends && fit.validation.is_some()
    }

    /// Schedules one submission, within this time if one is given; false if nothing is left. Schedules nothing while an epoch
    /// awaits its validation.
    pub(super) fn fill(&mut self, trainer: &mut Trainer, fit: &FitConfig, time: Option<Duration>) -> Result<bool> {
        while !self.awaits_validation(fit) {
            let Some((window, at)) = self.open.take().or_else(|| self.windows.next().map(|w| (w, w.start))) else {
                return Ok(false);
            };
            self.open = Some((window, at));
            let end = window.start + u64::from(window.rows);
            let most = time.map_or(usize::MAX, |time| trainer.rows_within(time));
            let stop = at + trainer.slice((end - at) as usize, self.resident).min(most) as u64;
            let full = !trainer.has_room((stop - at) as usize) || trainer.profile_is_full();
            if full || trainer.is_enough(time) || trainer.scheduled() >= self.most {
                return Ok(true);
            }
            // Windows already in flight when one turns out not to be finite change nothing any more.
            let hold = window.update > self.first && fit.on_nonfinite == OnNonFinite::Stop;
            let settings = WindowSettings { hold, lr_factor: fit.lr_scaling.factor(window.batch) };
            self.micro_step(trainer, fit, at..stop, stop == end, settings)?;
            self.open = (stop < end).then_some((window, stop));
            if stop == end {
                trainer.schedule_update_with(settings)?;
                self.expected.push_back(window);
            }
            let paused = stop == end && self.pause == Some(self.windows.place().0);
            if !self.resident || paused {
                return Ok(true);
            }
        }
        Ok(true)
    }

    /// One micro-batch of a stretch of the stream.
    pub(super) fn micro_step(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        stretch: Range<u64>,
        last: bool,
        settings: WindowSettings,
    ) -> Result<()> {
        self.samples.clear();
        self.order.extend(stretch, &mut self.samples);
        if self.resident {
            return trainer.schedule_with(&self.samples, last, settings);
        }
        trainer.step_from_host(&fit.train, self.samples.iter().map(|&sample| sample as usize), last, settings)
    }

    /// The consequence of a window that is not finite, or that follows one that ended a training.
    fn left_out_for(update: &Update) -> Result<()> {
        if update.left_out == Some(LeftOut::Stopped) {
            let message = format!("update {} was left out after one that ended the training", update.update);
            return Err(Error::Internal(message));
        }
        update.check()
    }

    /// Whether an update left out for a number that is not finite ends the run.
    fn left_out(&mut self, trainer: &mut Trainer, fit: &FitConfig, error: Error) -> Result<()> {
        let Error::Diverged { update, found, .. } = error else { return Err(error) };
        if fit.on_nonfinite == OnNonFinite::Skip && found != NotFinite::Parameter {
            return Ok(());
        }
        let suspect = match self.expected.front().copied() {
            Some(window) => self.suspect(trainer, fit, &window, found)?,
            None => None,
        };
        Err(Error::Diverged { update, found, suspect })
    }

    /// Reports updates that were made.
    pub(super) fn report(
        &mut self,
        trainer: &mut Trainer,
        updates: Vec<Update>,
        fit: &FitConfig,
        on_event: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<()> {
        for update in updates {
            if let Err(error) = Run::left_out_for(&update) {
                self.left_out(trainer, fit, error)?;
            }
            let Some(window) = self.expected.pop_front() else { break };
            if update.made() {
                self.epoch.loss += update.loss * update.weight;
                self.epoch.weight += update.weight;
            }
            self.stopped |= on_event(Event::Update { update, epoch: window.epoch }).is_break();
            if window.ends_epoch {
                self.ended = Some((window.epoch, update.update));
            }
            if fit.validation.is_none() {
                self.end_epoch(None, on_event);
            }
        }
        Ok(())
    }

    pub(super) fn end_epoch(
        &mut self,
        validation: Option<Evaluation>,
        on_event: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) {
        let Some((epoch, update)) = self.ended.take() else { return };
        let Sums { loss, weight } = std::mem::take(&mut self.epoch);
        let event = Event::Epoch { epoch, update, train_loss: loss / weight, validation };
        self.stopped |= on_event(event).is_break();
    }
}

#[cfg(test)]
mod tests;
