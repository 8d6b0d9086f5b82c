//! Whole epochs: windows of the data, in order or shuffled, with progress as events.

use std::ops::ControlFlow;

use serde::{Deserialize, Serialize};

use super::run::Run;
use super::settings::Update;
use super::trainer::Trainer;
use crate::data::Batch;
use crate::optim::Scaling;
use crate::train::metrics::Evaluation;
use crate::window::{Batches, Tail};
use crate::{Error, Result};

/// What [`Trainer::fit`] trains on and for how long.
#[derive(Clone, Debug)]
pub struct FitConfig<'a> {
    /// What is trained on.
    pub train: Batch<'a>,
    /// What is evaluated after each epoch.
    pub validation: Option<Batch<'a>>,
    /// For numbers, the size of each output's unit in the target's own.
    pub unit: Option<&'a [f64]>,
    /// Times that each sample is seen.
    pub epochs: u32,
    /// Samples of one update.
    pub batch: Batches,
    /// How the learning rate follows a batch that changes.
    pub lr_scaling: Scaling,
    /// What becomes of a short last window.
    pub tail: Tail,
    /// Shuffles each epoch by this seed; without it samples come in their own order.
    pub shuffle: Option<u64>,
    /// What becomes of a window whose loss or gradient is not finite.
    pub on_nonfinite: OnNonFinite,
}

/// What becomes of a window whose loss or gradient is not finite. It never reaches the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNonFinite {
    /// The training ends there, with [`Error::Diverged`].
    #[default]
    Stop,
    /// It makes no update, [`Update::left_out`](super::Update) says why, and the training goes on. The learning rate's schedule counts
    /// it all the same.
    Skip,
}

impl<'a> FitConfig<'a> {
    /// Epochs of `train` in its own order, one update for each `batch` samples, without validation. The rest is set by
    /// `FitConfig { shuffle: Some(0), ..FitConfig::new(train, 64, 10) }`.
    pub fn new(train: Batch<'a>, batch: u32, epochs: u32) -> FitConfig<'a> {
        FitConfig {
            train,
            validation: None,
            unit: None,
            epochs,
            batch: batch.into(),
            lr_scaling: Scaling::None,
            tail: Tail::default(),
            shuffle: None,
            on_nonfinite: OnNonFinite::Stop,
        }
    }
}

/// What happened.
#[derive(Clone, Debug)]
pub enum Event {
    /// An update was made in an epoch, counted from 1, or left out.
    Update {
        /// The update.
        update: Update,
        /// Its epoch.
        epoch: u32,
    },
    /// The last update of an epoch was made.
    Epoch {
        /// The epoch, counted from 1.
        epoch: u32,
        /// Its last update.
        update: u64,
        /// The weighted mean of the losses of its updates' samples, each before its update.
        train_loss: f64,
        /// On the validation data, with the parameters after the epoch's last update.
        validation: Option<Evaluation>,
    },
}

/// How [`Trainer::fit`] ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// All epochs are done.
    Done,
    /// An event was answered with [`ControlFlow::Break`].
    Stopped,
}

impl Trainer {
    /// Trains for whole epochs. Every event goes to `on_event`, which may end the training: updates that are on their way by
    /// then are still made and told, so that the last update told is the one that the parameters are of.
    ///
    /// # Errors
    /// [`Error::Diverged`] at the first window whose loss or gradient is not finite: its update was not made.
    /// [`Error::Config`] when no update would ever be made. Else what [`Trainer::schedule`] and its fellows give.
    pub fn fit(&mut self, fit: &FitConfig, on_event: impl FnMut(Event) -> ControlFlow<()>) -> Result<Outcome> {
        self.alive()?;
        let mut run = Run::new(self, fit)?;
        let outcome = run.go_to_the_end(self, fit, on_event);
        // A training that ended early may have left a part of a window behind.
        self.abandon();
        outcome
    }

    /// Finds out now what would be found after the first epoch.
    pub(super) fn check_validation(&self, fit: &FitConfig) -> Result<()> {
        let Some(validation) = &fit.validation else { return Ok(()) };
        self.format().check(validation)?;
        match fit.unit {
            Some(unit) if unit.len() != self.model().outputs() => {
                let message = format!("{} units for {} outputs", unit.len(), self.model().outputs());
                Err(Error::Shape { op: "fit", message })
            }
            _ => Ok(()),
        }
    }
}
