//! `accrue init`: writes a commented configuration to start from, and says what to do with it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::progress::{print, say};
use crate::data::table::{Reading, open};
use crate::quote::short;
use crate::recipe::{Config, propose, template};
use crate::{Error, Result};

/// Write a commented configuration to start from; with --data, one that fits a table.
#[derive(Debug, PartialEq, Args)]
pub struct Init {
    /// The file to write, or `-` to print it.
    #[arg(default_value = "config.toml")]
    pub file: PathBuf,
    /// Look at this table, and write a configuration that fits it.
    #[arg(long, value_name = "FILE")]
    pub data: Option<PathBuf>,
    /// The column to predict; several for a regression with several outputs.
    #[arg(long, value_name = "COLUMN", requires = "data", value_delimiter = ',')]
    pub target: Vec<String>,
    /// Set a key of [data] that overrules what is found by looking, as in `data.header=false`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE", requires = "data")]
    pub sets: Vec<String>,
    /// Overwrite the file if it exists.
    #[arg(long)]
    pub force: bool,
}

impl Command for Init {
    /// Writes the configuration and says what comes next; `-` prints only the configuration.
    fn run(&self) -> Result<(), Stop> {
        let Some(data) = &self.data else {
            write(&self.file, self.force, &template())?;
            return self.done("set data.path, data.target and model.loss in it, and then:", &[]);
        };
        if self.target.is_empty() {
            let names = open(data, &Reading::default())?.names().join(", ");
            let message = format!("name the column to predict; {} has {}", data.display(), short(&names));
            return Err(Error::config("--target", message).into());
        }
        let config = Config::for_data(data, &self.target, &self.sets)?;
        let proposal = propose(&config, &relative(data, &self.file))?;
        write(&self.file, self.force, &proposal.toml)?;
        self.done("read it, and then:", &proposal.remarks)
    }
}

impl Init {
    fn done(&self, next: &str, remarks: &[String]) -> Result<(), Stop> {
        if self.file == Path::new("-") {
            return Ok(());
        }
        remarks.iter().for_each(|remark| say(&format!("note: {remark}")));
        let file = self.file.display();
        say(&format!("wrote {file}; {next}"));
        say(&format!("  accrue train {file} --out runs/first"));
        Ok(())
    }
}

/// A path as the configuration has it: relative to the configuration's folder, if it was relative and that is this folder.
fn relative(data: &Path, file: &Path) -> PathBuf {
    let here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if here { data.to_owned() } else { std::path::absolute(data).unwrap_or_else(|_| data.to_owned()) }
}

/// Writes a text to a file, or to standard output for `-`. An existing file stays unless `force` is given.
fn write(file: &Path, force: bool, text: &str) -> Result<()> {
    if file == Path::new("-") {
        return print(text);
    }
    to_file(file, force, text).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::io(file, io::Error::new(error.kind(), "exists; --force overwrites it")),
        _ => Error::io(file, error),
    })
}

fn to_file(file: &Path, force: bool, text: &str) -> io::Result<()> {
    let mut options = OpenOptions::new();
    options.write(true);
    if force {
        options.create(true).truncate(true)
    } else {
        options.create_new(true)
    };
    options.open(file)?.write_all(text.as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_file_that_is_there_stays_unless_forced() {
        let file = std::env::temp_dir().join(format!("accrue-init-{}.toml", std::process::id()));
        write(&file, false, &template()).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let error = write(&file, false, &template()).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().ends_with("exists; --force overwrites it"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        write(&file, true, &template()).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), template());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn init_writes_config_toml_unless_told_and_takes_a_dash() {
        let init = |file: &str, force| Init { file: file.into(), data: None, target: vec![], sets: vec![], force };
        assert_eq!(parse::<Init>("accrue init").unwrap(), init("config.toml", false));
        assert_eq!(parse::<Init>("accrue init - --force").unwrap(), init("-", true));
        let table = Init { data: Some("t.csv".into()), target: vec!["a".into(), "b".into()], ..init("c.toml", false) };
        assert_eq!(parse::<Init>("accrue init c.toml --data t.csv --target a,b").unwrap(), table);
    }
}
