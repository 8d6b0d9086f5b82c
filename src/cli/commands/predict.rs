//! `accrue predict`: a saved model's outputs for new data, as a CSV file.

use std::path::Path;

use super::{open, predictor};
use crate::cli::args::Predict;
use crate::cli::exit::Stop;
use crate::cli::progress::say;
use crate::cli::rows::{self, ModelRows};
use crate::cli::run_folder::RunFolder;
use crate::data::csv::Chunks;
use crate::nn::{ModelFile, TargetNames};
use crate::train::metrics::class_of;
use crate::{Error, Result, durable};

/// Writes one line for each row of a CSV file: the class and each class's probability, or the numbers. However many rows
/// there are, it takes the memory of some.
pub fn predict(arguments: &Predict) -> Result<(), Stop> {
    let model = RunFolder::model_of(&arguments.run);
    RunFolder::open(&arguments.run).check_written(&arguments.out, &[&arguments.data, &model])?;
    let saved = ModelFile::read(&model)?;
    let place = arguments.data.to_string_lossy();
    let chunks = Chunks::features(rows::open(&arguments.data)?, &place, &saved.features)?;
    let mut rows = ModelRows::new(&saved, chunks)?;
    let gpu = open(&arguments.common)?;
    let predictor = predictor(&gpu, &saved, rows.data.rows())?;
    durable::write(&arguments.out, |file| {
        let mut table = Table { saved: &saved, path: &arguments.out, csv: csv::Writer::from_writer(file) };
        table.header()?;
        loop {
            table.rows(predictor.predict(&rows.data.features.values)?, rows.before)?;
            if !rows.advance()? {
                return table.finish();
            }
        }
    })?;
    if !arguments.common.quiet {
        say(&format!("{} predictions in {}", rows.so_far(), arguments.out.display()));
    }
    Ok(())
}

/// The file that is written.
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

    /// The lines of some rows of outputs, of which the first is row number `first`.
    fn rows(&mut self, mut outputs: Vec<f32>, first: usize) -> Result<()> {
        let columns = self.saved.model.outputs();
        match &self.saved.target {
            TargetNames::Classes { classes, .. } => {
                for row in outputs.chunks(columns) {
                    let class = classes.get(class_of(row)).cloned().unwrap_or_default();
                    let shares = probabilities_of(row).into_iter().map(|p| (p as f32).to_string());
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

/// Softmax of the logits; with one logit, the shares of no and yes.
fn probabilities_of(logits: &[f32]) -> Vec<f64> {
    if let [logit] = logits {
        let yes = 1.0 / (1.0 + (-f64::from(*logit)).exp());
        return vec![1.0 - yes, yes];
    }
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &logit| most.max(f64::from(logit)));
    let powers: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
