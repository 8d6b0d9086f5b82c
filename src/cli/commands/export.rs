//! `accrue export`: a saved model for other programs, with the preparation of raw cells.

use std::path::{Component, Path, PathBuf};

use clap::{ArgGroup, Args};

use super::Command;
use crate::cli::exit::Stop;
use crate::cli::model::WhichModel;
use crate::cli::progress::{print_bytes, say};
use crate::run::RunFolder;
use crate::{Error, Result, durable, export};

/// Write a saved model for other programs: raw numbers and texts in, predictions out.
///
/// It computes nothing and needs no GPU. What is done to the cells of a table is in what it writes.
#[derive(Debug, PartialEq, Args)]
#[command(group(ArgGroup::new("written").required(true).multiple(true).args(["onnx", "pytorch"])))]
pub struct Export {
    /// The model.
    #[command(flatten)]
    pub model: WhichModel,
    /// Write an ONNX file, or `-` for standard output: an input for each column, (rows, 1), and as outputs `label` and
    /// `probabilities`, or `prediction`.
    ///
    /// Numbers are doubles, not a number where missing. Dates are doubles, too: days since 1970-01-01. All others are texts, empty
    /// where missing, without blanks around them.
    #[arg(long, value_name = "FILE.onnx")]
    pub onnx: Option<PathBuf>,
    /// Write a program in Python, or `-` for standard output: a module of PyTorch that loads the model's weights, and a command
    /// that predicts from a CSV file.
    #[arg(long, value_name = "FILE.py")]
    pub pytorch: Option<PathBuf>,
}

impl Command for Export {
    fn run(&self) -> Result<(), Stop> {
        let written: Vec<(&str, &Path)> = self.written().collect();
        let printed = written.iter().filter(|(_, path)| is_dash(path)).count();
        if printed > 1 {
            return Err(Error::config("--onnx", "- and --pytorch - would mix on standard output; give a file").into());
        }
        let (model, saved) = self.model.read()?;
        written.iter().try_for_each(|(option, path)| self.check(option, path, &model))?;
        if let Some(path) = &self.onnx {
            write(path, &export::onnx(&saved)?)?;
        }
        if let Some(path) = &self.pytorch {
            let folder = if is_dash(path) { Path::new("") } else { path.parent().unwrap_or(Path::new("")) };
            write(path, export::pytorch(&saved, &from_folder(folder, &model))?.as_bytes())?;
        }
        self.model.tell(&model, &saved);
        // Nothing else is printed beside a file.
        if printed == 0 {
            let files: Vec<String> = written.iter().map(|(_, path)| path.display().to_string()).collect();
            say(&format!("wrote {}", files.join(" and ")));
        }
        Ok(())
    }
}

impl Export {
    /// The files to write, each with its option.
    fn written(&self) -> impl Iterator<Item = (&'static str, &Path)> {
        let options = [("--onnx", &self.onnx), ("--pytorch", &self.pytorch)];
        options.into_iter().filter_map(|(option, path)| Some((option, path.as_deref()?)))
    }

    /// Fails for a file of the run, or the model itself.
    fn check(&self, option: &str, path: &Path, model: &Path) -> Result<()> {
        let checked = RunFolder::open(&self.model.run).check_written(path, &[model]);
        checked.map_err(|error| match error {
            Error::Config { message, .. } => Error::config(option, message),
            other => other,
        })
    }
}

/// Writes a file, or prints its bytes.
fn write(path: &Path, bytes: &[u8]) -> Result<()> {
    if is_dash(path) { print_bytes(bytes) } else { durable::write_bytes(path, bytes) }
}

fn is_dash(path: &Path) -> bool {
    path == Path::new("-")
}

/// The path of a file from a folder, with `/`; its whole path where they have no folder in common.
fn from_folder(folder: &Path, file: &Path) -> String {
    let whole = |path: &Path| {
        let path = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        std::fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
    };
    let (folder, file) = (whole(folder), whole(file));
    let shared = folder.components().zip(file.components()).take_while(|(a, b)| a == b).count();
    let is_apart = folder.components().take(shared).all(|part| matches!(part, Component::Prefix(_)));
    if is_apart {
        return file.to_string_lossy().into_owned();
    }
    let up = folder.components().skip(shared).map(|_| "..".into());
    let down = file.components().skip(shared).map(|part| part.as_os_str().to_string_lossy().into_owned());
    up.chain(down).collect::<Vec<String>>().join("/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn something_to_write_is_needed() {
        let found = parse::<Export>("accrue export run --onnx m.onnx --pytorch -").unwrap();
        assert_eq!((found.onnx, found.pytorch), (Some("m.onnx".into()), Some("-".into())));
        assert!(parse::<Export>("accrue export run").is_err());
    }

    #[test]
    fn the_weights_are_found_from_the_program_s_folder() {
        let root = std::env::temp_dir().join(format!("accrue-export-{}", std::process::id()));
        std::fs::create_dir_all(root.join("runs/a")).unwrap();
        std::fs::create_dir_all(root.join("out")).unwrap();
        let model = root.join("runs/a/best.safetensors");
        std::fs::write(&model, "").unwrap();
        assert_eq!(from_folder(&root, &model), "runs/a/best.safetensors");
        assert_eq!(from_folder(&root.join("out"), &model), "../runs/a/best.safetensors");
        assert_eq!(from_folder(&root.join("runs/a"), &model), "best.safetensors");
        std::fs::remove_dir_all(&root).unwrap();
    }
}
