//! The learning-rate range test (Smith, *Cyclical Learning Rates for Training Neural Networks*, 2015): the learning rate grows
//! from update to update, and the loss says which one is meant.

mod curve;

use std::ops::ControlFlow;

pub use curve::{Curve, Ending, Point, Proposed};

use super::config::Config;
use super::session::Session;
use crate::optim::{Schedule, ScheduleShape};
use crate::train::{Event, FitConfig, LeftOut, OnNonFinite, Outcome, Run, Trainer, Update};
use crate::{Error, Result};

/// The fewest updates from which anything can be told.
const LEAST: u32 = 20;

/// The learning rates of a range test: each update has the one before times the same factor.
///
/// ```no_run
/// use std::{ops::ControlFlow, path::Path};
/// use accrue::gpu::{Choice, Gpu};
/// use accrue::recipe::{Config, LrRange};
///
/// let (config, range) = (Config::load(Path::new("config.toml"), &[])?, LrRange::default());
/// let gpu = Gpu::new(&Choice::default())?;
/// let session = range.session(config)?;
/// let (mut trainer, _) = session.trainer(&gpu, session.settled(&gpu)?)?;
/// let curve = range.run(&session, &mut trainer, |_event| ControlFlow::Continue(()))?;
/// println!("{:?}", curve.proposed());
/// # Ok::<(), accrue::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LrRange {
    /// That of the first update.
    pub from: f64,
    /// That of the last update.
    pub to: f64,
    /// The number of updates.
    pub updates: u32,
}

impl Default for LrRange {
    /// From 10⁻⁶ to 10 in 100 updates.
    fn default() -> LrRange {
        LrRange { from: 1e-6, to: 10.0, updates: 100 }
    }
}

impl LrRange {
    /// The session of a configuration whose learning rate and schedule are replaced by the sweep. It has epochs enough for all
    /// updates; everything else is as configured: rows, windows, their order, optimizer, first weights.
    ///
    /// # Errors
    /// [`Error::Config`] for a range that none can be; those of [`Session::new`].
    pub fn session(&self, mut config: Config) -> Result<Session> {
        self.check()?;
        let optimizer = &mut config.optimizer;
        optimizer.lr = self.from;
        optimizer.schedule = ScheduleShape::Step { every: 1, factor: self.factor() };
        (optimizer.step_every, optimizer.step_factor) = (Some(1), Some(self.factor()));
        (optimizer.warmup, optimizer.min_lr) = (0, None);
        let mut session = Session::new(config)?;
        let batch = session.cut.batches.most() as usize;
        let epochs_of_an_update = batch.div_ceil(session.prepared.train.epoch().max(1)) as u32;
        session.set_epochs(self.updates.saturating_mul(epochs_of_an_update))?;
        Ok(session)
    }

    /// Trains through the range with a trainer of its [session](LrRange::session), until the loss is four times its least or
    /// not finite. Every event goes to `on_event`, which may end the test.
    ///
    /// # Errors
    /// Those of [`Run::advance`], but not that the training diverged: that is how a range test ends.
    pub fn run(
        &self,
        session: &Session,
        trainer: &mut Trainer,
        mut on_event: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Curve> {
        let fit = FitConfig { validation: None, on_nonfinite: OnNonFinite::Skip, ..session.fit() };
        let mut curve = Curve::new(self.updates);
        let ended = self.advance(trainer, &fit, |event| {
            let stopped = on_event(&event).is_break();
            if let (Event::Update { update, .. }, None) = (event, curve.ending) {
                self.take(&mut curve, &update);
            }
            if stopped {
                curve.ending = curve.ending.or(Some(Ending::Stopped));
            }
            if curve.ending.is_some() { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        match ended {
            Ok(()) => {}
            Err(Error::Diverged { .. }) => curve.ending = curve.ending.or(Some(Ending::NotFinite)),
            Err(error) => return Err(error),
        }
        Ok(curve)
    }

    fn take(&self, curve: &mut Curve, update: &Update) {
        // A window without weight has no loss.
        if update.left_out != Some(LeftOut::NoWeight) {
            let loss = if update.made() { update.loss } else { f64::NAN };
            curve.add(update.update, self.lr(update.update), loss);
        }
    }

    fn advance(
        &self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        mut on_event: impl FnMut(Event) -> ControlFlow<()>,
    ) -> Result<()> {
        let mut run = Run::new(trainer, fit)?;
        run.pause_after(Some(u64::from(self.updates)));
        loop {
            let outcome = run.advance(trainer, fit, &mut on_event)?;
            if outcome == Some(Outcome::Stopped) {
                return Ok(());
            }
            if outcome.is_some() || run.position().updates >= u64::from(self.updates) {
                return run.settle(trainer, fit, &mut on_event);
            }
        }
    }

    /// The learning rate of an update, counted from 1, as `optimizer.lr` would have to be.
    pub fn lr(&self, update: u64) -> f64 {
        let shape = ScheduleShape::Step { every: 1, factor: self.factor() };
        Schedule { warmup: 0, shape }.lr(self.from, update)
    }

    fn factor(&self) -> f64 {
        (self.to / self.from).powf(1.0 / f64::from(self.updates.max(2) - 1))
    }

    fn check(&self) -> Result<()> {
        let LrRange { from, to, updates } = *self;
        if updates < LEAST {
            return Err(Error::config("--updates", format!("{updates} are too few; give {LEAST} or more")));
        }
        // The GPU takes the number as an f32, whose normal numbers begin here.
        if from.is_nan() || from < f64::from(f32::MIN_POSITIVE) {
            return Err(Error::config("--from", format!("{from}; give a number above 0, such as 1e-6")));
        }
        if to.is_nan() || to <= from || !(to as f32).is_finite() {
            return Err(Error::config("--to", format!("{to}; give a finite number above --from, {from}")));
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_learning_rates_are_evenly_spaced_by_their_logarithm() {
        let range = LrRange { from: 1e-3, to: 10.0, updates: 41 };
        for (update, lr) in [(1, 1e-3), (11, 1e-2), (21, 0.1), (41, 10.0)] {
            assert!((range.lr(update) / lr - 1.0).abs() < 1e-9, "{update}: {}", range.lr(update));
        }
    }

    #[test]
    fn a_range_that_none_can_be_is_refused() {
        let said = |from, to, updates| LrRange { from, to, updates }.check().unwrap_err().to_string();
        assert_eq!(said(1e-6, 1.0, 19), "--updates: 19 are too few; give 20 or more");
        for from in [0.0, -1.0, f64::NAN, 1e-40] {
            assert!(said(from, 1.0, 20).starts_with("--from: "));
        }
        for to in [0.1, 0.01, f64::NAN, f64::INFINITY, 1e39] {
            assert!(said(0.1, to, 20).starts_with("--to: "));
        }
    }
}
