//! `accrue init`: writes a commented configuration to start from, and says what to do with it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::progress::{print, say};
use crate::recipe::template;
use crate::{Error, Result};

/// Write a commented configuration to start from.
#[derive(Debug, PartialEq, Args)]
pub struct Init {
    /// The file to write, or `-` to print it.
    #[arg(default_value = "config.toml")]
    pub file: PathBuf,
    /// Overwrite the file if it exists.
    #[arg(long)]
    pub force: bool,
}

impl Command for Init {
    /// Writes the configuration and says what comes next; `-` prints only the configuration.
    fn run(&self) -> Result<(), Stop> {
        write(&self.file, self.force)?;
        if self.file != Path::new("-") {
            let file = self.file.display();
            say(&format!("wrote {file}; set data.path, data.target and model.loss in it, and then:"));
            say(&format!("  accrue train {file} --out runs/first"));
        }
        Ok(())
    }
}

/// Writes [`template`] to a file, or to standard output for `-`. An existing file stays unless `force` is given.
fn write(file: &Path, force: bool) -> Result<()> {
    if file == Path::new("-") {
        return print(&template());
    }
    to_file(file, force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::io(file, io::Error::new(error.kind(), "exists; --force overwrites it")),
        _ => Error::io(file, error),
    })
}

fn to_file(file: &Path, force: bool) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(file)?.write_all(template().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_file_that_is_there_stays_unless_forced() {
        let file = std::env::temp_dir().join(format!("accrue-init-{}.toml", std::process::id()));
        write(&file, false).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let error = write(&file, false).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().ends_with("exists; --force overwrites it"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        write(&file, true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), template());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn init_writes_config_toml_unless_told_and_takes_a_dash() {
        assert_eq!(parse::<Init>("accrue init").unwrap(), Init { file: "config.toml".into(), force: false });
        assert_eq!(parse::<Init>("accrue init - --force").unwrap(), Init { file: "-".into(), force: true });
    }
}
