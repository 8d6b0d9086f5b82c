//! `accrue cv`: cross-validation.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use clap::Args;
use serde_json::{Map, Value, json};

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::ended;
use crate::cli::exit::Stop;
use crate::cli::measured;
use crate::cli::progress::{Progress, complain, json_line, metric, print};
use crate::cli::spread::Spread;
use crate::cli::summary::{opening, refused_kernels};
use crate::cli::tune::look_up;
use crate::gpu::Gpu;
use crate::recipe::{BestEpoch, Config, Fold, Prepared, Session};
use crate::train::metrics::{Evaluation, Metric};
use crate::train::{Event, Trainer, Update};
use crate::{Error, Result};

/// Measure a configuration by cross-validation, with mean and deviation over folds.
///
/// Each part of the rows in turn measures a model that the other parts train. Rows are divided as data.split says: by default each fold has the same share of every class, and groups stay whole. Of each
/// training the best epoch counts, by train.best. No model is kept.
#[derive(Debug, PartialEq, Args)]
pub struct Cv {
    /// The configuration, a TOML file; paths in it are relative to its folder. The share in data.validation is of no account.
    pub config: PathBuf,
    /// The number of parts that the rows are divided into.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u32).range(2..))]
    pub folds: u32,
    /// Set one key of the configuration to VALUE, as in `--set optimizer.lr=0.1`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print one JSON object at the end instead of lines.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

/// What has been measured and told so far.
struct Course<'a> {
    arguments: &'a Cv,
    gpu: Gpu,
    /// Once the first fold is known.
    progress: Option<(Progress, Arc<AtomicBool>)>,
    notes: Vec<String>,
    metrics: Vec<Metric>,
    measured: Vec<BestEpoch>,
    pages: Vec<Value>,
}

impl Command for Cv {
    /// Trains once for each fold, and prints the metrics of each, and their mean and deviation also with `--quiet`.
    fn run(&self) -> Result<(), Stop> {
        let config = Config::load(&self.config, &self.sets)?;
        let first = Session::of_fold(config.clone(), Fold { at: 0, of: self.folds })?;
        let gpu = open(&self.common)?;
        let (notes, metrics, measured, pages) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let mut course = Course { arguments: self, gpu, progress: None, notes, metrics, measured, pages };
        let mut first = Some(first);
        for fold in Fold::all(self.folds) {
            let named = |error| Stop::Broken(error, format!("this was fold {} of {}", fold.at + 1, fold.of));
            let session = first.take().map_or_else(|| Session::of_fold(config.clone(), fold), Ok).map_err(named)?;
            if !course.measure(session, fold).map_err(|error| match error {
                // The next adapter can be taken only for a plain error.
                Error::Kernel { .. } => Stop::Error(error),
                error => named(error),
            })? {
                return Err(Stop::Interrupted(format!("in fold {} of {}; nothing is saved", fold.at + 1, fold.of)));
            }
        }
        Ok(course.tell()?)
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl Course<'_> {
    /// Trains one fold and takes its best epoch in; false if Ctrl-C was pressed.
    fn measure(&mut self, mut session: Session, fold: Fold) -> Result<bool> {
        session.check_length()?;
        let mut chosen = session.settled(&self.gpu)?;
        look_up(&mut session, &self.gpu, &mut chosen)?;
        let (mut trainer, chosen) = session.trainer(&self.gpu, chosen)?;
        if self.progress.is_none() {
            self.begin(&session)?;
            if let Some(line) = refused_kernels(&session, trainer.plan(), &chosen) {
                complain(&format!("warning: {line}"));
            }
            self.say(&[self.division(&session)]);
            self.say(&opening(&session, &self.gpu, trainer.plan(), &chosen));
            self.say(&["".to_owned(), self.head()]);
        } else {
            let new = session.prepared.remarks.iter().filter(|remark| !self.notes.contains(remark));
            self.say(&new.map(|remark| format!("note      {remark}")).collect::<Vec<_>>());
        }
        self.notes.extend(session.prepared.remarks.iter().cloned());
        let Some((best, left_out)) = self.train(&session, &mut trainer, fold)? else { return Ok(false) };
        let name = format!("{}/{}", fold.at + 1, fold.of);
        self.say(&[self.line(&name, &best.best.epoch.to_string(), |metric| best.evaluation.value(metric))]);
        if left_out > 0 {
            self.say(&[format!("left out  {left_out} updates of fold {name}, not finite or without weight")]);
        }
        self.pages.push(page(&session, fold, &best, left_out));
        self.measured.push(best);
        Ok(true)
    }

    /// The best epoch and the number of updates left out; `None` if Ctrl-C was pressed.
    fn train(&mut self, session: &Session, trainer: &mut Trainer, fold: Fold) -> Result<Option<(BestEpoch, u64)>> {
        let Some((progress, pressed)) = &mut self.progress else { return Ok(None) };
        let before = u64::from(fold.at) * session.windows.updates();
        let mut left_out = 0;
        let best = session.best_epoch(trainer, |event| {
            if let Event::Update { update, epoch } = event {
                left_out += u64::from(!update.made());
                let update = Update { update: before + update.update, left_out: None, ..*update };
                progress.event(&Event::Update { update, epoch: *epoch });
            }
            if pressed.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        Ok(best.map(|best| (best, left_out)))
    }

    /// What the first fold tells of all of them.
    fn begin(&mut self, session: &Session) -> Result<()> {
        let predicted = session.config.predicts();
        self.metrics = Metric::ALL.into_iter().filter(|metric| metric.is_of(predicted)).collect();
        let (updates, train) = (session.windows.updates(), &session.config.train);
        let quiet = self.arguments.common.quiet || self.arguments.json;
        let all = updates.saturating_mul(u64::from(self.arguments.folds));
        let progress = Progress::new(all, train.last_epoch(), train.best, quiet);
        let pressed = progress.interrupts()?;
        self.progress = Some((progress, pressed));
        Ok(())
    }

    fn say(&self, lines: &[String]) {
        if let Some((progress, _)) = &self.progress {
            lines.iter().for_each(|line| progress.say(line));
        }
    }

    fn division(&self, session: &Session) -> String {
        let Prepared { train, validation, .. } = &session.prepared;
        let rows = train.rows() + validation.as_ref().map_or(0, |data| data.rows());
        format!("folds     {} of {rows} rows; the first:", self.arguments.folds)
    }

    fn head(&self) -> String {
        let names = self.metrics.iter().map(|metric| format!("  {:>9}", metric.name()));
        format!("{:<8}  {:>5}{}", "fold", "epoch", names.collect::<String>())
    }

    /// A line of the table; `-` for what is not defined.
    fn line(&self, name: &str, epoch: &str, value: impl Fn(Metric) -> Option<f64>) -> String {
        let cells = self.metrics.iter().map(|&of| {
            let cell = value(of).map_or_else(|| "-".to_owned(), |value| metric(of.name(), value));
            format!("  {cell:>width$}", width = of.name().len().max(9))
        });
        format!("{name:<8}  {epoch:>5}{}", cells.collect::<String>())
    }

    /// Prints mean and deviation.
    fn tell(self) -> Result<()> {
        if let Some((progress, _)) = &self.progress {
            progress.finish();
        }
        let evaluations: Vec<&Evaluation> = self.measured.iter().map(|best| &best.evaluation).collect();
        let spreads: Vec<(Metric, Spread)> =
            self.metrics.iter().map(|&metric| (metric, Spread::of(&evaluations, metric))).collect();
        if self.arguments.json {
            let spread = |(metric, spread): &(Metric, Spread)| (metric.name().to_owned(), json!(spread));
            let metrics: Map<String, Value> = spreads.iter().map(spread).collect();
            let best = self.measured.first().map(|best| best.best.metric.name());
            return print(&json_line(&json!({ "best_by": best, "metrics": metrics, "folds": self.pages })));
        }
        let of = |wanted: Metric| spreads.iter().find(|(metric, _)| *metric == wanted).map(|(_, spread)| spread);
        let mean = self.line("mean", "", |metric| of(metric)?.mean);
        let deviation = self.line("std", "", |metric| of(metric)?.std);
        let head = if self.arguments.common.quiet { self.head() + "\n" } else { String::new() };
        print(&format!("{head}{mean}\n{deviation}\n"))?;
        let fewer = spreads.iter().filter(|(_, spread)| spread.folds < self.measured.len());
        let lines = fewer.map(|(metric, spread)| {
            format!("note      {} is a number in {} of {} folds", metric.name(), spread.folds, self.measured.len())
        });
        self.say(&lines.collect::<Vec<_>>());
        Ok(())
    }
}

/// A fold for programs.
fn page(session: &Session, fold: Fold, found: &BestEpoch, left_out: u64) -> Value {
    let prepared = &session.prepared;
    let rows = [Some(&prepared.train), prepared.validation.as_ref()].map(|data| data.map_or(0, |data| data.rows()));
    let mut page = Map::new();
    page.insert("fold".to_owned(), json!(fold.at + 1));
    page.insert("rows".to_owned(), json!({ "train": rows[0], "validation": rows[1] }));
    page.insert("epochs".to_owned(), json!(found.epochs));
    page.insert("best".to_owned(), ended::best_page(&found.best));
    page.insert("left_out".to_owned(), json!(left_out));
    page.insert("train_loss".to_owned(), json!(found.train_loss));
    page.extend(measured::page(&found.evaluation, &prepared.saved.target));
    Value::Object(page)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_cross_validation_has_five_folds_and_at_least_two() {
        assert_eq!(parse::<Cv>("accrue cv c.toml").unwrap().folds, 5);
        assert!(parse::<Cv>("accrue cv c.toml --folds 1").is_err());
    }
}
