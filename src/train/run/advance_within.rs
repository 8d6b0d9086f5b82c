//! A run that shares its thread and its queue with a host: each call takes the time that the host allows.

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use super::Run;
use crate::Result;
use crate::data::Batch;
use crate::plan::CLOCKS;
use crate::train::fit::{Event, FitConfig, Outcome};
use crate::train::metrics::Tally;
use crate::train::trainer::Trainer;

/// A validation that goes on over several calls.
#[derive(Default)]
pub(super) struct Validation {
    tally: Tally,
    /// Rows whose outputs have arrived.
    rows: usize,
}

impl Run {
    /// As [`Run::advance`], but returns after about `budget`, for a host that has frames to draw. A call hands the GPU work
    /// for about that time; if the work takes longer the call returns without it, and a later call goes on. A call hands over
    /// nothing while earlier work of the run is running, and waits no longer than the budget, except for the least that can
    /// be handed over: some rows, or an update, which for millions of parameters on a slow adapter takes longer. The first
    /// calls measure the adapter's speed, and do little.
    ///
    /// No bit of the result depends on the budget. If a window that is not finite ends the run, the run first looks for the
    /// cause, for some seconds at most, and then returns the error. After [`Outcome::Stopped`] the end of an epoch may not
    /// have been reported yet: a later call or [`Run::settle`] reports it.
    ///
    /// ```no_run
    /// # use std::time::Duration;
    /// # use accrue::train::{FitConfig, Run, Trainer};
    /// # fn frame(trainer: &mut Trainer, run: &mut Run, fit: &FitConfig) -> accrue::Result<()> {
    /// let outcome = run.advance_within(trainer, fit, Duration::from_millis(4), |event| {
    ///     println!("{event:?}");
    ///     std::ops::ControlFlow::Continue(())
    /// })?;
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Run::advance`].
    pub fn advance_within(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        budget: Duration,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<Option<Outcome>> {
        let end = Instant::now() + budget;
        while trainer.is_through(end)? {
            // Finished work has results, but another thread that polls may still hold them.
            while !self.expected.is_empty() && trainer.receive(true)? {}
            let updates = trainer.arrived()?;
            self.report(trainer, updates, fit, &mut on_event)?;
            if std::mem::take(&mut self.stopped) {
                return Ok(Some(Outcome::Stopped));
            }
            let left = end.saturating_duration_since(Instant::now());
            if left.is_zero() {
                break;
            }
            match &fit.validation {
                Some(validation) if self.ended.is_some() => {
                    self.validate_some(trainer, fit, validation, left, &mut on_event)?;
                    continue;
                }
                _ => {}
            }
            let more = self.fill(trainer, fit, Some(left))?;
            if !more && trainer.is_idle() && self.expected.is_empty() {
                return Ok(Some(Outcome::Done));
            }
            trainer.submit()?;
            self.most = (2 * self.most).min(CLOCKS);
        }
        Ok(None)
    }

    /// Takes the outputs of the rows handed over last, or hands over more rows.
    fn validate_some(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        all: &Batch,
        time: Duration,
        on_event: &mut impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<()> {
        let rows = trainer.format().rows(all);
        let state = self.validation.get_or_insert_default();
        if state.rows == rows {
            let evaluation = state.tally.finish(fit.unit);
            self.validation = None;
            self.end_epoch(Some(evaluation), on_event);
            return Ok(());
        }
        if let Some(outputs) = trainer.take_ahead()? {
            let now = outputs.len() / (trainer.format().positions * trainer.format().outputs);
            let stretch = state.rows..state.rows + now;
            state.tally.add(trainer.model(), &outputs, &trainer.format().stretch(all, stretch))?;
            state.rows += now;
            return Ok(());
        }
        // No more than a micro-batch goes in at once.
        let rest = state.rows..rows.min(state.rows + trainer.plan().micro_batch);
        let features = trainer.format().features(all, rest);
        trainer.predict_ahead(&features, time)
    }
}
