//! The folder of a run: its files, and how they are written.

use std::fs::{self, File, TryLockError};
use std::io::ErrorKind;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::metrics::read_metrics;
use super::{Checkpoints, Line};
use crate::{Error, Result, durable};

/// How long another process may take to die.
const DYING: Duration = Duration::from_secs(2);

/// The folder of a run, as `accrue train --out` writes it.
#[derive(Clone, Debug)]
pub struct RunFolder(PathBuf);

/// While it lives, no other process may train in the folder.
pub(super) struct Lock(#[expect(dead_code, reason = "closing it gives the lock back")] File);

impl RunFolder {
    /// The folder of a run, which need not exist.
    pub fn open(folder: &Path) -> RunFolder {
        RunFolder(folder.to_owned())
    }

    /// Fails if the folder has files under a run's names but is no run's folder: they are somebody's work. Call this before
    /// taking the lock, which makes a folder a run's.
    ///
    /// # Errors
    /// [`Error::Config`] naming such a file.
    pub(super) fn check_ours(&self) -> Result<()> {
        let marks = [self.0.join(".lock"), self.0.join("checkpoints"), self.metrics()];
        if marks.iter().any(|path| path.exists()) {
            return Ok(());
        }
        match [self.config(), self.model(), self.best(), self.report()].iter().find(|path| path.exists()) {
            None => Ok(()),
            Some(path) => {
                let message = format!("{} is of no run and would be replaced; give another folder", path.display());
                Err(Error::config("--out", message))
            }
        }
    }

    /// Fails for an output file that is also read, or that is one of the run's.
    ///
    /// # Errors
    /// [`Error::Config`] naming it.
    pub fn check_written(&self, out: &Path, read: &[&Path]) -> Result<()> {
        let Ok(out) = fs::canonicalize(out) else { return Ok(()) };
        let mut ours = vec![self.config(), self.model(), self.best(), self.report(), self.metrics()];
        ours.push(self.refit().model());
        ours.extend(self.checkpoints().list()?);
        let mut kept = ours.iter().map(PathBuf::as_path).chain(read.iter().copied());
        match kept.find(|path| fs::canonicalize(path).is_ok_and(|path| path == out)) {
            None => Ok(()),
            Some(path) => {
                let message = format!("{} is read, or is the run's own; give another file", path.display());
                Err(Error::config("--out", message))
            }
        }
    }

    /// Fails if the folder's model is of a run with another configuration and there is no checkpoint to resume from.
    ///
    /// # Errors
    /// [`Error::Config`] with the remedy.
    pub(super) fn check(&self, config: &str) -> Result<()> {
        let path = self.config();
        match fs::read_to_string(&path) {
            Ok(other) if other != config && self.model().exists() => {
                let message = format!(
                    "{} holds a run with another configuration; give another folder, or --fresh to replace that run",
                    self.0.display()
                );
                Err(Error::config("--out", message))
            }
            Ok(_) => Ok(()),
            // A folder that cannot hold a run is an error when it is made.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => Ok(()),
            Err(error) => Err(Error::io(&path, error)),
        }
    }

    /// Makes the folder, and keeps other processes from training in it.
    ///
    /// # Errors
    /// [`Error::Config`] if another process does, or did since the folder was found missing.
    pub(super) fn make(&self) -> Result<Lock> {
        durable::create_folder(&self.0)?;
        let lock = self.lock()?.ok_or_else(|| Error::Internal("a folder that was just made is there".to_owned()))?;
        if self.config().exists() {
            let message = format!("another accrue has just trained in {}; try again", self.0.display());
            return Err(Error::config("--out", message));
        }
        Ok(lock)
    }

    /// Keeps other processes from training in the folder, if it exists.
    ///
    /// # Errors
    /// [`Error::Config`] if another process trains in it.
    pub(super) fn lock(&self) -> Result<Option<Lock>> {
        if !self.0.is_dir() {
            return Ok(None);
        }
        let path = self.0.join(".lock");
        let file = File::create(&path).map_err(|e| Error::io(&path, e))?;
        // A killed process keeps the lock until its driver has released the GPU.
        let begin = Instant::now();
        let mut locked = file.try_lock();
        while matches!(locked, Err(TryLockError::WouldBlock)) && begin.elapsed() < DYING {
            std::thread::sleep(Duration::from_millis(20));
            locked = file.try_lock();
        }
        match locked {
            Err(TryLockError::WouldBlock) => {
                let message =
                    format!("another accrue is training in {}; wait for it, or give another folder", self.0.display());
                Err(Error::config("--out", message))
            }
            // A file system without locks is no reason not to train.
            Ok(()) | Err(TryLockError::Error(_)) => Ok(Some(Lock(file))),
        }
    }

    /// Removes the temporary files that killed processes left; needs the lock.
    pub(super) fn tidy(&self) -> Result<()> {
        let ours = [self.config(), self.model(), self.best(), self.report()];
        durable::tidy(&self.0, |name| ours.iter().any(|file| file.ends_with(name)))?;
        self.checkpoints().tidy()
    }

    /// Begins a run with this configuration, and removes the files of an earlier one.
    pub(super) fn begin(&self, config: &str) -> Result<()> {
        self.checkpoints().clear()?;
        [self.model(), self.best(), self.metrics(), self.report()].iter().try_for_each(|file| remove(file))?;
        self.forget_refit()?;
        self.write_config(config)
    }

    /// Removes the model that was trained again on all rows: while the run goes on, its best epoch may change.
    pub(super) fn forget_refit(&self) -> Result<()> {
        remove(&self.refit().model())
    }

    /// Writes the configuration.
    pub(super) fn write_config(&self, config: &str) -> Result<()> {
        durable::write_bytes(&self.config(), config.as_bytes())
    }

    /// The checkpoints.
    pub(super) fn checkpoints(&self) -> Checkpoints {
        Checkpoints::of(&self.0)
    }

    /// Its path.
    pub fn path(&self) -> &Path {
        &self.0
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The model: weights and description.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// The model meant by a path: a model file itself, or of a run's folder the one that was trained again on all rows, or
    /// else that of the best epoch; the last one if `last` says so or no epoch was validated.
    ///
    /// # Errors
    /// [`Error::Config`] for the last model of a file.
    pub fn model_of(path: &Path, last: bool) -> Result<PathBuf> {
        if path.is_file() {
            let message = format!("{} is one model; give the folder of its run", path.display());
            return if last { Err(Error::config("--last", message)) } else { Ok(path.to_owned()) };
        }
        let folder = RunFolder::open(path);
        let refit = folder.refit().model();
        Ok(match last {
            true => folder.model(),
            false if refit.exists() => refit,
            false => RunFolder::start_of(path),
        })
    }

    /// The model to start another training from: as [`RunFolder::model_of`], but never the one that was trained on all rows. It
    /// has seen those that the other training holds back.
    pub fn start_of(path: &Path) -> PathBuf {
        if path.is_file() {
            return path.to_owned();
        }
        let folder = RunFolder::open(path);
        if folder.best().exists() { folder.best() } else { folder.model() }
    }

    /// The updates and epochs of its file of metrics, while a run goes on too; none where there is no such file.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Data`] for a line that is none of a run.
    pub fn read_metrics(&self) -> Result<Vec<Line>> {
        read_metrics(&self.metrics())
    }

    /// The model after the best epoch.
    pub fn best(&self) -> PathBuf {
        self.0.join("best.safetensors")
    }

    /// The folder of the run that trains again on all rows, for as many epochs as the best one of this run had.
    pub fn refit(&self) -> RunFolder {
        RunFolder(self.0.join("refit"))
    }

    /// The metrics: one line of JSON for each update and each epoch.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The run's report, an HTML page.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The last part of its path.
    pub fn name(&self) -> String {
        let full = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        full.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// Removes a file, if it is there.
fn remove(file: &Path) -> Result<()> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(Error::io(file, error)),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_locked_when_it_is_there_or_made() {
        let path = std::env::temp_dir().join(format!("accrue-lock-{}", std::process::id()));
        let folder = RunFolder::open(&path);
        assert!(folder.lock().unwrap().is_none() && !path.exists());
        let lock = folder.make().unwrap();
        let said = folder.lock().err().unwrap().to_string();
        assert!(said.starts_with("--out: another accrue is training in "), "{said}");
        drop(lock);
        drop(folder.lock().unwrap().unwrap());
        // Another process was quicker.
        folder.write_config("").unwrap();
        let said = folder.make().err().unwrap().to_string();
        assert!(said.starts_with("--out: another accrue has just trained in "), "{said}");
        fs::remove_dir_all(&path).unwrap();
    }
}
