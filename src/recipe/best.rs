//! `train.best`, `train.patience` and `train.refit`: whether the validation rows can say which epoch is the best.

use super::{Config, Prepared, Validation};
use crate::train::metrics::{Metric, can_be_ranked};
use crate::{Error, Result};

/// Fails if the metric that decides would never be there.
///
/// # Errors
/// [`Error::Config`] with the remedy.
pub(super) fn check(config: &Config, prepared: &Prepared) -> Result<()> {
    let (train, model) = (&config.train, &prepared.saved.model);
    let Some(validation) = &prepared.validation else {
        let key = match (train.refit, train.patience, train.best) {
            (false, None, Metric::Loss) => return Ok(()),
            (true, ..) => "train.refit",
            (_, Some(_), _) => "train.patience",
            (..) => "train.best",
        };
        let message = "there are no rows to validate on; hold some back by data.validation, or leave it out";
        return Err(Error::config(key, message));
    };
    if train.refit && matches!(config.data.validation, Validation::File(_)) {
        let message = "trains again on the rows that were held back of data.path, but data.validation is a file of its own; \
                       give a share there, or leave it out";
        return Err(Error::config("train.refit", message));
    }
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
