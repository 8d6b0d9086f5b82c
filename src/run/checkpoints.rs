//! The folder of a run's checkpoints.

use std::fs;
use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use super::About;
use crate::train::Checkpoint;
use crate::{Error, Result, durable};

/// The number of checkpoints kept, the latest ones.
const KEPT: usize = 2;

/// The folder `checkpoints` of a run.
pub(super) struct Checkpoints(PathBuf);

/// A checkpoint to resume from.
pub(super) struct Found {
    /// State and position.
    pub checkpoint: Checkpoint,
    /// What the run stored with them.
    pub about: About,
}

impl Found {
    /// Rewrites it as that of a run whose metrics are gone: nobody may look for their lines any more.
    pub fn forget_metrics(&mut self, checkpoints: &Checkpoints) -> Result<()> {
        self.about.metrics = 0;
        self.checkpoint.about = self.about.text()?;
        checkpoints.save(self.checkpoint.clone()).map(drop)
    }
}

impl Checkpoints {
    /// The checkpoints of the run in this folder.
    pub fn of(run: &Path) -> Checkpoints {
        Checkpoints(run.join("checkpoints"))
    }

    /// The latest intact checkpoint. `warn` names damaged later ones.
    ///
    /// # Errors
    /// The latest one's, if none is intact; also that of one that cannot be read, as it may well be intact.
    pub fn latest(&self, mut warn: impl FnMut(String)) -> Result<Option<Found>> {
        let mut damaged = Vec::new();
        for path in self.list()?.into_iter().rev() {
            match read(&path) {
                Ok(found) => {
                    for error in damaged {
                        warn(format!("{error}; the checkpoint before it is used"));
                    }
                    return Ok(Some(found));
                }
                Err(error @ Error::ModelFile { .. }) => damaged.push(error),
                Err(error) => return Err(error),
            }
        }
        match damaged.into_iter().next() {
            None => Ok(None),
            Some(Error::ModelFile { path, message }) => {
                let message = format!("{message}; no other checkpoint is intact either: start over with --fresh");
                Err(Error::ModelFile { path, message })
            }
            Some(error) => Err(error),
        }
    }

    /// Writes a checkpoint, and once it is safe on disk removes those no longer needed.
    pub fn save(&self, checkpoint: Checkpoint) -> Result<PathBuf> {
        durable::create_folder(&self.0)?;
        // Alphabetical order is order of time.
        let (updates, rows) = (checkpoint.position.updates, checkpoint.position.rows);
        let path = self.0.join(format!("update-{updates:010}-row-{rows:010}.safetensors"));
        checkpoint.write(&path)?;
        // Later ones are damaged: the run resumed from one before them.
        let list: Vec<PathBuf> = self.list()?.into_iter().filter(|other| *other <= path).collect();
        for old in &list[..list.len().saturating_sub(KEPT)] {
            fs::remove_file(old).map_err(|e| Error::io(old, e))?;
        }
        Ok(path)
    }

    /// Removes all of them, the temporary files of a killed process, and the folder if it is then empty.
    pub fn clear(&self) -> Result<()> {
        self.tidy()?;
        for path in self.list()? {
            fs::remove_file(&path).map_err(|error| Error::io(&path, error))?;
        }
        match fs::remove_dir(&self.0) {
            Err(error) if !matches!(error.kind(), ErrorKind::NotFound | ErrorKind::DirectoryNotEmpty) => {
                Err(Error::io(&self.0, error))
            }
            _ => Ok(()),
        }
    }

    /// Removes the temporary files that killed processes left. Nobody else may be writing.
    pub fn tidy(&self) -> Result<()> {
        durable::tidy(&self.0, is_one)
    }

    /// The files from first to last.
    pub fn list(&self) -> Result<Vec<PathBuf>> {
        let wrong = |error| Error::io(&self.0, error);
        let entries = match fs::read_dir(&self.0) {
            // A folder that cannot hold a run is an error when it is made.
            Err(error) if matches!(error.kind(), ErrorKind::NotFound | ErrorKind::NotADirectory) => {
                return Ok(Vec::new());
            }
            entries => entries.map_err(wrong)?,
        };
        let mut files = Vec::new();
        for entry in entries {
            let entry = entry.map_err(wrong)?;
            if entry.file_name().to_str().is_some_and(is_one) {
                files.push(entry.path());
            }
        }
        files.sort_unstable();
        Ok(files)
    }
}

/// Whether a file of this name is ours, such as `update-0000000012-row-0000000000.safetensors`.
fn is_one(name: &str) -> bool {
    let numbers = name.strip_prefix("update-").and_then(|rest| rest.strip_suffix(".safetensors")?.split_once("-row-"));
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    numbers.is_some_and(|(updates, rows)| is_number(updates) && is_number(rows))
}

fn read(path: &Path) -> Result<Found> {
    let checkpoint = Checkpoint::read(path)?;
    let about = serde_json::from_str(&checkpoint.about).map_err(|error| Error::ModelFile {
        path: path.to_owned(),
        message: format!("is not of a run of the command ({error})"),
    })?;
    Ok(Found { checkpoint, about })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> (PathBuf, Checkpoints) {
        let run = std::env::temp_dir().join(format!("accrue-checkpoints-{name}-{}", std::process::id()));
        let checkpoints = Checkpoints::of(&run);
        fs::create_dir_all(&checkpoints.0).unwrap();
        (run, checkpoints)
    }

    #[test]
    fn only_checkpoints_of_ours_are_removed() {
        let (run, checkpoints) = folder("clear");
        let one = "update-0000000012-row-0000000000.safetensors";
        let theirs = ["epoch-3.pt", "update-12.safetensors", "update-a-row-1.safetensors", ".notes.aB3dE9"];
        let write = |name: &str| fs::write(checkpoints.0.join(name), b"").unwrap();
        theirs.iter().chain(&[one]).for_each(|name| write(name));
        write(&format!(".{one}.aB3dE9"));
        checkpoints.clear().unwrap();
        assert_eq!(fs::read_dir(&checkpoints.0).unwrap().count(), theirs.len());
        theirs.iter().for_each(|name| fs::remove_file(checkpoints.0.join(name)).unwrap());
        write(one);
        checkpoints.clear().unwrap();
        assert!(!checkpoints.0.exists(), "an empty folder goes too");
        checkpoints.clear().unwrap();
        fs::remove_dir_all(&run).unwrap();
    }

    #[cfg(unix)]
    #[test]
    fn one_that_cannot_be_read_is_not_taken_for_damaged() {
        let (run, checkpoints) = folder("unreadable");
        let path = |update: u32| checkpoints.0.join(format!("update-{update:010}-row-0000000000.safetensors"));
        fs::write(path(1), b"half").unwrap();
        // Even root cannot follow a link to itself.
        std::os::unix::fs::symlink(path(2), path(2)).unwrap();
        let found = checkpoints.latest(|line| panic!("{line}"));
        assert!(matches!(found, Err(Error::Io { path: of, .. }) if of == path(2)));
        fs::remove_file(path(2)).unwrap();
        let found = checkpoints.latest(|line| panic!("the error says it: {line}"));
        assert!(matches!(found, Err(Error::ModelFile { path: of, .. }) if of == path(1)));
        fs::remove_dir_all(&run).unwrap();
    }
}
