//! A run in words and numbers: what is printed before it, and the report after it.

use super::config::Config;
use super::prepare::Prepared;
use super::progress::metric;
use super::report::{EpochPoint, LayerRow, Report, UpdatePoint};
use crate::data::Targets;
use crate::gpu::{Gpu, adapter};
use crate::nn::{Layer, Model};
use crate::plan::Plan;
use crate::train::Event;
use crate::window::{Partition, Windows};

/// The lines that are printed before training begins.
pub fn opening(config: &Config, prepared: &Prepared, gpu: &Gpu, plan: &Plan, windows: &Windows) -> Vec<String> {
    let partition = config.train.partition().ok();
    let rows = prepared.train.rows();
    let held = prepared.validation.as_ref().map_or(0, |data| data.rows());
    let what = match &prepared.train.targets {
        Targets::Classes { classes, .. } => format!("{} classes", classes.len()),
        Targets::Values { names, .. } => format!("{} to predict", names.join(", ")),
    };
    let model = &prepared.saved.model;
    vec![
        format!("data      {rows} rows to train on, {held} to validate; {} features, {what}", model.inputs),
        format!("model     {}; {}, {} parameters", chain(model), model.loss, plan.layout.count()),
        format!("window    {}; {} in all", cut(partition, config), plural(windows.updates(), "update")),
        format!(
            "memory    {} on the GPU, {} dispatches a micro-batch",
            bytes(plan.bytes()),
            plan.dispatches_per_micro_batch()
        ),
        format!("adapter   {}", adapter::describe(gpu.info())),
    ]
}

/// The layers in a row: 64-64-relu-10.
fn chain(model: &Model) -> String {
    let layers = model.layers.iter().map(|layer| match layer {
        Layer::Linear(width) => width.to_string(),
        Layer::Activation(name) => name.clone(),
    });
    std::iter::once(model.inputs.to_string()).chain(layers).collect::<Vec<_>>().join("-")
}

fn cut(partition: Option<Partition>, config: &Config) -> String {
    let tail = format!("{:?}", config.train.tail).to_lowercase();
    match partition {
        Some(p) if p.accumulation_steps > 1 => {
            format!("batch {} in {} micro-batches of {}; tail {tail}", p.batch, p.accumulation_steps, p.micro_batch)
        }
        Some(p) => format!("batch {} at once; tail {tail}", p.batch),
        None => String::new(),
    }
}

fn plural(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

/// A size as people read it.
pub fn bytes(bytes: u64) -> String {
    match bytes {
        b if b >= 1 << 30 => format!("{:.2} GiB", b as f64 / f64::from(1 << 30)),
        b if b >= 1 << 20 => format!("{:.2} MiB", b as f64 / f64::from(1 << 20)),
        b if b >= 1 << 10 => format!("{:.1} KiB", b as f64 / 1024.0),
        b => format!("{b} bytes"),
    }
}

/// Collects a run's events for its report.
#[derive(Default)]
pub struct History {
    updates: Vec<UpdatePoint>,
    epochs: Vec<EpochPoint>,
}

impl History {
    /// Takes in what happened.
    pub fn event(&mut self, event: &Event) {
        match event {
            Event::Update { update, epoch } => self.updates.push(UpdatePoint {
                update: update.update,
                epoch: *epoch,
                loss: update.loss,
                lr: update.lr,
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

    /// The result in one line.
    pub fn summary(&self) -> Option<String> {
        let last = self.epochs.last()?;
        let after = format!("after {}", plural(u64::from(last.epoch), "epoch"));
        Some(match last.metrics.first() {
            Some((name, value)) if name == "val_accuracy" => {
                format!("{} validation accuracy {after}", metric("accuracy", *value))
            }
            Some((_, rmse)) => format!("validation RMSE {rmse:.4} {after}"),
            None => format!("training loss {:.4} {after}", last.train_loss),
        })
    }

    /// The page of the run.
    pub fn report(self, about: About) -> Report {
        let About { title, config, config_toml, prepared, gpu, timings, samples_per_second, note } = about;
        let summary = self.summary();
        let updates = self.updates.last().map_or(0, |update| update.update);
        Report {
            title,
            version: env!("CARGO_PKG_VERSION").to_owned(),
            summary,
            note,
            layers: layers(&prepared.saved.model),
            facts: facts(config, prepared, updates),
            adapter: adapter_facts(gpu),
            timings,
            samples_per_second: Some(samples_per_second),
            config_toml,
            updates: self.updates,
            epochs: self.epochs,
        }
    }
}

/// What a report tells beside the history.
pub struct About<'a> {
    /// The run's name.
    pub title: String,
    /// The configuration.
    pub config: &'a Config,
    /// The configuration as a text.
    pub config_toml: String,
    /// Model and data.
    pub prepared: &'a Prepared,
    /// The device.
    pub gpu: &'a Gpu,
    /// What took how many seconds.
    pub timings: Vec<(String, f64)>,
    /// The speed of training.
    pub samples_per_second: f64,
    /// That the run was interrupted.
    pub note: Option<String>,
}

fn layers(model: &Model) -> Vec<LayerRow> {
    let mut width = model.inputs as u64;
    let row = |(at, layer): (usize, &Layer)| {
        let (kind, parameters) = match layer {
            Layer::Linear(outputs) => {
                let parameters = (width + 1) * *outputs as u64;
                width = *outputs as u64;
                ("linear".to_owned(), parameters)
            }
            Layer::Activation(name) => (name.clone(), 0),
        };
        LayerRow { name: at.to_string(), kind, output: width, parameters, bytes: 4 * parameters }
    };
    model.layers.iter().enumerate().map(row).collect()
}

fn facts(config: &Config, prepared: &Prepared, updates: u64) -> Vec<(String, String)> {
    let optimizer = &config.optimizer;
    let mut line = format!("sgd, lr {}", optimizer.lr);
    let rates = [
        ("momentum", optimizer.momentum),
        ("dampening", optimizer.dampening),
        ("weight decay", optimizer.weight_decay),
    ];
    for (name, value) in rates.into_iter().filter(|(_, value)| *value != 0.0) {
        line += &format!(", {name} {value}");
    }
    if optimizer.nesterov {
        line += ", nesterov";
    }
    let partition = config.train.partition().ok();
    let number = |value: Option<u32>| value.map_or(String::new(), |value| value.to_string());
    let fact = |name: &str, value: String| (name.to_owned(), value);
    vec![
        fact("Loss", prepared.saved.model.loss.clone()),
        fact("Batch", number(partition.map(|p| p.batch))),
        fact("Micro-batch", number(partition.map(|p| p.micro_batch))),
        fact("Accumulation steps", number(partition.map(|p| p.accumulation_steps))),
        fact("Tail", format!("{:?}", config.train.tail).to_lowercase()),
        fact("Updates", updates.to_string()),
        fact("Epochs", config.train.epochs.to_string()),
        fact("Optimizer", line),
        fact("Shuffled", if config.train.shuffle { "yes" } else { "no" }.to_owned()),
        fact("Seed", config.train.seed.to_string()),
        fact("Rows to train on", prepared.train.rows().to_string()),
        fact("Rows to validate", prepared.validation.as_ref().map_or(0, |data| data.rows()).to_string()),
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
