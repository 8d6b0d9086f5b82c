//! `accrue eval`: loss and metrics of a saved model.

use std::path::PathBuf;

use clap::Args;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::{metric, print};
use crate::nn::ModelFile;
use crate::recipe::{ModelRows, predictor, unit};
use crate::run::RunFolder;
use crate::train::metrics::Tally;

/// Measure a saved model on a file of data.
#[derive(Debug, PartialEq, Args)]
pub struct Eval {
    /// The folder of the run that `accrue train` wrote, or one model of it, such as its `best.safetensors`.
    pub run: PathBuf,
    /// The file to measure on, with the columns of the training data, including the target.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The column of FILE that says how much each row counts; without it all count 1.
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Eval {
    /// Measures a saved model on a file, and prints the result also with `--quiet`. Memory does not grow with the number of
    /// rows.
    fn run(&self) -> Result<(), Stop> {
        let saved = ModelFile::read(&RunFolder::model_of(&self.run))?;
        let mut rows = ModelRows::with_targets(&saved, &self.data, self.weight.clone())?;
        let gpu = open(&self.common)?;
        let predictor = predictor(&gpu, &saved, rows.data.rows())?;
        let mut tally = Tally::default();
        loop {
            tally.add(&saved.model, &predictor.predict(&rows.data.features.values.to_f32())?, &rows.data.batch())?;
            if !rows.advance()? {
                break;
            }
        }
        let evaluation = tally.finish(unit(&saved));
        let mut text = format!("rows {}\nloss {:.6}\n", rows.so_far(), evaluation.loss);
        for (name, value) in &evaluation.metrics {
            text += &format!("{name} {}\n", metric(name, *value));
        }
        Ok(print(&text)?)
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}
