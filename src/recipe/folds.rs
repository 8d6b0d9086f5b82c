//! Cross-validation: each part of the rows in turn measures a model that the other parts train.

use std::ops::ControlFlow;

use super::config::{Config, Validation};
use super::session::Session;
use crate::run::{Best, Search};
use crate::train::metrics::Evaluation;
use crate::train::{Event, Trainer};
use crate::{Error, Result};

/// One of the parts that the rows of `data.path` are divided into.
///
/// ```no_run
/// use std::{ops::ControlFlow, path::Path};
/// use accrue::gpu::{Choice, Gpu};
/// use accrue::recipe::{Config, Fold, Session};
///
/// let config = Config::load(Path::new("config.toml"), &[])?;
/// let gpu = Gpu::new(&Choice::default())?;
/// let mut losses = Vec::new();
/// for fold in Fold::all(5) {
///     let session = Session::of_fold(config.clone(), fold)?;
///     let (mut trainer, _) = session.trainer(&gpu, session.settled(&gpu)?)?;
///     if let Some(best) = session.best_epoch(&mut trainer, |_event| ControlFlow::Continue(()))? {
///         losses.push(best.evaluation.loss);
///     }
/// }
/// println!("{}", losses.iter().sum::<f64>() / losses.len() as f64);
/// # Ok::<(), accrue::Error>(())
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Fold {
    /// Which part, counted from 0: its rows measure the model.
    pub at: u32,
    /// The number of parts.
    pub of: u32,
}

impl Fold {
    /// All `count` folds, in order.
    pub fn all(count: u32) -> impl ExactSizeIterator<Item = Fold> {
        (0..count).map(move |at| Fold { at, of: count })
    }

    /// Fails if the configuration says itself which rows measure the model.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub(super) fn check(self, config: &Config) -> Result<()> {
        match config.data.validation {
            _ if config.data.is_text() => {
                let message =
                    "makes data.path a text, which has no rows to divide into folds; train measures its last part";
                Err(Error::config("data.context", message))
            }
            Validation::Share(_) => Ok(()),
            Validation::File(_) => {
                let message = "is a file, but the folds are parts of data.path; leave it out, or give a share, which is \
                               of no account here";
                Err(Error::config("data.validation", message))
            }
        }
    }
}

/// What a training came to.
#[derive(Clone, Debug, PartialEq)]
pub struct BestEpoch {
    /// The best epoch.
    pub best: Best,
    /// The mean loss of the training rows in that epoch, each before its update.
    pub train_loss: f64,
    /// The metrics on the validation rows after that epoch.
    pub evaluation: Evaluation,
    /// The epochs made; fewer than configured if no better one came for `train.patience` epochs.
    pub epochs: u32,
}

impl Session {
    /// Trains as configured, without writing anything, and returns the best epoch by `train.best`. Every event goes to
    /// `on_event`, which may end the training; then nothing is returned.
    ///
    /// # Errors
    /// Those of [`Trainer::fit`]; [`Error::Data`] if no epoch has that metric, as without rows to validate on.
    pub fn best_epoch(
        &self,
        trainer: &mut Trainer,
        mut on_event: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Option<BestEpoch>> {
        let (metric, patience) = (self.config.train.best, self.config.train.patience);
        let (mut search, mut found, mut epochs, mut stopped) = (Search::default(), None, 0, false);
        trainer.fit(&self.fit(), |event| {
            stopped |= on_event(&event).is_break();
            let is_best = search.saw(&event, metric);
            if let Event::Epoch { epoch, train_loss, validation, .. } = event {
                epochs = epoch;
                found = if is_best { validation.map(|evaluation| (train_loss, evaluation)) } else { found.take() };
            }
            let ends = stopped || search.ran_out(patience).is_some();
            if ends { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        match (search.best, found) {
            _ if stopped => Ok(None),
            (Some(best), Some((train_loss, evaluation))) => {
                Ok(Some(BestEpoch { best, train_loss, evaluation, epochs }))
            }
            _ => {
                let message = format!(
                    "val_{} was a number after none of {epochs} epochs, so none is the best; choose another train.best",
                    metric.name()
                );
                Err(Error::data("rows to validate on", message))
            }
        }
    }
}
