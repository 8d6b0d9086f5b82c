//! `accrue tune`: which kernels are fastest for a network here.

use std::path::Path;

use serde_json::json;

use super::open;
use crate::cli::args::Tune;
use crate::cli::config::{Config, Kernels};
use crate::cli::exit::Stop;
use crate::cli::progress::print;
use crate::cli::session::Session;
use crate::cli::summary::chain;
use crate::cli::tune::{Candidate, NotTimed, ROUNDS, Report, Table, lines, measure};
use crate::gpu::{Gpu, adapter};
use crate::plan::{Chosen, ExecutionMode};
use crate::train::{Settings, Trainer, Trial, plan_training};
use crate::{Error, Result};

const NOT_TAKEN: &str = "not for this network on this adapter, or for data that is streamed";

/// Measures what kernels there are for a configuration, and keeps what is fastest for `train`, `plan` and `verify`.
pub fn tune(arguments: &Tune) -> Result<(), Stop> {
    let Some(config) = &arguments.config else { return Ok(forget(arguments)?) };
    check_environment()?;
    let mut config = Config::load(config, &arguments.sets)?;
    let asked = std::mem::replace(&mut config.train.kernels, Kernels::Auto).mode();
    let unused = asked.map(|asked| format!("as long as the configuration says train.kernels = \"{asked}\""));
    let session = Session::new(config)?;
    let gpu = open(&arguments.common)?;
    let table = table(&gpu)?;
    table.make_folder()?;
    let report = Report { unused, ..measured(&session, &gpu, table.file(), arguments.seconds)? };
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map_err(|error| Error::Internal(format!("tune: {error}")))?
    } else {
        lines(&report).join("\n")
    };
    print(&(text + "\n"))?;
    Ok(())
}

/// What is asked for there would be measured in place of what training takes without it.
fn check_environment() -> Result<()> {
    for name in ["ACCRUE_KERNELS", "ACCRUE_TILES"] {
        if let Ok(asked) = std::env::var(name) {
            return Err(Error::config(name, format!("{asked:?} goes before what is measured; unset it to tune")));
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

/// Measures all kernels that can be taken, with the micro-batch that training would have, and keeps the fastest.
fn measured(session: &Session, gpu: &Gpu, file: &Path, seconds: f64) -> Result<Report> {
    let chosen = session.settled(gpu)?;
    let data = session.prepared.train.batch();
    let (mut candidates, mut left_out) = (Vec::new(), Vec::new());
    for mode in ExecutionMode::ALL {
        let trial = trainer(session, gpu, &chosen, mode).and_then(|trainer| match trainer {
            Some(trainer) => Trial::new(trainer, session.batch(), &data).map(Some),
            None => Ok(None),
        });
        match trial {
            // A second copy of the data may be one too many; streamed, the trial would be of something else.
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
    let key = session.key(&chosen)?;
    let report = Report {
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

/// A trainer with these kernels, where they can be taken. Its learning rate is 0, so that none diverges; speed does not
/// depend on it.
fn trainer(session: &Session, gpu: &Gpu, chosen: &Chosen, mode: ExecutionMode) -> Result<Option<Trainer>> {
    let model = &session.prepared.saved.model;
    let settings = Settings {
        micro_batch: chosen.micro_batch,
        open_blocks: chosen.open_blocks,
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
