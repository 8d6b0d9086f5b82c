//! `train.refit`: once the best epoch is known, training again on all rows, those held back too.

use std::fs;
use std::ops::ControlFlow;

use super::{Config, Validation};
use crate::Result;
use crate::gpu::Gpu;
use crate::run::{Best, Finished, Options, RunFolder};
use crate::train::Event;
use crate::train::metrics::Metric;

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
    /// resumes as any run does; a run there with another best epoch is replaced.
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
        let is_other =
            fs::read_to_string(folder.config()).is_ok_and(|text| config.to_toml().is_ok_and(|own| own != text));
        let options = Options { fresh: options.fresh || is_other, ..options.clone() };
        config.train_once(gpu, &folder, &options, on_event)
    }
}
