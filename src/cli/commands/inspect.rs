//! `accrue inspect`: the content of a run or a model file.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::Command;
use crate::Error;
use crate::cli::columns::columns;
use crate::cli::exit::Stop;
use crate::cli::findings;
use crate::cli::model::WhichModel;
use crate::cli::progress::{metric, print};
use crate::cli::report::ColumnRow;
use crate::cli::summary::{layer_table, plural};
use crate::data::Tokenizer;
use crate::data::pixels::image_of;
use crate::data::scale::Standardizer;
use crate::nn::{LayerSummary, ModelFile, TargetNames, Totals};
use crate::quote::{short, shown};
use crate::run::{EpochPoint, Line, RunFolder};

/// Show the layers, parameters, columns and metrics of a run.
///
/// It computes nothing and needs no GPU. It can also show a run that is still training.
#[derive(Debug, PartialEq, Args)]
pub struct Inspect {
    /// The model.
    #[command(flatten)]
    pub which: WhichModel,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
}

/// The report.
#[derive(Serialize)]
struct Report {
    /// The model's file.
    model: PathBuf,
    /// The epoch after which these were its weights, if it is the best.
    epoch: Option<u32>,
    inputs: usize,
    /// The dimensions of a sample, channels last.
    shape: Vec<usize>,
    layers: Vec<LayerSummary>,
    loss: String,
    #[serde(flatten)]
    totals: Totals,
    /// Of the parameters.
    bytes: u64,
    features: Vec<Column>,
    /// The dimensions of the image that the features are the numbers of.
    #[serde(skip)]
    image: Option<[usize; 3]>,
    /// The columns of a table, and what becomes of them; none where each feature is a column of numbers.
    columns: Vec<ColumnRow>,
    target: Target,
    /// Of a model of texts.
    #[serde(skip_serializing_if = "Option::is_none")]
    tokens: Option<Tokenizer>,
    metrics: Option<Metrics>,
    /// The layers for people.
    #[serde(skip)]
    table: Vec<String>,
}

/// An input or output column.
#[derive(Serialize)]
struct Column {
    name: String,
    /// The mean subtracted, if columns are standardised.
    mean: Option<f64>,
    /// The deviation divided by, if columns are standardised.
    std: Option<f64>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum Target {
    Classes { name: String, classes: Vec<String> },
    Values { columns: Vec<Column> },
}

/// The content of the run's file of metrics.
#[derive(Serialize)]
struct Metrics {
    updates: u64,
    epochs: u32,
    last: Epoch,
    /// The epoch of the best model.
    best: Option<Epoch>,
    /// The training on all rows that followed.
    refit: Option<Refit>,
}

#[derive(Serialize)]
struct Refit {
    updates: u64,
    epochs: u32,
    train_loss: f64,
}

#[derive(Serialize)]
struct Epoch {
    epoch: u32,
    update: u64,
    train_loss: f64,
    val_loss: Option<f64>,
    #[serde(flatten)]
    metrics: std::collections::BTreeMap<String, f64>,
}

impl Command for Inspect {
    fn run(&self) -> Result<(), Stop> {
        let report = self.report()?;
        if self.json {
            let json = serde_json::to_string_pretty(&report).map_err(|e| Error::Internal(format!("--json: {e}")))?;
            return Ok(print(&format!("{json}\n"))?);
        }
        Ok(print(&report.text())?)
    }
}

impl Inspect {
    fn report(&self) -> Result<Report, Error> {
        let (path, saved) = self.which.read()?;
        let layers = saved.model.summary();
        let (totals, rows) = (Totals::of(&layers), layer_table(&saved.model));
        let table = if saved.preparation.is_some() { findings::columns_of(&saved) } else { Vec::new() };
        let target = match saved.target {
            TargetNames::Classes { name, classes } => Target::Classes { name, classes },
            TargetNames::Values { names, scale } => Target::Values { columns: scaled(names, scale.as_ref()) },
        };
        let folder = RunFolder::open(&self.which.run);
        let metrics = if folder.path().is_dir() { folder.read_metrics()? } else { Vec::new() };
        let refit = if folder.refit().model().exists() { folder.refit().read_metrics()? } else { Vec::new() };
        let best = saved.epoch.or_else(|| ModelFile::read(&folder.best()).ok()?.epoch);
        Ok(Report {
            model: path,
            inputs: saved.model.inputs,
            shape: saved.model.input().dims().to_vec(),
            table: rows,
            layers,
            loss: saved.model.loss,
            totals,
            bytes: 4 * totals.parameters,
            image: image_of(&saved.features).map(|(_, dims)| dims),
            features: scaled(saved.features, saved.feature_scale.as_ref()),
            columns: table,
            target,
            tokens: saved.tokenizer,
            metrics: summed_up(metrics, best, refit),
            epoch: saved.epoch,
        })
    }
}

fn scaled(names: Vec<String>, scale: Option<&Standardizer>) -> Vec<Column> {
    let column = |(at, name)| Column { name, mean: scale.map(|s| s.of(at).0), std: scale.map(|s| s.of(at).1) };
    names.into_iter().enumerate().map(column).collect()
}

/// The number of updates, and the epochs.
fn counted(lines: Vec<Line>) -> (u64, Vec<EpochPoint>) {
    let updates = lines.iter().filter(|line| matches!(line, Line::Update(_))).count() as u64;
    let epochs = lines.into_iter().filter_map(|line| if let Line::Epoch(epoch) = line { Some(epoch) } else { None });
    (updates, epochs.collect())
}

fn summed_up(lines: Vec<Line>, best: Option<u32>, refit: Vec<Line>) -> Option<Metrics> {
    let (updates, epochs) = counted(lines);
    let (again, refit) = counted(refit);
    let refit = refit.last().map(|last| Refit { updates: again, epochs: last.epoch, train_loss: last.train_loss });
    let last = epochs.last()?.clone();
    let best = epochs.iter().find(|epoch| Some(epoch.epoch) == best).map(|epoch| Epoch::from(epoch.clone()));
    Some(Metrics { updates, epochs: last.epoch, last: last.into(), best, refit })
}

impl From<EpochPoint> for Epoch {
    fn from(point: EpochPoint) -> Epoch {
        let EpochPoint { epoch, update, train_loss, val_loss, metrics } = point;
        Epoch { epoch, update, train_loss, val_loss, metrics: metrics.into_iter().collect() }
    }
}

/// Columns listed one by one; the others are only counted.
const SHOWN: usize = 20;

impl Report {
    fn text(&self) -> String {
        let epoch = self.epoch.map_or_else(String::new, |epoch| format!(" (epoch {epoch})"));
        let mut lines = vec![format!("model     {}{epoch}", self.model.display()), format!("loss      {}", self.loss)];
        lines.extend(self.table.clone());
        match (self.image, self.columns.len()) {
            _ if self.tokens.is_some() => lines.push(format!("sees      {} tokens at once", self.inputs)),
            // Pixels would say nothing one by one.
            (Some([height, width, channels]), 0) => {
                let channels = plural(channels as u64, "channel");
                lines.push(format!("features  an image of {height} × {width} pixels and {channels}"));
            }
            (None, 0) => {
                lines.push(format!("features  {}", self.features.len()));
                lines.extend(listed(&self.features));
            }
            (_, count) => {
                lines.push(format!("features  {} of {}", self.features.len(), plural(count as u64, "column")));
                lines.extend(of_table(&self.columns));
            }
        }
        match &self.target {
            Target::Classes { name, classes } => {
                let words = if self.tokens.is_some() { "tokens" } else { "classes" };
                lines.push(format!("target    {name}, {} {words}: {}", classes.len(), self.some(classes)));
            }
            Target::Values { columns } => {
                lines.push(format!("target    {}", columns.len()));
                lines.extend(listed(columns));
            }
        }
        if let Some(Metrics { updates, epochs, last, best, refit }) = &self.metrics {
            lines.push(format!("trained   {updates} updates in {epochs} epochs"));
            lines.push(format!("last      {}", last.text()));
            lines.extend(best.as_ref().map(|best| format!("best      {}", best.text())));
            lines.extend(refit.as_ref().map(|refit| {
                let Refit { updates, epochs, train_loss } = refit;
                format!("refit     {updates} updates in {epochs} epochs on all rows: train_loss {train_loss:.6}")
            }));
        }
        lines.join("\n") + "\n"
    }

    /// The first classes; tokens in quotes, since many are blanks.
    fn some(&self, classes: &[String]) -> String {
        let word = |class: &String| if self.tokens.is_some() { shown(class) } else { short(class) };
        let words: Vec<String> = classes.iter().take(SHOWN).map(word).collect();
        if classes.len() > SHOWN { format!("{}, …", words.join(", ")) } else { words.join(", ") }
    }
}

impl Epoch {
    fn text(&self) -> String {
        let mut text = format!("epoch {}, update {}: train_loss {:.6}", self.epoch, self.update, self.train_loss);
        if let Some(loss) = self.val_loss {
            text += &format!(", val_loss {loss:.6}");
        }
        for (name, value) in &self.metrics {
            text += &format!(", {name} {}", metric(name, *value));
        }
        text
    }
}

/// The columns of a table: what each is taken for, what becomes of it and of missing cells, and its levels.
fn of_table(all: &[ColumnRow]) -> Vec<String> {
    let head = ["  column", "kind", "becomes", "missing cells", "levels"].map(str::to_owned).to_vec();
    let row = |column: &ColumnRow| {
        let ColumnRow { name, kind, becomes, missing, levels } = column;
        vec![format!("  {name}"), kind.clone(), becomes.clone(), missing.clone(), levels.clone()]
    };
    columns(5, &std::iter::once(head).chain(all.iter().map(row)).collect::<Vec<_>>())
}

/// The columns with their scale, as far as there is room.
fn listed(all: &[Column]) -> Vec<String> {
    let number = |value: Option<f64>| value.map_or_else(String::new, |value| format!("{value:.6}"));
    let mut table: Vec<Vec<String>> = all
        .iter()
        .take(SHOWN)
        .map(|column| vec![format!("  {}", column.name), number(column.mean), number(column.std)])
        .collect();
    if all.iter().any(|column| column.mean.is_some()) {
        table.insert(0, ["  column", "mean", "deviation"].map(str::to_owned).to_vec());
    }
    let mut lines = columns(1, &table);
    if all.len() > SHOWN {
        lines.push(format!("  … {} more; --json lists all", all.len() - SHOWN));
    }
    lines
}
