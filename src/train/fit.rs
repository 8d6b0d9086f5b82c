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

/// The configuration of [`Trainer::fit`]: the data, and how long and in which windows to train.
#[derive(Clone, Debug)]
pub struct FitConfig<'a> {
    /// The training data.
    pub train: Batch<'a>,
    /// The data evaluated after each epoch.
    pub validation: Option<Batch<'a>>,
    /// For numbers: the size of each output's unit in the target's own unit.
    pub unit: Option<&'a [f64]>,
    /// How often each sample is seen.
    pub epochs: u32,
    /// Samples of one update.
    pub batch: Batches,
    /// How the learning rate follows a batch that changes.
    pub lr_scaling: Scaling,
    /// What happens to a short last window.
    pub tail: Tail,
    /// The seed that shuffles each epoch; without it samples keep their order.
    pub shuffle: Option<u64>,
    /// What happens at a window whose loss or gradient is not finite.
    pub on_nonfinite: OnNonFinite,
}

/// What happens at a window whose loss or gradient is not finite. Such a window never changes the parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum OnNonFinite {
    /// Training ends with [`Error::Diverged`].
    #[default]
    Stop,
    /// The window makes no update, [`Update::left_out`](super::Update) gives the reason, and training goes on. The learning
    /// rate's schedule counts the window all the same.
    Skip,
}

impl<'a> FitConfig<'a> {
    /// Trains `epochs` epochs of `train` in its own order, with one update per `batch` samples and no validation. Set the
    /// rest by
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

/// An event of a training.
#[derive(Clone, Debug)]
pub enum Event {
    /// An update was made, or left out.
    Update {
        /// The update.
        update: Update,
        /// Its epoch, counted from 1.
        epoch: u32,
    },
    /// The last update of an epoch was made.
    Epoch {
        /// The epoch, counted from 1.
        epoch: u32,
        /// Its last update.
        update: u64,
        /// The weighted mean of the samples' losses, each before its update.
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
    /// An event handler returned [`ControlFlow::Break`].
    Stopped,
}

impl Trainer {
    /// Trains for whole epochs. Every event goes to `on_event`, which may end the training: updates in flight are then still
    /// made and reported, so that the parameters are those of the last update reported.
    ///
    /// # Errors
    /// [`Error::Diverged`] at the first window whose loss or gradient is not finite; its update was not made.
    /// [`Error::Config`] if no update would ever be made. The errors of [`Trainer::schedule`] and of the submission.
    pub fn fit(&mut self, fit: &FitConfig, on_event: impl FnMut(Event) -> ControlFlow<()>) -> Result<Outcome> {
        self.alive()?;
        let mut run = Run::new(self, fit)?;
        let outcome = run.go_to_the_end(self, fit, on_event);
        // A training that ended early may have left part of a window behind.
        self.abandon();
        outcome
    }

    /// Reports at once what would otherwise fail after the first epoch.
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
