//! `train.refit`: once the best epoch is known, training again on all rows, those held back too.

use std::ops::ControlFlow;

use super::{Config, Validation};
use crate::gpu::Gpu;
use crate::run::{Best, Finished, Options, RunFolder};
use crate::train::metrics::Metric;
use crate::train::{Event, Outcome};
use crate::{Error, Result};

impl Config {
    /// The configuration that trains from the first weights on all rows of `data.path`, for as many epochs as the best one
    /// of this configuration had. Rows to measure on are left nowhere: what it gives is as good as the best epoch was, or
    /// better, by as much as more rows help.
    pub fn refitted(&self, best: &Best) -> Config {
        let mut config = self.clone();
        config.data.validation = Validation::Share(0.0);
        let train = &mut config.train;
        (train.refit, train.best, train.patience) = (false, Metric::Loss, None);
        train.stop_after = Some(best.epoch);
        config
    }

    /// Trains as [`Config::refitted`] says, in the folder [`RunFolder::refit`] of the run that found the best epoch. It
    /// resumes as any run does; a run there that would be another one, such as for fewer epochs, is replaced. The model is
    /// written once all of it is trained.
    ///
    /// # Errors
    /// Those of [`Config::train`].
    pub fn refit(
        &self,
        best: &Best,
        gpu: &Gpu,
        folder: &RunFolder,
        options: &Options,
        on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Finished> {
        let (config, folder) = (self.refitted(best), folder.refit());
        // How many epochs are the best was not known before, so a longer run there is no surprise.
        let resumed = Options { take_changes: true, ..options.clone() };
        let (finished, saved) = match config.train_once(gpu, &folder, &resumed, on_event) {
            Err(Error::Config { field, .. }) if field == "--out" && !options.fresh => {
                config.train_once(gpu, &folder, &Options { fresh: true, ..options.clone() }, on_event)?
            }
            trained => trained?,
        };
        if finished.outcome == Outcome::Done {
            saved.write(&folder.model())?;
        }
        Ok(finished)
    }
}
