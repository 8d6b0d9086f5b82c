//! `accrue predict`: a saved model's outputs for new data, as a CSV file.

use std::path::{Path, PathBuf};

use clap::Args;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::say;
use crate::nn::{ModelFile, TargetNames, probabilities};
use crate::recipe::{ModelRows, predictor};
use crate::run::RunFolder;
use crate::train::metrics::class_of;
use crate::{Error, Result, durable};

/// Write a saved model's predictions for the rows of a file of data.
#[derive(Debug, PartialEq, Args)]
pub struct Predict {
    /// The folder of the run that `accrue train` wrote, or one model of it, such as its `best.safetensors`.
    pub run: PathBuf,
    /// The file to predict from, with the feature columns of the training data.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The CSV file to write, one line for each row of the data.
    #[arg(long, value_name = "FILE.csv")]
    pub out: PathBuf,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Predict {
    /// Writes one line for each row of a file: the class and each class's probability, or the numbers. Memory does not grow
    /// with the number of rows.
    fn run(&self) -> Result<(), Stop> {
        let model = RunFolder::model_of(&self.run);
        RunFolder::open(&self.run).check_written(&self.out, &[&self.data, &model])?;
        let saved = ModelFile::read(&model)?;
        let mut rows = ModelRows::features(&saved, &self.data)?;
        let gpu = open(&self.common)?;
        let predictor = predictor(&gpu, &saved, rows.data.rows())?;
        durable::write(&self.out, |file| {
            let mut table = Table { saved: &saved, path: &self.out, csv: csv::Writer::from_writer(file) };
            table.header()?;
            loop {
                table.rows(predictor.predict(&rows.data.features.values.to_f32())?, rows.before)?;
                if !rows.advance()? {
                    return table.finish();
                }
            }
        })?;
        if !self.common.quiet {
            say(&format!("{} predictions in {}", rows.so_far(), self.out.display()));
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

/// The output file.
struct Table<'a> {
    saved: &'a ModelFile,
    path: &'a Path,
    csv: csv::Writer<&'a mut durable::File>,
}

impl Table<'_> {
    fn header(&mut self) -> Result<()> {
        match &self.saved.target {
            TargetNames::Classes { name, classes } => {
                let probabilities = classes.iter().map(|class| format!("p_{class}"));
                self.line(std::iter::once(name.clone()).chain(probabilities))
            }
            TargetNames::Values { names, .. } => self.line(names),
        }
    }

    /// The lines of some rows of outputs; `first` is the first one's number.
    fn rows(&mut self, mut outputs: Vec<f32>, first: usize) -> Result<()> {
        let columns = self.saved.model.outputs();
        match &self.saved.target {
            TargetNames::Classes { classes, .. } => {
                for row in outputs.chunks(columns) {
                    let class = classes.get(class_of(row)).cloned().unwrap_or_default();
                    let shares = probabilities(row).into_iter().map(|p| (p as f32).to_string());
                    self.line(std::iter::once(class).chain(shares))?;
                }
            }
            TargetNames::Values { scale, .. } => {
                if let Some(scale) = scale {
                    scale.invert_from(&mut outputs, columns, first)?;
                }
                outputs.chunks(columns).try_for_each(|row| self.line(row.iter().map(f32::to_string)))?;
            }
        }
        Ok(())
    }

    fn line(&mut self, cells: impl IntoIterator<Item = impl AsRef<[u8]>>) -> Result<()> {
        self.csv.write_record(cells).map_err(|error| match error.into_kind() {
            csv::ErrorKind::Io(source) => Error::io(self.path, source),
            other => Error::Internal(format!("predictions: {other:?}")),
        })
    }

    fn finish(mut self) -> Result<()> {
        self.csv.flush().map_err(|error| Error::io(self.path, error))
    }
}
