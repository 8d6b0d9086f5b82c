//! A whole training, from the configuration to the saved model.

use std::ops::ControlFlow;

use super::{Config, Session, Train};
use crate::Result;
use crate::gpu::Gpu;
use crate::nn::ModelFile;
use crate::run::{Finished, Options, RunFolder};
use crate::train::{Event, Outcome};

impl Config {
    /// Trains as configured, and writes model, best model, checkpoints and losses to the folder; with `train.refit` once more
    /// on all rows, to [`RunFolder::refit`]. Resumes the folder's run, if it has one. The configuration replaces `config`,
    /// `every`, `best` and `patience` of `options`. Every event goes to `on_event`, which may stop the run; the run is then
    /// saved. [`RunFolder::model_of`] has the model to take.
    ///
    /// # Errors
    /// Those of [`Config::check`], [`Session::new`], [`Session::trainer`] and [`run::train`](crate::run::train).
    pub fn train(
        &self,
        gpu: &Gpu,
        folder: &RunFolder,
        options: &Options,
        mut on_event: impl FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<Finished> {
        let (finished, saved) = self.train_once(gpu, folder, options, &mut on_event)?;
        saved.write(&folder.model())?;
        let best = finished.best.filter(|_| self.train.refit && finished.outcome == Outcome::Done);
        match best {
            None => Ok(finished),
            Some(best) => {
                let Finished { outcome, .. } = self.refit(&best, gpu, folder, options, &mut on_event)?;
                Ok(Finished { outcome, ..finished })
            }
        }
    }

    /// As [`Config::train`], but only once, and the model is not written but returned.
    pub(super) fn train_once(
        &self,
        gpu: &Gpu,
        folder: &RunFolder,
        options: &Options,
        on_event: &mut dyn FnMut(&Event) -> ControlFlow<()>,
    ) -> Result<(Finished, ModelFile)> {
        self.check()?;
        let Train { best, patience, .. } = self.train;
        let options = Options { every: self.train.checkpoint.every()?, best, patience, ..options.clone() };
        let claim = folder.claim(&options)?;
        let session = Session::of_run(self.clone(), &claim)?;
        let claim = claim.accept(session.identity(self.to_toml()?, gpu.info()), &options)?;
        let (mut trainer, _) = session.trainer(gpu, session.settled(gpu)?)?;
        let mut journal = claim.begin(gpu.info(), &options)?;
        let outcome = journal.train(&mut trainer, &session.fit(), &session.prepared.saved, &options.stop, on_event)?;
        let saved = ModelFile { arrays: trainer.parameters()?, ..session.prepared.saved };
        Ok((Finished { outcome, best: journal.best(), early: journal.early() }, saved))
    }
}
