//! `accrue predict`: a saved model's outputs for new data, as CSV.

use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::model::WhichModel;
use crate::cli::noticed;
use crate::cli::predictions::Table;
use crate::cli::progress::{complain, json_line, print, say};
use crate::cli::summary::plural;
use crate::nn::ModelFile;
use crate::recipe::{ModelRows, predictor};
use crate::run::RunFolder;
use crate::train::Predictor;
use crate::{Error, Result, durable};

/// Standard output.
const DASH: &str = "-";

/// Its names.
const OUTPUT: [&str; 4] = [DASH, "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"];

/// Write a saved model's predictions for the rows of a file of data.
#[derive(Debug, PartialEq, Args)]
pub struct Predict {
    /// The model.
    #[command(flatten)]
    pub model: WhichModel,
    /// The file to predict from, with the feature columns of the training data; or a folder of images, or one image.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The CSV file to write, one line for each row of the data, which begins with the name of the file for images; `-` is standard output, where nothing else is printed then.
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
    /// Print one JSON object about the written file instead of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Predict {
    /// Writes one line for each row of a file: the class and each class's probability, or the numbers. Memory does not grow
    /// with the number of rows.
    fn run(&self) -> Result<(), Stop> {
        let to_output = self.writes_to_output();
        if self.json && to_output {
            let message = "the predictions go to standard output; name a file in --out, or leave --json out";
            return Err(Error::config("--json", message).into());
        }
        let path = self.model.path()?;
        RunFolder::open(&self.model.run).check_written(&self.out, &[&self.data, &path])?;
        let (path, saved) = self.model.read()?;
        let mut rows = ModelRows::features(&saved, &self.data)?;
        let gpu = open(&self.common)?;
        let predictor = predictor(&gpu, &saved, rows.data.rows())?;
        self.write(&saved, &mut rows, &predictor)?;
        let (count, counts) = (rows.so_far(), rows.noticed());
        if !self.common.quiet {
            self.model.tell(&path, &saved);
        }
        if self.json {
            let noticed = counts.map(|counts| noticed::page(&saved, &counts));
            let page =
                json!({ "model": path, "epoch": saved.epoch, "rows": count, "out": self.out, "noticed": noticed });
            print(&json_line(&page))?;
        } else if !self.common.quiet {
            let notes = counts.iter().flat_map(|counts| noticed::lines(&saved, counts));
            notes.for_each(|line| complain(&format!("note: {line}")));
            let line = format!("{} in {}", plural(count as u64, "prediction"), self.out.display());
            if to_output { complain(&line) } else { say(&line) }
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl Predict {
    /// Whether the predictions go where lines would be printed.
    fn writes_to_output(&self) -> bool {
        OUTPUT.map(Path::new).contains(&self.out.as_path())
    }

    fn write(&self, saved: &ModelFile, rows: &mut ModelRows, predictor: &Predictor) -> Result<()> {
        if self.out != Path::new(DASH) {
            return durable::write(&self.out, |file| fill(saved, rows, predictor, file, &self.out));
        }
        let path = Path::new("standard output");
        let filled = fill(saved, rows, predictor, &mut BufWriter::new(io::stdout().lock()), path);
        match filled {
            // A reader that stops early, as in `… | head -1`, is no error.
            Err(Error::Io { source, .. }) if source.kind() == ErrorKind::BrokenPipe => Ok(()),
            filled => filled,
        }
    }
}

/// Writes the predictions of all rows.
fn fill(
    saved: &ModelFile,
    rows: &mut ModelRows,
    predictor: &Predictor,
    file: &mut dyn Write,
    path: &Path,
) -> Result<()> {
    let mut table = Table::new(saved, path, file, !rows.names().is_empty())?;
    loop {
        let outputs = predictor.predict(&rows.data.features.values.to_f32())?;
        table.rows(&outputs, rows.before, rows.names())?;
        if !rows.advance()? {
            return table.finish();
        }
    }
}
