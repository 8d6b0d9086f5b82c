//! `accrue init`: writes a commented configuration to start from, and says what to do with it.

use std::fs::OpenOptions;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::progress::{complain, print, say};
use crate::data::table::{Reading, open};
use crate::quote::short;
use crate::recipe::{Config, Data, Proposal, propose, propose_images, schema, template};
use crate::{Error, Result};

/// Write a commented configuration to start from; with --data, one that fits your data.
#[derive(Debug, PartialEq, Args)]
pub struct Init {
    /// The file to write, or `-` to print it; without it config.toml, or config.schema.json with --schema.
    pub file: Option<PathBuf>,
    /// Look at this table, or folder with a folder of images for each class, and write a configuration that fits it.
    #[arg(long, value_name = "PATH", conflicts_with = "schema")]
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
    /// Write a JSON schema of configurations instead, with which editors complete and check them.
    #[arg(long)]
    pub schema: bool,
}

impl Command for Init {
    /// Writes the configuration and says what comes next; `-` prints only the configuration.
    fn run(&self) -> Result<(), Stop> {
        let usual = if self.schema { "config.schema.json" } else { "config.toml" };
        let file = self.file.as_deref().unwrap_or(Path::new(usual));
        let (text, said) = self.text(file)?;
        write(file, &text, self.force)?;
        let is_printed = file == Path::new("-");
        said.notes.iter().for_each(|note| if is_printed { complain(note) } else { say(note) });
        if !is_printed {
            said.next.iter().for_each(|line| say(line));
        }
        Ok(())
    }
}

/// What is said when the configuration is written.
#[derive(Default)]
struct Said {
    /// What was found in the data.
    notes: Vec<String>,
    /// Where the configuration is, and what comes next.
    next: Vec<String>,
}

impl Init {
    /// What is written to a file, and what is said of it.
    fn text(&self, file: &Path) -> Result<(String, Said)> {
        let shown = file.display();
        if self.schema {
            let said = format!("wrote {shown}; name it in the first line of a configuration: #:schema {shown}");
            return Ok((format!("{:#}\n", schema()), Said { next: vec![said], ..Said::default() }));
        }
        let train = format!("  accrue train {shown} --out runs/{}", run_of(file));
        let Some(data) = &self.data else {
            let said = format!("wrote {shown}; set data.path, data.target and model.loss in it, and then:");
            return Ok((template(), Said { next: vec![said, train], ..Said::default() }));
        };
        let path = relative(data, file);
        let proposal = match data.is_dir() {
            true => self.of_images(data, &path)?,
            false => propose(&self.section(data)?, &path)?,
        };
        let notes = proposal.remarks.iter().map(|remark| format!("note: {remark}")).collect();
        Ok((proposal.toml, Said { notes, next: vec![format!("wrote {shown}; read it, and then:"), train] }))
    }

    fn of_images(&self, folder: &Path, path: &Path) -> Result<Proposal> {
        if !self.target.is_empty() {
            let message = "is for tables; the classes of a folder of images are the names of its folders: leave it out";
            return Err(Error::config("--target", message));
        }
        if !self.sets.is_empty() {
            let message =
                "is for tables, to overrule what is found; edit the file that is written for a folder of images";
            return Err(Error::config("--set", message));
        }
        propose_images(folder, path)
    }

    /// What is said of the table.
    fn section(&self, data: &Path) -> Result<Data> {
        if self.target.is_empty() {
            let names = open(data, &Reading::default())?.names().join(", ");
            let message = format!("name the column to predict; {} has {}", data.display(), short(&names));
            return Err(Error::config("--target", message));
        }
        Config::for_data(data, &self.target, &self.sets)
    }
}

/// The name of a run: that of its configuration, where it has one of its own.
fn run_of(config: &Path) -> &str {
    let stem = config.file_stem().and_then(|stem| stem.to_str());
    stem.filter(|stem| !["config", "-"].contains(stem)).unwrap_or("first")
}

/// A path as the configuration has it: relative to the configuration's folder, if it was relative and that is this folder.
fn relative(data: &Path, file: &Path) -> PathBuf {
    let here = file.parent().is_none_or(|folder| folder.as_os_str().is_empty());
    if here { data.to_owned() } else { std::path::absolute(data).unwrap_or_else(|_| data.to_owned()) }
}

/// Writes a text to a file, or to standard output for `-`. An existing file stays unless `force` is given.
fn write(file: &Path, text: &str, force: bool) -> Result<()> {
    if file == Path::new("-") {
        return print(text);
    }
    to_file(file, text, force).map_err(|error| match error.kind() {
        ErrorKind::AlreadyExists => Error::io(file, io::Error::new(error.kind(), "exists; --force overwrites it")),
        _ => Error::io(file, error),
    })
}

fn to_file(file: &Path, text: &str, force: bool) -> io::Result<()> {
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
        write(&file, &template(), false).unwrap();
        std::fs::write(&file, "mine").unwrap();
        let error = write(&file, &template(), false).unwrap_err();
        assert!(matches!(error, Error::Io { .. }) && error.to_string().ends_with("exists; --force overwrites it"));
        assert_eq!(std::fs::read_to_string(&file).unwrap(), "mine");
        write(&file, &template(), true).unwrap();
        assert_eq!(std::fs::read_to_string(&file).unwrap(), template());
        std::fs::remove_file(&file).unwrap();
    }

    #[test]
    fn init_takes_a_file_a_dash_or_nothing() {
        let init = |file: Option<&str>| Init {
            file: file.map(PathBuf::from),
            data: None,
            target: vec![],
            sets: vec![],
            force: false,
            schema: false,
        };
        assert_eq!(parse::<Init>("accrue init").unwrap(), init(None));
        assert_eq!(parse::<Init>("accrue init - --force").unwrap(), Init { force: true, ..init(Some("-")) });
        assert_eq!(parse::<Init>("accrue init --schema").unwrap(), Init { schema: true, ..init(None) });
        let target = vec!["a".into(), "b".into()];
        let table = Init { data: Some("t.csv".into()), target, ..init(Some("c.toml")) };
        assert_eq!(parse::<Init>("accrue init c.toml --data t.csv --target a,b").unwrap(), table);
    }
}
