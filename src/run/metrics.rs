//! `metrics.jsonl`: one line of JSON for the run, each update and each epoch, as it happens.

use std::collections::BTreeMap;
use std::fs::{File, OpenOptions};
use std::io::{BufRead, BufReader, BufWriter, ErrorKind, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::train::metrics::Metric;
use crate::train::{Event, LeftOut};
use crate::{Error, NotFinite, Result, durable};

/// The version of the lines' format.
const SCHEMA_VERSION: u32 = 1;

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
    /// Written only if false: the parameters did not change.
    #[serde(skip_serializing_if = "Option::is_none")]
    made: Option<bool>,
    /// Why: no_weight, loss or gradient (which was not finite).
    #[serde(skip_serializing_if = "Option::is_none")]
    left_out: Option<&'static str>,
}

#[derive(Serialize)]
struct EpochLine {
    kind: &'static str,
    epoch: u32,
    update: u64,
    train_loss: f64,
    /// `val_loss`, and the metrics with `val_` before their names.
    #[serde(flatten)]
    measured: BTreeMap<String, f64>,
}

#[derive(Serialize)]
struct WrittenLine<'a> {
    kind: &'static str,
    epoch: u32,
    text: &'a str,
}

/// What the model wrote after an epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Written {
    /// Counted from 1.
    pub epoch: u32,
    /// The text.
    pub text: String,
}

/// One optimizer update.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct UpdatePoint {
    /// Counted from 1 over the whole run.
    pub update: u64,
    /// The epoch it belongs to, counted from 1.
    pub epoch: u32,
    /// The mean loss of its window.
    pub loss: f64,
    /// The learning rate it used.
    pub lr: f64,
    /// Why it was not made; `None` if it was.
    pub left_out: Option<LeftOut>,
}

/// One finished epoch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct EpochPoint {
    /// Counted from 1.
    pub epoch: u32,
    /// Its last update.
    pub update: u64,
    /// The mean loss over its training samples.
    pub train_loss: f64,
    /// The mean loss over the validation rows, if there are any.
    pub val_loss: Option<f64>,
    /// Metrics by the names they have in `metrics.jsonl`, such as `val_accuracy`, in the order of [`Metric::ALL`].
    pub metrics: Vec<(String, f64)>,
}

/// A line of a run's file, read back.
#[derive(Debug, PartialEq)]
pub enum Line {
    /// Of an update.
    Update(UpdatePoint),
    /// Of an epoch.
    Epoch(EpochPoint),
    /// Of a text that the model wrote.
    Written(Written),
}

/// The open file.
pub(super) struct MetricsFile {
    path: PathBuf,
    file: BufWriter<File>,
}

impl MetricsFile {
    /// Begins a file with a line about the run.
    pub fn create(path: &Path, info: &wgpu::AdapterInfo) -> Result<MetricsFile> {
        let file = File::create(path).map_err(|e| Error::io(path, e))?;
        // A checkpoint that counts its lines must find the file.
        path.parent().map_or(Ok(()), durable::sync_folder)?;
        let mut metrics = MetricsFile { path: path.to_owned(), file: BufWriter::new(file) };
        metrics.run(info)?;
        Ok(metrics)
    }

    /// A line about the device that computes from here on.
    pub fn run(&mut self, info: &wgpu::AdapterInfo) -> Result<()> {
        self.line(&RunLine {
            kind: "run",
            schema_version: SCHEMA_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            adapter: &info.name,
            backend: info.backend.to_string(),
            driver: &info.driver,
            driver_info: &info.driver_info,
        })
    }

    /// Resumes a file after its first `bytes` bytes. Cuts off the rest: it will be written again.
    ///
    /// # Errors
    /// [`Error::Io`], [`Error::Data`] if the file has fewer bytes or lines that are not ours.
    pub fn go_on(path: &Path, bytes: u64) -> Result<(MetricsFile, Vec<Line>)> {
        let wrong = |error| Error::io(path, error);
        let mut file = OpenOptions::new().read(true).write(true).open(path).map_err(wrong)?;
        let len = file.metadata().map_err(wrong)?.len();
        if len < bytes {
            let message = format!(
                "has {len} bytes, but had {bytes} when the run was saved; put it back, remove it to go on without its lines, or start over with --fresh"
            );
            return Err(Error::data(path.display().to_string(), message));
        }
        let lines = read_lines(path, (&file).take(bytes))?;
        file.set_len(bytes).map_err(wrong)?;
        file.seek(SeekFrom::End(0)).map_err(wrong)?;
        Ok((MetricsFile { path: path.to_owned(), file: BufWriter::new(file) }, lines))
    }

    /// Flushes every line so far to disk, and returns their bytes.
    pub fn sync(&mut self) -> Result<u64> {
        self.finish()?;
        let wrong = |error| Error::io(&self.path, error);
        self.file.get_ref().sync_data().map_err(wrong)?;
        Ok(self.file.get_ref().metadata().map_err(wrong)?.len())
    }

    /// Appends an event. Lines are complete in the file after each epoch.
    pub fn event(&mut self, event: &Event) -> Result<()> {
        match event {
            Event::Update { update, epoch } => self.line(&UpdateLine {
                kind: "update",
                update: update.update,
                epoch: *epoch,
                samples: update.samples,
                loss: update.loss,
                lr: update.lr,
                made: (!update.made()).then_some(false),
                left_out: update.left_out.map(why),
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

    /// Appends what the model wrote after an epoch.
    pub fn written(&mut self, epoch: u32, text: &str) -> Result<()> {
        self.line(&WrittenLine { kind: "written", epoch, text })?;
        self.finish()
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

/// Why an update was left out, in one word.
const WHY: [(LeftOut, &str); 5] = [
    (LeftOut::NoWeight, "no_weight"),
    (LeftOut::NotFinite(NotFinite::Loss), "loss"),
    (LeftOut::NotFinite(NotFinite::Gradient), "gradient"),
    (LeftOut::NotFinite(NotFinite::Parameter), "parameter"),
    (LeftOut::Stopped, "stopped"),
];

fn why(left_out: LeftOut) -> &'static str {
    WHY.iter().find(|(known, _)| *known == left_out).map_or("", |(_, word)| word)
}

/// The part of a line that is read back.
#[derive(Deserialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
enum Known {
    Run {},
    Update {
        update: u64,
        epoch: u32,
        /// Null in a window without weight.
        loss: Option<f64>,
        lr: f64,
        left_out: Option<String>,
    },
    Epoch {
        epoch: u32,
        update: u64,
        train_loss: Option<f64>,
        val_loss: Option<f64>,
        #[serde(flatten)]
        measured: BTreeMap<String, Value>,
    },
    Written {
        epoch: u32,
        text: String,
    },
}

/// The whole lines of a file that may be growing.
pub(super) fn read_metrics(path: &Path) -> Result<Vec<Line>> {
    let text = match std::fs::read_to_string(path) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(Vec::new()),
        Err(error) => return Err(Error::io(path, error)),
    };
    let whole = text.rfind('\n').map_or(0, |end| end + 1);
    read_lines(path, &text.as_bytes()[..whole])
}

fn read_lines(path: &Path, file: impl Read) -> Result<Vec<Line>> {
    let mut lines = Vec::new();
    for (at, line) in BufReader::new(file).lines().enumerate() {
        let wrong = |error: &dyn std::fmt::Display| {
            let message = format!("is no line of a run ({error}); put the file back, or start over with --fresh");
            Error::data(format!("{}, line {}", path.display(), at + 1), message)
        };
        let line = line.map_err(|error| match error.kind() {
            ErrorKind::InvalidData => wrong(&error),
            _ => Error::io(path, error),
        })?;
        let read = serde_json::from_str(&line).map_err(|error| wrong(&error))?;
        match read {
            Known::Run {} => {}
            Known::Update { update, epoch, loss, lr, left_out } => {
                let left_out = left_out.and_then(|word| WHY.into_iter().find(|(_, why)| *why == word));
                let left_out = left_out.map(|(left_out, _)| left_out);
                let loss = loss.unwrap_or(f64::NAN);
                lines.push(Line::Update(UpdatePoint { update, epoch, loss, lr, left_out }));
            }
            Known::Epoch { epoch, update, train_loss, val_loss, measured } => {
                let names = Metric::ALL.iter().map(|metric| format!("val_{}", metric.name()));
                let metrics = names.filter_map(|name| measured.get(&name)?.as_f64().map(|value| (name, value)));
                let (train_loss, metrics) = (train_loss.unwrap_or(f64::NAN), metrics.collect());
                lines.push(Line::Epoch(EpochPoint { epoch, update, train_loss, val_loss, metrics }));
            }
            Known::Written { epoch, text } => lines.push(Line::Written(Written { epoch, text })),
        }
    }
    Ok(lines)
}
