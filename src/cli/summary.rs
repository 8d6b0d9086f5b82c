//! A run in words and numbers: the lines printed before it, and the report after it.

use std::time::Instant;

use super::columns::columns;
use super::findings::Findings;
use super::progress::{metric, number};
use super::report::{EpochPoint, LayerRow, Page, UpdatePoint};
use super::tune::Tuned;
use crate::data::{Dataset, Targets};
use crate::gpu::{Gpu, adapter};
use crate::nn::{Layer, LayerSummary, Model, Totals};
use crate::plan::{Chosen, ExecutionMode, Plan, size};
use crate::recipe::{MicroBatch, Session};
use crate::run::Line;
use crate::train::Event;

/// The lines printed before training begins.
pub fn opening(session: &Session, gpu: &Gpu, plan: &Plan, chosen: &Chosen) -> Vec<String> {
    let prepared = &session.prepared;
    let rows = prepared.train.rows();
    let held = prepared.validation.as_ref().map_or(0, |data| data.rows());
    let what = match &prepared.train.targets {
        Targets::Classes { classes, .. } => format!("{} classes", classes.len()),
        Targets::Values { names, .. } => format!("{} to predict", names.join(", ")),
        Targets::Next { tokens, .. } => format!("{} tokens", tokens.len()),
    };
    let model = &prepared.saved.model;
    let held_where = if chosen.resident { "data included" } else { "data streamed" };
    let dispatches = if plan.mode(chosen.resident) == ExecutionMode::Windows {
        "whole windows in one dispatch".to_owned()
    } else {
        format!("{} dispatches a micro-batch", plan.micro_batch_steps(chosen.resident).len())
    };
    // Where each column is a feature, the number says nothing new.
    let other = prepared.saved.preparation.as_ref().filter(|preparation| preparation.columns.len() != model.inputs);
    let columns = other
        .map_or_else(String::new, |preparation| format!(" of {}", plural(preparation.columns.len() as u64, "column")));
    let features = model.inputs;
    let data = match &prepared.saved.tokenizer {
        Some(_) => text_line(session),
        None => format!("data      {rows} rows to train on, {held} to validate; {features} features{columns}, {what}"),
    };
    let notes = prepared.remarks.iter().map(|remark| format!("note      {remark}"));
    let rest = [
        format!("model     {}; {}, {} parameters", chain(model), model.loss, plan.layout.count()),
        format!("window    {}; {} in all", cut(session, chosen), plural(session.windows.updates(), "update")),
        format!("memory    {} on the GPU, {held_where}; {dispatches}", size(chosen.bytes)),
        format!("adapter   {}", adapter::describe(gpu.info())),
    ];
    std::iter::once(data).chain(notes).chain(rest).collect()
}

/// What is trained on, of a text.
fn text_line(session: &Session) -> String {
    let prepared = &session.prepared;
    let tokens = |data: &Dataset| data.features.values.len();
    let held = prepared.validation.as_ref().map_or(0, tokens);
    format!(
        "data      {} tokens to train on, {held} to validate; {} different ones; {} sequences of {} in an epoch",
        tokens(&prepared.train),
        prepared.saved.model.outputs(),
        prepared.train.epoch(),
        prepared.saved.model.inputs,
    )
}

/// The layers in a row: 64-64-relu-10.
pub fn chain(model: &Model) -> String {
    let layers = model.layers.iter().map(|layer| match layer {
        Layer::Linear(width) => width.to_string(),
        Layer::Named(name) => name.clone(),
        Layer::With(given) => given.keys().cloned().collect(),
    });
    std::iter::once(dims(model.input().dims())).chain(layers).collect::<Vec<_>>().join("-")
}

/// The windows and how they are cut, in a line.
pub fn cut(session: &Session, chosen: &Chosen) -> String {
    let batches: Vec<String> = session.cut.batches.sizes().map(|batch| batch.to_string()).collect();
    let batch = batches.join(", then ");
    let most = session.batch();
    let how = match most.div_ceil(chosen.micro_batch) {
        1 => "at once".to_owned(),
        steps => format!("in {steps} micro-batches of {}", chosen.micro_batch),
    };
    let why = match session.cut.micro_batch {
        MicroBatch::Rows(_) => String::new(),
        MicroBatch::Automatic(_) => format!(" ({})", chosen.why),
    };
    format!("batch {batch} {how}{why}; tail {}", session.config.train.tail)
}

/// Says that the kernels of the configuration are not those that are taken, if so.
pub fn refused_kernels(session: &Session, plan: &Plan, chosen: &Chosen) -> Option<String> {
    let (asked, taken) = (session.config.train.kernels?, plan.mode(chosen.resident));
    let why = "network, data or adapter cannot use them";
    (asked != taken).then(|| format!("train.kernels = \"{asked}\" is left out: {why}; \"{taken}\" are taken"))
}

/// The execution mode of micro-batches, and the reason for it.
pub fn kernels(session: &Session, plan: &Plan, chosen: &Chosen, tuned: Option<&Tuned>) -> (ExecutionMode, String) {
    let taken = plan.mode(chosen.resident);
    let refused = |asked: ExecutionMode| {
        if asked == taken { String::new() } else { format!(", but network or adapter cannot use {asked}") }
    };
    let why = match (session.config.train.kernels, ExecutionMode::from_environment(), tuned) {
        (Some(asked), ..) => format!("as configured{}", refused(asked)),
        (None, Some(asked), _) => format!("by ACCRUE_KERNELS{}", refused(asked)),
        (None, None, Some(tuned)) => format!("tuned: {}", tuned.describe()),
        (None, None, None) => "by shape and adapter".to_owned(),
    };
    (taken, why)
}

/// The layers of a model as a table for people, totals at its end.
pub fn layer_table(model: &Model) -> Vec<String> {
    let layers = model.summary();
    let Totals { parameters, multiplications, activation_bytes } = Totals::of(&layers);
    let numbers = |parameters: u64, multiplications: u64, activation: u64| {
        [parameters.to_string(), size(4 * parameters), multiplications.to_string(), size(activation)]
    };
    let line = |name: String, output: String, numbers: [String; 4]| [vec![name, output], numbers.to_vec()].concat();
    let head = ["layer", "output", "parameters", "bytes", "multiplications", "activation"].map(str::to_owned);
    let mut table = vec![head.to_vec(), line("input".to_owned(), dims(model.input().dims()), numbers(0, 0, 0))];
    table.extend(layers.iter().map(|layer| {
        let numbers = numbers(layer.parameters, layer.multiplications, layer.activation_bytes);
        line(format!("{} {}", layer.name, layer.kind), layer.shape(), numbers)
    }));
    table.push(line("all".to_owned(), String::new(), numbers(parameters, multiplications, activation_bytes)));
    columns(1, &table)
}

/// `28×28×1`
fn dims(dims: &[usize]) -> String {
    dims.iter().map(usize::to_string).collect::<Vec<_>>().join("×")
}

/// `1 update`, `2 updates`
pub fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// Collects a run's events for its report.
#[derive(Default)]
pub struct History {
    updates: Vec<UpdatePoint>,
    epochs: Vec<EpochPoint>,
    /// Updates made before this process began.
    earlier: u64,
    /// The best epoch.
    best: Option<u32>,
}

impl History {
    /// Resumes after this many updates.
    pub fn goes_on(&mut self, updates: u64) {
        self.earlier = updates;
    }

    /// Adds an event.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Update { update, epoch } => self.updates.push(UpdatePoint {
                update: update.update,
                epoch: *epoch,
                loss: update.loss,
                lr: update.lr,
                left_out: update.left_out,
            }),
            Event::Epoch { epoch, update, train_loss, validation } => {
                let metrics = validation.iter().flat_map(|v| &v.metrics);
                self.epochs.push(EpochPoint {
                    epoch: *epoch,
                    update: *update,
                    train_loss: *train_loss,
                    val_loss: validation.as_ref().map(|v| v.loss),
                    metrics: metrics.map(|(name, value)| (format!("val_{name}"), *value)).collect(),
                });
            }
        }
    }

    /// Adds the history of a resumed run.
    pub fn before(&mut self, lines: Vec<Line>) {
        for line in lines {
            match line {
                Line::Update(point) => self.updates.push(point),
                Line::Epoch(point) => self.epochs.push(point),
                Line::Written(_) => {}
            }
        }
    }

    /// The last epoch.
    pub fn last(&self) -> Option<&EpochPoint> {
        self.epochs.last()
    }

    /// Names the best epoch: its model is the run's result.
    pub fn best_is(&mut self, epoch: Option<u32>) {
        self.best = epoch;
    }

    /// The result in one line.
    pub fn summary(&self) -> Option<String> {
        let all = self.epochs.last()?;
        let best = self.epochs.iter().find(|epoch| Some(epoch.epoch) == self.best);
        let last = best.unwrap_or(all);
        let after = match last.epoch == all.epoch {
            true => format!("after {}", plural(u64::from(last.epoch), "epoch")),
            false => format!("after epoch {}, the best of {}", last.epoch, all.epoch),
        };
        let value = |wanted: &str| last.metrics.iter().find(|(name, _)| name == wanted).map(|&(_, value)| value);
        if let Some(perplexity) = value("val_perplexity") {
            return Some(format!("validation perplexity {} {after}", number(perplexity)));
        }
        Some(match (value("val_accuracy"), value("val_rmse")) {
            (Some(accuracy), _) => format!("{} validation accuracy {after}", metric("accuracy", accuracy)),
            (None, Some(rmse)) => format!("validation RMSE {} {after}", number(rmse)),
            (None, None) => format!("training loss {} {after}", number(last.train_loss)),
        })
    }

    /// What the page cannot show.
    fn gap(&self) -> Option<String> {
        let first = self.updates.first().map_or(self.earlier + 1, |update| update.update);
        let why = "metrics.jsonl was gone when the run went on";
        (first > 1).then(|| format!("Updates before {first} are not shown: {why}."))
    }

    /// The page of the run.
    pub fn report(self, about: About) -> Page {
        let About { title, session, chosen, config_toml, gpu, timings, samples_per_second, findings, note } = about;
        let Findings { answers, importance, columns, written } = findings;
        let summary = self.summary();
        let notes: Vec<String> = note.into_iter().chain(self.gap()).collect();
        let updates = self.updates.last().map_or(0, |update| update.update);
        Page {
            title,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary,
            note: (!notes.is_empty()).then(|| notes.join(" ")),
            answers,
            importance,
            columns,
            written,
            remarks: session.prepared.remarks.clone(),
            layers: layers(&session.prepared.saved.model),
            facts: facts(session, chosen, updates),
            adapter: adapter_facts(gpu),
            timings,
            samples_per_second: Some(samples_per_second),
            config_toml,
            updates: self.updates,
            epochs: self.epochs,
        }
    }
}

/// The seconds of each phase.
pub struct Clock {
    last: Instant,
    /// Names and seconds so far.
    pub laps: Vec<(String, f64)>,
}

impl Clock {
    /// Begins the first phase.
    pub fn start() -> Clock {
        Clock { last: Instant::now(), laps: Vec::new() }
    }

    /// Ends a phase.
    pub fn lap(&mut self, name: &str) {
        self.laps.push((name.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}

/// What a report says besides the history.
pub struct About<'a> {
    /// The run's name.
    pub title: String,
    /// Configuration, model and data.
    pub session: &'a Session,
    /// The micro-batch.
    pub chosen: &'a Chosen,
    /// The configuration as a text.
    pub config_toml: String,
    /// The device.
    pub gpu: &'a Gpu,
    /// Steps and their seconds.
    pub timings: Vec<(String, f64)>,
    /// The speed of training.
    pub samples_per_second: f64,
    /// What the model says.
    pub findings: Findings,
    /// Says that the run was interrupted.
    pub note: Option<String>,
}

fn layers(model: &Model) -> Vec<LayerRow> {
    let row = |layer: LayerSummary| LayerRow {
        output: layer.shape(),
        name: layer.name,
        kind: layer.kind,
        parameters: layer.parameters,
        bytes: 4 * layer.parameters,
        multiplications: layer.multiplications,
        activation_bytes: layer.activation_bytes,
    };
    model.summary().into_iter().map(row).collect()
}

fn facts(session: &Session, chosen: &Chosen, updates: u64) -> Vec<(String, String)> {
    let (config, prepared) = (&session.config, &session.prepared);
    let batches: Vec<String> = session.cut.batches.sizes().map(|batch| batch.to_string()).collect();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    let is_text = prepared.saved.tokenizer.is_some();
    let what = if is_text { "Tokens" } else { "Rows" };
    let count = |data: &Dataset| if is_text { data.features.values.len() } else { data.rows() };
    vec![
        fact("Loss", prepared.saved.model.loss.clone()),
        fact("Batch", batches.join(", then ")),
        fact("Micro-batch", chosen.micro_batch.to_string()),
        fact("Accumulation steps", session.batch().div_ceil(chosen.micro_batch).to_string()),
        fact("Tail", config.train.tail.to_string()),
        fact("Updates", updates.to_string()),
        fact("Epochs", config.train.last_epoch().to_string()),
        fact("Optimizer", config.optimizer.describe()),
        fact("Shuffled", if config.train.shuffle { "yes" } else { "no" }.to_owned()),
        fact("Seed", config.train.seed.to_string()),
        fact(&format!("{what} to train on"), count(&prepared.train).to_string()),
        fact(&format!("{what} to validate"), prepared.validation.as_ref().map_or(0, count).to_string()),
        fact("Memory on the GPU", size(chosen.bytes)),
    ]
}

fn adapter_facts(gpu: &Gpu) -> Vec<(String, String)> {
    let info = gpu.info();
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("Name", info.name.clone()),
        fact("Backend", info.backend.to_string()),
        fact("Driver", format!("{} {}", info.driver, info.driver_info).trim().to_owned()),
        fact("Kind", adapter::kind(info.device_type).to_owned()),
    ]
}
