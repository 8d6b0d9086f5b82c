//! `train.best` and `train.patience`: whether the validation rows can say which epoch is the best.

use super::{Config, Prepared};
use crate::train::metrics::{Metric, can_be_ranked};
use crate::{Error, Result};

/// Fails if the metric that decides would never be there.
///
/// # Errors
/// [`Error::Config`] with the remedy.
pub(super) fn check(config: &Config, prepared: &Prepared) -> Result<()> {
    let (train, model) = (&config.train, &prepared.saved.model);
    let Some(validation) = &prepared.validation else {
        let key = match (train.patience, train.best) {
            (None, Metric::Loss) => return Ok(()),
            (Some(_), _) => "train.patience",
            (None, _) => "train.best",
        };
        let message = "there are no rows to validate on; hold some back by data.validation, or leave it out";
        return Err(Error::config(key, message));
    };
    if train.best == Metric::Auc && !can_be_ranked(validation.rows(), model.outputs().max(2)) {
        let message = format!(
            "\"auc\" needs the outputs of all rows at once, and {} rows to validate on are too many; hold fewer back, or \
             take \"loss\"",
            validation.rows()
        );
        return Err(Error::config("train.best", message));
    }
    Ok(())
}
