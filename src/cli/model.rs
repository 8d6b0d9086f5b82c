//! The model that a command is asked about: the best or the last of a run, or a file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::progress::complain;
use crate::Result;
use crate::nn::ModelFile;
use crate::run::RunFolder;

/// Which model of which run.
#[derive(Clone, Debug, PartialEq, Args)]
pub struct WhichModel {
    /// The folder of the run that `accrue train` wrote, or one model of it, such as its `best.safetensors`. Of a folder it takes
    /// the model that was trained again on all rows, where `train.refit` wanted that; or else the model after the best epoch,
    /// where there are rows to validate on.
    pub run: PathBuf,
    /// Of a folder, take the model after the last epoch.
    #[arg(long)]
    pub last: bool,
}

impl WhichModel {
    /// Its file.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for the last model of a file.
    pub fn path(&self) -> Result<PathBuf> {
        RunFolder::model_of(&self.run, self.last)
    }

    /// Its file, and what is in it.
    ///
    /// # Errors
    /// Those of [`WhichModel::path`] and [`ModelFile::read`].
    pub fn read(&self) -> Result<(PathBuf, ModelFile)> {
        let path = self.path()?;
        let saved = ModelFile::read(&path)?;
        Ok((path, saved))
    }

    /// Says which model was taken, if that was not said, beside the result: an error is a line alone.
    pub fn tell(&self, path: &Path, saved: &ModelFile) {
        if path != self.run {
            let epoch = saved.epoch.map_or_else(String::new, |epoch| format!(" (epoch {epoch})"));
            complain(&format!("model: {}{epoch}", path.display()));
        }
    }
}
