//! `metrics.jsonl`: one line of JSON for the run, each update and each epoch, as it happens.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{BufWriter, Write};
use std::path::{Path, PathBuf};

use serde::Serialize;

use crate::train::Event;
use crate::{Error, Result};

/// The version of the lines' meaning.
pub const SCHEMA_VERSION: u32 = 1;

#[derive(Serialize)]
struct RunLine<'a> {
    kind: &'a str,
    schema_version: u32,
    version: &'a str,
    adapter: &'a str,
    backend: String,
    driver: &'a str,
    driver_info: &'a str,
}

#[derive(Serialize)]
struct UpdateLine {
    kind: &'static str,
    update: u64,
    epoch: u32,
    samples: u32,
    loss: f64,
    lr: f64,
    /// Only where it is false: the window had no weight, so the parameters were left alone.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<bool>,
}

#[derive(Serialize)]
struct EpochLine {
    kind: &'static str,
    epoch: u32,
    update: u64,
    train_loss: f64,
    /// `val_loss`, and `val_accuracy` or `val_rmse` and `val_r2`.
    #[serde(flatten)]
    measured: BTreeMap<String, f64>,
}

/// The open file.
pub struct MetricsFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MetricsFile {
    /// Begins a file with a line about the run.
    pub fn create(path: &Path, info: &wgpu::AdapterInfo) -> Result<MetricsFile> {
        let file = File::create(path).map_err(|e| Error::io(path, e))?;
        let mut metrics = MetricsFile { path: path.to_owned(), file: BufWriter::new(file) };
        metrics.line(&RunLine {
            kind: "run",
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            adapter: &info.name,
            backend: info.backend.to_string(),
            driver: &info.driver,
            driver_info: &info.driver_info,
        })?;
        Ok(metrics)
    }

    /// Appends what happened. Lines are complete in the file after each epoch.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Update { update, epoch } => self.line(&UpdateLine {
                kind: "update",
                update: update.update,
                epoch: *epoch,
                samples: update.samples,
                loss: update.loss,
                lr: update.lr,
                made: (!update.made).then_some(false),
            }),
            Event::Epoch { epoch, update, train_loss, validation } => {
                let mut measured = BTreeMap::new();
                if let Some(validation) = validation {
                    measured.insert("val_loss".to_owned(), validation.loss);
                    measured.extend(validation.metrics.iter().map(|(name, value)| (format!("val_{name}"), *value)));
                }
                let train_loss = *train_loss;
                self.line(&EpochLine { kind: "epoch", epoch: *epoch, update: *update, train_loss, measured })?;
                self.finish()
            }
        }
    }

    /// Writes out what is buffered.
    pub fn finish(&mut self) -> Result<()> {
        self.file.flush().map_err(|e| Error::io(&self.path, e))
    }

    fn line(&mut self, line: &impl Serialize) -> Result<()> {
        let text = serde_json::to_string(line).map_err(|e| Error::Internal(format!("metrics: {e}")))?;
        writeln!(self.file, "{text}").map_err(|e| Error::io(&self.path, e))
    }
}
