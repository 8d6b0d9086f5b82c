//! `accrue eval`: loss and metrics of a saved model.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Command, open};
use crate::Error;
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::measured;
use crate::cli::model::WhichModel;
use crate::cli::noticed;
use crate::cli::progress::{complain, json_line, print};
use crate::data::table::Counts;
use crate::nn::ModelFile;
use crate::recipe::{ModelRows, measure_text, predictor, unit};
use crate::train::metrics::{Evaluation, Tally};

/// Measure a saved model on a file of data.
#[derive(Debug, PartialEq, Args)]
pub struct Eval {
    /// The model.
    #[command(flatten)]
    pub model: WhichModel,
    /// The file to measure on, with the columns of the training data, including the target; or a folder of images, or a text.
    #[arg(long, value_name = "FILE")]
    pub data: PathBuf,
    /// The column of FILE that says how much each row counts; without it all count 1.
    #[arg(long, value_name = "COLUMN")]
    pub weight: Option<String>,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Eval {
    /// Measures a saved model on a file, and prints the result also with `--quiet`.
    fn run(&self) -> Result<(), Stop> {
        let (path, saved) = self.model.read()?;
        let (rows, evaluation, counts) = self.measure(&saved)?;
        let what = if saved.tokenizer.is_some() { "tokens" } else { "rows" };
        if self.json {
            let mut page = Map::new();
            page.insert("model".to_owned(), json!(path));
            page.insert("epoch".to_owned(), json!(saved.epoch));
            page.insert(what.to_owned(), json!(rows));
            page.extend(measured::page(&evaluation, &saved.target));
            page.extend(counts.map(|counts| ("noticed".to_owned(), noticed::page(&saved, &counts))));
            print(&json_line(&Value::Object(page)))?;
        } else {
            let lines = measured::lines(&evaluation, &saved.target);
            print(&format!("{what} {rows}\n{}\n", lines.join("\n")))?;
            if !self.common.quiet {
                let notes = counts.iter().flat_map(|counts| noticed::lines(&saved, counts));
                notes.for_each(|line| complain(&format!("note: {line}")));
            }
        }
        if !self.common.quiet {
            self.model.tell(&path, &saved);
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl Eval {
    /// The number of rows, what the model is worth on them, and what was noticed in them. The rows are read in parts; what is kept of them for the area
    /// under the ROC curve is bounded.
    fn measure(&self, saved: &ModelFile) -> crate::Result<(usize, Evaluation, Option<Counts>)> {
        if saved.tokenizer.is_some() {
            if self.weight.is_some() {
                return Err(Error::config("--weight", "is a column, which a text has none of; leave it out"));
            }
            let (tokens, evaluation) = measure_text(&open(&self.common)?, saved, &self.data)?;
            return Ok((tokens, evaluation, None));
        }
        let mut rows = ModelRows::with_targets(saved, &self.data, self.weight.clone())?;
        let gpu = open(&self.common)?;
        let predictor = predictor(&gpu, saved, rows.data.rows())?;
        let mut tally = Tally::default();
        loop {
            tally.add(&saved.model, &predictor.predict(&rows.data.features.values.to_f32())?, &rows.data.batch())?;
            if !rows.advance()? {
                return Ok((rows.so_far(), tally.finish(unit(saved)), rows.noticed()));
            }
        }
    }
}
