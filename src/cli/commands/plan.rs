//! `accrue plan`: what training would do and need, without training.

use std::path::PathBuf;

use clap::Args;
use serde::Serialize;

use super::{Command, open};
use crate::Result;
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::print;
use crate::cli::summary::{cut, kernels, layer_table, plural};
use crate::cli::tune::{Tuned, look_up};
use crate::gpu::{Gpu, adapter};
use crate::nn::{LayerSummary, Model, Totals};
use crate::plan::{Budget, Chosen, ExecutionMode, needs_open_blocks, size};
use crate::recipe::{Config, Session};
use crate::train::plan_training;

/// Show what training would do and need, without training: windows, rates, memory.
#[derive(Debug, PartialEq, Args)]
pub struct Plan {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// Set one key of the configuration to VALUE, as in `--set train.memory=64MiB`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Show the memory that each micro-batch would need.
    #[arg(long)]
    pub sweep: bool,
    /// Print JSON.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Plan {
    /// Prints the plan of a configuration; with `--quiet`, only JSON. Allocates nothing.
    fn run(&self) -> Result<(), Stop> {
        let mut session = Session::new(Config::load(&self.config, &self.sets)?)?;
        session.check_length()?;
        let gpu = open(&self.common)?;
        let mut chosen = session.planned(&gpu)?;
        let tuned = look_up(&mut session, &gpu, &mut chosen)?;
        let outline = Outline::new(&session, &gpu, (&chosen, tuned.as_ref()), self.sweep)?;
        if self.json {
            let text =
                serde_json::to_string_pretty(&outline).map_err(|e| crate::Error::Internal(format!("plan: {e}")))?;
            return Ok(print(&(text + "\n"))?);
        }
        if !self.common.quiet {
            print(&(outline.lines().join("\n") + "\n"))?;
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

/// A plan as data, for people and for programs.
#[derive(Serialize)]
struct Outline {
    adapter: String,
    model: Network,
    windows: Windows,
    micro_batch: MicroBatch,
    learning_rates: Vec<Rate>,
    memory: Memory,
    kernels: Kernels,
    steps: Steps,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    sweep: Vec<Swept>,
    #[serde(skip)]
    cut: String,
}

#[derive(Serialize)]
struct Network {
    layers: Vec<LayerSummary>,
    #[serde(flatten)]
    totals: Totals,
    /// The layers for people.
    #[serde(skip)]
    table: Vec<String>,
}

#[derive(Serialize)]
struct Windows {
    samples_per_epoch: usize,
    epochs: u32,
    updates: u64,
    updates_in_first_epoch: u64,
    tail: String,
    short_windows: u64,
    samples_left_out: u64,
}

#[derive(Serialize)]
struct MicroBatch {
    rows: usize,
    accumulation_steps: usize,
    why: String,
    open_blocks: bool,
    data_on_gpu: bool,
}

#[derive(Serialize)]
struct Rate {
    update: u64,
    lr: f64,
}

#[derive(Serialize)]
struct Memory {
    bytes: u64,
    budget_bytes: u64,
    budget_from: String,
    buffers: Vec<Buffer>,
}

#[derive(Serialize)]
struct Buffer {
    role: &'static str,
    name: String,
    bytes: u64,
}

#[derive(Serialize)]
struct Kernels {
    taken: ExecutionMode,
    why: String,
}

#[derive(Serialize)]
struct Steps {
    dispatches_per_micro_batch: usize,
    dispatches_per_update: usize,
    /// One dispatch computes whole windows, as many as allowed: the two numbers above do not apply.
    whole_windows: bool,
    kernels: Vec<String>,
}

#[derive(Serialize)]
struct Swept {
    micro_batch: usize,
    accumulation_steps: usize,
    bytes: u64,
    verdict: String,
}

impl Network {
    fn of(model: &Model) -> Network {
        let layers = model.summary();
        Network { totals: Totals::of(&layers), table: layer_table(model), layers }
    }
}

impl Outline {
    fn new(session: &Session, gpu: &Gpu, (chosen, tuned): (&Chosen, Option<&Tuned>), sweep: bool) -> Result<Outline> {
        let plan = plan_training(gpu, &session.prepared.saved.model, &session.settings()?, chosen)?;
        let budget = session.budget(gpu)?;
        let mut buffers: Vec<Buffer> = plan
            .buffers
            .iter()
            .map(|buffer| Buffer { role: buffer.role.name(), name: buffer.name.clone(), bytes: buffer.bytes })
            .collect();
        if chosen.resident {
            buffers.push(Buffer { role: "data", name: "training data".to_owned(), bytes: chosen.data });
        }
        let (taken, why) = kernels(session, &plan, chosen, tuned);
        let micro_batch = plan.micro_batch_steps(chosen.resident);
        let whole = plan.windows_step().filter(|_| chosen.resident);
        let kernel = |step: &crate::graph::Step| format!("{:<24} {}.{}", step.label, step.shader.name, step.entry);
        Ok(Outline {
            adapter: adapter::describe(gpu.info()),
            model: Network::of(&session.prepared.saved.model),
            windows: windows(session),
            micro_batch: MicroBatch {
                rows: chosen.micro_batch,
                accumulation_steps: session.batch().div_ceil(chosen.micro_batch),
                why: chosen.why.clone(),
                open_blocks: chosen.open_blocks,
                data_on_gpu: chosen.resident,
            },
            learning_rates: rates(session)?,
            kernels: Kernels { taken, why },
            steps: Steps {
                dispatches_per_micro_batch: micro_batch.len(),
                dispatches_per_update: plan.update_steps().len(),
                whole_windows: whole.is_some(),
                kernels: match whole {
                    Some(windows) => vec![kernel(windows)],
                    None => micro_batch.into_iter().chain(plan.update_steps()).map(kernel).collect(),
                },
            },
            sweep: if sweep { swept(session, gpu, chosen, &budget)? } else { Vec::new() },
            memory: Memory { bytes: chosen.bytes, budget_bytes: budget.bytes, budget_from: budget.why, buffers },
            cut: cut(session, chosen),
        })
    }

    fn lines(&self) -> Vec<String> {
        let w = &self.windows;
        let mut lines = vec![
            format!("adapter   {}", self.adapter),
            format!("window    {}", self.cut),
            format!(
                "updates   {} in {} of {} samples; {} in the first epoch, {}, {} left out",
                w.updates,
                plural(u64::from(w.epochs), "epoch"),
                w.samples_per_epoch,
                w.updates_in_first_epoch,
                plural(w.short_windows, "short window"),
                plural(w.samples_left_out, "sample"),
            ),
        ];
        lines.extend(self.model.table.clone());
        let rates: Vec<String> = self.learning_rates.iter().map(|r| format!("{} at {}", r.lr, r.update)).collect();
        lines.push(format!("lr        {}", rates.join(", ")));
        let m = &self.memory;
        let (whole, allowed) = (size(m.bytes), size(m.budget_bytes));
        lines.push(format!("memory    {whole} of {allowed} ({})", m.budget_from));
        for buffer in &m.buffers {
            lines.push(format!("  {:>12}  {:<16} {}", size(buffer.bytes), buffer.role, shorten(&buffer.name)));
        }
        lines.push(format!("kernels   {} ({})", self.kernels.taken, self.kernels.why));
        let (s, steps) = (&self.steps, self.micro_batch.accumulation_steps);
        let whole = steps * s.dispatches_per_micro_batch + s.dispatches_per_update;
        let (each, last) = (s.dispatches_per_micro_batch, s.dispatches_per_update);
        lines.push(if s.whole_windows {
            "steps     whole windows in one dispatch, and several of them".to_owned()
        } else {
            format!("steps     {each} dispatches a micro-batch and {last} an update: {whole} a window of {steps}")
        });
        lines.extend(s.kernels.iter().map(|kernel| format!("  {kernel}")));
        if !self.sweep.is_empty() {
            lines.push("sweep     micro-batch   steps        memory".to_owned());
        }
        for swept in &self.sweep {
            let mark = if swept.micro_batch == self.micro_batch.rows { "*" } else { " " };
            let (rows, steps, bytes) = (swept.micro_batch, swept.accumulation_steps, size(swept.bytes));
            lines.push(format!("        {mark} {rows:>11} {steps:>7}  {bytes:>12}  {}", swept.verdict));
        }
        lines
    }
}

fn shorten(name: &str) -> String {
    const MOST: usize = 60;
    if name.chars().count() <= MOST {
        return name.to_owned();
    }
    name.chars().take(MOST - 1).chain(['…']).collect()
}

fn windows(session: &Session) -> Windows {
    let samples = session.prepared.train.epoch();
    let (mut first, mut short, mut seen, mut updates) = (0, 0, 0, 0);
    for window in session.windows.clone() {
        first += u64::from(window.epoch == 1);
        short += u64::from(window.rows < window.batch);
        seen += u64::from(window.rows);
        updates += 1;
    }
    let epochs = session.config.train.last_epoch();
    Windows {
        samples_per_epoch: samples,
        epochs,
        updates,
        updates_in_first_epoch: first,
        tail: session.config.train.tail.to_string(),
        short_windows: short,
        samples_left_out: samples as u64 * u64::from(epochs) - seen,
    }
}

/// The learning rate at the first and last update and at some between, including the end of the warm-up.
fn rates(session: &Session) -> Result<Vec<Rate>> {
    let settings = session.settings()?;
    let scaling = session.fit().lr_scaling;
    let updates = session.windows.updates();
    let parts = 6.min(updates - 1).max(1);
    let mut wanted: Vec<u64> = (0..=parts).map(|part| 1 + part * (updates - 1) / parts).collect();
    wanted.push(settings.schedule.warmup.clamp(1, updates));
    let mut rates: Vec<Rate> = Vec::new();
    for window in session.windows.clone().filter(|window| wanted.contains(&window.update)) {
        let lr = settings.schedule.lr(settings.lr, window.update) * scaling.factor(window.batch);
        rates.push(Rate { update: window.update, lr });
    }
    if rates.iter().all(|rate| rate.lr == rates[0].lr) {
        rates.truncate(1);
    }
    Ok(rates)
}

fn swept(session: &Session, gpu: &Gpu, chosen: &Chosen, budget: &Budget) -> Result<Vec<Swept>> {
    let batch = session.batch();
    let settings = session.settings()?;
    let mut rows = Vec::new();
    let mut next = 1;
    while next < batch {
        rows.push(next);
        next *= 2;
    }
    rows.push(batch);
    rows.push(chosen.micro_batch);
    rows.sort_unstable();
    rows.dedup();
    let sweep = |rows: usize| {
        let open_blocks = needs_open_blocks(batch, rows);
        let trial = Chosen { micro_batch: rows, open_blocks, ..chosen.clone() };
        let plan = plan_training(gpu, &session.prepared.saved.model, &settings, &trial)?;
        let verdict = match plan.fits(gpu.limits(), budget.bytes) {
            Ok(()) => String::new(),
            Err(error) => error.to_string(),
        };
        Ok(Swept { micro_batch: rows, accumulation_steps: batch.div_ceil(rows), bytes: plan.bytes(), verdict })
    };
    rows.into_iter().map(sweep).collect()
}
