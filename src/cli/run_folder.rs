//! The folder of a run: which files it has and how they get there.

use std::fs;
use std::path::{Path, PathBuf};

use crate::{Error, Result};

/// The folder that `accrue train --out` writes.
pub struct RunFolder(PathBuf);

impl RunFolder {
    /// A folder for a run with this configuration: a new one, or one that holds a run with the very same configuration,
    /// which gives the same result again. A model of another run is not overwritten, unless `force` is given.
    pub fn create(folder: &Path, config: &str, force: bool) -> Result<RunFolder> {
        fs::create_dir_all(folder).map_err(|e| Error::io(folder, e))?;
        let run = RunFolder(folder.to_owned());
        let path = run.config();
        match fs::read_to_string(&path) {
            Ok(other) if other != config && !force && run.model().exists() => {
                let message = format!(
                    "{} holds a run with another configuration; give another folder, or --force to replace that run",
                    folder.display()
                );
                return Err(Error::config("--out", message));
            }
            Ok(_) => {}
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => {}
            Err(error) => return Err(Error::io(&path, error)),
        }
        if force {
            // What the other run left must not stand beside this one's configuration.
            for file in [run.model(), run.metrics(), run.report()] {
                match fs::remove_file(&file) {
                    Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(Error::io(&file, error)),
                    _ => {}
                }
            }
        }
        write(&path, config)?;
        Ok(run)
    }

    /// The folder of a run that is there.
    pub fn open(folder: &Path) -> RunFolder {
        RunFolder(folder.to_owned())
    }

    /// The resolved configuration.
    pub fn config(&self) -> PathBuf {
        self.0.join("config.toml")
    }

    /// The weights and what is needed to use them.
    pub fn model(&self) -> PathBuf {
        self.0.join("model.safetensors")
    }

    /// One line of JSON for each update and each epoch.
    pub fn metrics(&self) -> PathBuf {
        self.0.join("metrics.jsonl")
    }

    /// The run as a page.
    pub fn report(&self) -> PathBuf {
        self.0.join("report.html")
    }

    /// The last part of its path.
    pub fn name(&self) -> String {
        let full = fs::canonicalize(&self.0).unwrap_or_else(|_| self.0.clone());
        full.file_name().map_or_else(|| "run".to_owned(), |name| name.to_string_lossy().into_owned())
    }
}

/// Writes a text in one go: aside, then renamed over what was there.
pub fn write(path: &Path, text: &str) -> Result<()> {
    let mut aside = path.as_os_str().to_owned();
    aside.push(".new");
    let aside = PathBuf::from(aside);
    fs::write(&aside, text).map_err(|e| Error::io(&aside, e))?;
    fs::rename(&aside, path).map_err(|e| Error::io(path, e))
}
