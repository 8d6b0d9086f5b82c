//! A run before it begins or resumes: the folder is locked, and none of its files has changed yet.

use super::{Found, Identity, Journal, Line, Lock, MetricsFile, Options, RunFolder, Saver};
use crate::Result;
use crate::nn::ModelFile;

/// A folder in which no other process trains, and the checkpoint to resume from.
pub struct Claim {
    folder: RunFolder,
    lock: Option<Lock>,
    found: Option<Found>,
}

/// A claim on a folder whose run, if there is one, is the wanted one.
pub struct Accepted {
    claim: Claim,
    identity: Identity,
    /// Whether the run accepts changes made since it began.
    changed: bool,
}

impl RunFolder {
    /// Locks the folder, if it exists, and finds the run to resume.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) for a folder with foreign files or in use, [`Error::Io`](crate::Error::Io), and
    /// [`Error::ModelFile`](crate::Error::ModelFile) if no checkpoint is intact.
    pub fn claim(&self, options: &Options) -> Result<Claim> {
        self.check_ours()?;
        let lock = self.lock()?;
        let found = if options.fresh { None } else { self.checkpoints().latest(|line| (options.warn)(&line))? };
        Ok(Claim { folder: self.clone(), lock, found })
    }
}

impl Claim {
    /// Whether there is a run to resume.
    pub fn goes_on(&self) -> bool {
        self.found.is_some()
    }

    /// Whether the trainer must be able to resume inside a block of rows, as the checkpoint does.
    pub fn has_open_block(&self) -> bool {
        self.found.as_ref().is_some_and(|found| !found.checkpoint.state.open_block.is_empty())
    }

    /// Compares the folder's run with the wanted one. Writes nothing.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if the folder's run is another one.
    pub fn accept(mut self, identity: Identity, options: &Options) -> Result<Accepted> {
        let changed = match &mut self.found {
            Some(found) => {
                check_best(&self.folder, found, options.warn);
                let folder = self.folder.path().display().to_string();
                found.about.identity.goes_on_as(&identity, &folder, options.take_changes)?
            }
            None if options.fresh => false,
            None => self.folder.check(&identity.config).map(|()| false)?,
        };
        Ok(Accepted { claim: self, identity, changed })
    }
}

/// Forgets the best model if it cannot be read any more: the best of the epochs from here on is kept then.
fn check_best(folder: &RunFolder, found: &mut Found, warn: fn(&str)) {
    if let (Some(best), Err(error)) = (found.about.search.best, ModelFile::read(&folder.best())) {
        let epoch = best.epoch;
        warn(&format!("the best model, of epoch {epoch}, is gone; that of the epochs to come is kept ({error})"));
        found.about.search.forget();
    }
}

impl Accepted {
    /// Writes the files of a new run, or opens those of a resumed one.
    ///
    /// # Errors
    /// [`Error::Config`](crate::Error::Config) if another process was quicker, [`Error::Io`](crate::Error::Io),
    /// [`Error::Data`](crate::Error::Data) for a metrics file that is not the run's.
    pub fn begin(self, info: &wgpu::AdapterInfo, options: &Options) -> Result<Journal> {
        let Accepted { claim: Claim { folder, lock, mut found }, identity, changed } = self;
        let lock = lock.map_or_else(|| folder.make(), Ok)?;
        folder.tidy()?;
        let (metrics, lines) = match &mut found {
            None => {
                folder.begin(&identity.config)?;
                (MetricsFile::create(&folder.metrics(), info)?, Vec::new())
            }
            Some(found) => {
                folder.forget_refit()?;
                folder.write_config(&identity.config)?;
                metrics(&folder, found, changed, info, options.warn)?
            }
        };
        let saver = Saver::new(folder.path(), identity, options, found.as_ref());
        Ok(Journal::new(folder, lock, metrics, saver, found, lines))
    }
}

/// The metrics of a resumed run, and the lines that they have.
fn metrics(
    folder: &RunFolder,
    found: &mut Found,
    changed: bool,
    info: &wgpu::AdapterInfo,
    warn: fn(&str),
) -> Result<(MetricsFile, Vec<Line>)> {
    let path = folder.metrics();
    if !path.exists() {
        let updates = found.checkpoint.position.updates;
        warn(&format!("{} is gone; it begins again after update {updates}", path.display()));
        found.forget_metrics(&folder.checkpoints())?;
        return Ok((MetricsFile::create(&path, info)?, Vec::new()));
    }
    let (mut metrics, lines) = MetricsFile::go_on(&path, found.about.metrics)?;
    if changed || found.about.metrics == 0 {
        metrics.run(info)?;
    }
    Ok((metrics, lines))
}
