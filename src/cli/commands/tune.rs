//! `accrue tune`: which kernels are fastest for a network here.

use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::print;
use crate::cli::summary::chain;
use crate::cli::tune::{Candidate, Key, NotTimed, ROUNDS, Table, TuneReport, lines, measure};
use crate::gpu::{Gpu, adapter};
use crate::plan::{Chosen, ExecutionMode};
use crate::recipe::{Config, Session};
use crate::train::{Settings, SpeedTrial, Trainer, plan_training};
use crate::{Error, Result};

/// Measure which kernels are fastest for your network here, and keep the answer.
///
/// Trains on the configuration's data with each kind of kernels that network and adapter allow, in interleaved rounds, and
/// discards the weights. The fastest is kept in a table of this adapter and driver, in your cache folder or in ACCRUE_CACHE:
/// `train`, `plan` and `verify` use it unless the configuration names kernels. Tuning is optional; it changes how long a
/// training takes, never a bit of its result.
#[derive(Debug, PartialEq, Args)]
pub struct Tune {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    #[arg(required_unless_present = "forget")]
    pub config: Option<PathBuf>,
    /// Set one key of the configuration to VALUE, as in `--set train.micro_batch=64`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// About how long to measure; every kernel is measured in every round, even if that takes longer.
    #[arg(long, value_name = "S", default_value = "3", value_parser = super::bench::seconds)]
    pub seconds: f64,
    /// Remove the table of this adapter and driver.
    #[arg(long, conflicts_with_all = ["config", "sets", "seconds"])]
    pub forget: bool,
    /// Print one JSON object instead of text.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Tune {
    /// Measures the kernels that a configuration allows, and keeps the fastest for `train`, `plan` and `verify`.
    fn run(&self) -> Result<(), Stop> {
        let Some(config) = &self.config else { return Ok(forget(self)?) };
        check_environment()?;
        let mut config = Config::load(config, &self.sets)?;
        let asked = config.train.kernels.take();
        let unused = asked.map(|asked| format!("as long as the configuration says train.kernels = \"{asked}\""));
        let session = Session::new(config)?;
        let gpu = open(&self.common)?;
        let table = table(&gpu)?;
        table.make_folder()?;
        let report = TuneReport { unused, ..measured(&session, &gpu, table.file(), self.seconds)? };
        let text = if self.json {
            serde_json::to_string_pretty(&report).map_err(|error| Error::Internal(format!("tune: {error}")))?
        } else {
            lines(&report).join("\n")
        };
        print(&(text + "\n"))?;
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

const NOT_TAKEN: &str = "not for this network on this adapter, or for data that is streamed";

/// A requested choice would be measured instead of the default.
fn check_environment() -> Result<()> {
    for name in ["ACCRUE_KERNELS", "ACCRUE_TILES", "ACCRUE_READS"] {
        if let Ok(asked) = std::env::var(name) {
            return Err(Error::config(name, format!("{asked:?} overrides the table; unset it to tune")));
        }
    }
    Ok(())
}

fn table(gpu: &Gpu) -> Result<Table> {
    Table::of(gpu.info()).ok_or_else(|| {
        let message = "not set, and nothing says where this user's caches are; give a folder for the table";
        Error::config("ACCRUE_CACHE", message)
    })
}

fn forget(arguments: &Tune) -> Result<()> {
    let table = table(&open(&arguments.common)?)?;
    let (was, file) = (table.forget()?, table.file().display());
    if arguments.json {
        return print(&format!("{}\n", json!({ "file": file.to_string(), "removed": was })));
    }
    if arguments.common.quiet {
        return Ok(());
    }
    print(&if was { format!("removed   {file}\n") } else { format!("no table  {file}\n") })
}

/// Measures all possible kernels with the micro-batch that training would have, and keeps the fastest.
fn measured(session: &Session, gpu: &Gpu, file: &Path, seconds: f64) -> Result<TuneReport> {
    let chosen = session.settled(gpu)?;
    let data = session.prepared.train.batch();
    let (mut candidates, mut left_out) = (Vec::new(), Vec::new());
    for mode in ExecutionMode::ALL {
        let trial = trainer(session, gpu, &chosen, mode).and_then(|trainer| match trainer {
            Some(trainer) => SpeedTrial::new(trainer, session.batch(), &data).map(Some),
            None => Ok(None),
        });
        match trial {
            // A second copy of the data may not fit; streamed, the trial would measure something else.
            Ok(Some(trial)) if trial.resident() != chosen.resident => {
                let why = "the data does not fit on the GPU once more".to_owned();
                left_out.push(NotTimed { mode, why });
            }
            Ok(Some(trial)) => candidates.push(Candidate { mode, trial }),
            Ok(None) => left_out.push(NotTimed { mode, why: NOT_TAKEN.to_owned() }),
            Err(Error::Memory(why)) => left_out.push(NotTimed { mode, why }),
            Err(error) => return Err(error),
        }
    }
    let model = &session.prepared.saved.model;
    let default = plan_training(gpu, model, &session.settings()?, &chosen)?.mode(chosen.resident);
    let (kernels, kept) = measure(candidates, default, seconds)?;
    let key = Key::of(session, &chosen)?;
    let report = TuneReport {
        version: env!("CARGO_PKG_VERSION"),
        adapter: adapter::describe(gpu.info()),
        network: format!("{}; {}", chain(model), model.loss),
        optimizer: key.optimizer.clone(),
        micro_batch: chosen.micro_batch,
        batch: session.batch(),
        rounds: ROUNDS,
        kernels,
        left_out,
        kept: kept.clone(),
        file: file.display().to_string(),
        unused: None,
    };
    table(gpu)?.keep(key, kept)?;
    Ok(report)
}

/// A trainer with these kernels, if possible. Its learning rate is 0, so that none diverges; speed does not depend on it.
fn trainer(session: &Session, gpu: &Gpu, chosen: &Chosen, mode: ExecutionMode) -> Result<Option<Trainer>> {
    let model = &session.prepared.saved.model;
    let settings = Settings {
        micro_batch: chosen.micro_batch,
        open_blocks: chosen.open_blocks,
        copies: chosen.copies,
        stream: !chosen.resident,
        kernels: Some(mode),
        lr: 0.0,
        ..session.settings()?
    };
    let plan = plan_training(gpu, model, &settings, chosen)?;
    if plan.mode(chosen.resident) != mode {
        return Ok(None);
    }
    session.fits(gpu, &plan, chosen)?;
    Trainer::new(gpu, model, settings).map(Some)
}
