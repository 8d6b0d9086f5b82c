//! `accrue verify`: whether the bits of a training depend on how its batches are cut.

use std::path::PathBuf;

use clap::Args;
use serde_json::{Value, json};

use super::{Command, open};
use crate::Error;
use crate::cli::args::Common;
use crate::cli::exit::Stop;
use crate::cli::progress::say;
use crate::cli::summary::plural;
use crate::cli::tune::look_up;
use crate::gpu::{Gpu, adapter};
use crate::recipe::{Config, Session};
use crate::train::verify::{Agreement, Bits, Difference, Verdict, trials, verify as compare};
use crate::train::{Settings, Trainer, fixed_micro_batch};

/// Check that the bits of your own training do not depend on how its batches are cut.
#[derive(Debug, PartialEq, Args)]
pub struct Verify {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// Set one key of the configuration to VALUE, as in `--set train.batch=512`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Compare the first N updates.
    #[arg(long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u64).range(1..))]
    pub updates: u64,
    /// Print the result as JSON.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Verify {
    /// Trains the first updates of a configuration under several partitions, and compares their bits. With `--quiet` prints
    /// only differences.
    fn run(&self) -> Result<(), Stop> {
        let mut session = Session::new(Config::load(&self.config, &self.sets)?)?;
        let updates = self.updates.min(session.windows.updates());
        let gpu = open(&self.common)?;
        let mut chosen = session.planned(&gpu)?;
        look_up(&mut session, &gpu, &mut chosen)?;
        let (configured, budget) = (chosen.micro_batch, session.budget(&gpu)?);
        let config = &session.config;
        let windows = session.windows.clone().take(updates as usize);
        let batch = windows.map(|window| window.rows).max().unwrap_or(1) as usize;
        let group = session.prepared.saved.model.network(false)?.graph.group();
        let trials = trials(batch, configured, updates, config.train.seed, group);

        let lines = !self.json && !self.common.quiet;
        if lines {
            let tail = config.train.tail;
            let shuffled = if config.train.shuffle { "shuffled" } else { "in order" };
            say(&format!("windows   the first {} of {batch} rows; tail {tail}, {shuffled}", plural(updates, "update")));
            say(&format!("adapter   {}", adapter::describe(gpu.info())));
        }
        let (model, samples) = (&session.prepared.saved.model, session.prepared.train.rows());
        let make = |micro_batch: usize, open_blocks: bool| {
            let settings = Settings { micro_batch, open_blocks, ..session.settings()? };
            let chosen = fixed_micro_batch(&gpu, model, &settings, (micro_batch, open_blocks), samples, Some(&budget))?;
            Trainer::new(&gpu, model, Settings { stream: !chosen.resident, copies: chosen.copies, ..settings })
        };
        let mut first = true;
        let verdicts = compare(make, &session.fit(), updates, &trials, |verdict| {
            if lines {
                say(&line(verdict, std::mem::take(&mut first)));
            }
        })?;
        if self.json {
            say(&page(&gpu, batch, updates, &verdicts).to_string());
        }
        let compared = verdicts.iter().filter(|verdict| !matches!(verdict.result, Agreement::Skipped(_))).count();
        let differ = verdicts.iter().filter(|verdict| matches!(verdict.result, Agreement::Differs(_))).count();
        if differ > 0 {
            let found = if lines || self.json { String::new() } else { format!(":\n{}", differences(&verdicts)) };
            let what = format!("{differ} of {compared} partitions have other bits than the configured one{found}");
            let what = format!("not equal: {what}");
            if !self.json {
                say(&what);
            }
            return Err(Stop::NotRight(what));
        }
        if compared < 2 {
            let why =
                "only one partition fits the memory, so nothing was compared; raise train.memory or lower train.batch";
            return Err(Error::Memory(why.to_owned()).into());
        }
        if lines {
            say(&format!(
                "The bits of losses, parameters and optimizer state are equal under {}.",
                plural(compared as u64, "partition")
            ));
        }
        Ok(())
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

fn line(verdict: &Verdict, first: bool) -> String {
    let configured = if first { " (configured; the others are compared with it)" } else { "" };
    let trial = &verdict.trial;
    match &verdict.result {
        Agreement::Equal => format!("equal     {trial}{configured}"),
        Agreement::Differs(difference) => format!("DIFFERS   {trial}\n          {difference}"),
        Agreement::Skipped(why) => format!("left out  {trial}: {why}"),
    }
}

fn differences(verdicts: &[Verdict]) -> String {
    let differs = |verdict: &&Verdict| matches!(verdict.result, Agreement::Differs(_));
    let lines: Vec<String> = verdicts.iter().filter(differs).map(|verdict| line(verdict, false)).collect();
    lines.join("\n")
}

fn page(gpu: &Gpu, batch: usize, updates: u64, verdicts: &[Verdict]) -> Value {
    let equal = verdicts.iter().all(|verdict| !matches!(verdict.result, Agreement::Differs(_)));
    let one = |verdict: &Verdict| {
        let (result, more) = match &verdict.result {
            Agreement::Equal => ("equal", Value::Null),
            Agreement::Differs(difference) => ("differs", place(difference)),
            Agreement::Skipped(why) => ("left out", json!(why)),
        };
        json!({
            "cut": verdict.trial.cut.to_string(),
            "way": verdict.trial.way.words(),
            "micro_batches": verdict.micro_batches,
            "result": result,
            "why": more,
        })
    };
    json!({
        "version": env!("CARGO_PKG_VERSION"),
        "adapter": adapter::describe(gpu.info()),
        "batch": batch,
        "updates": updates,
        "equal": equal,
        "partitions": verdicts.iter().map(one).collect::<Vec<_>>(),
    })
}

fn place(difference: &Difference) -> Value {
    let Difference { update, array, index, wanted, found } = difference;
    let bits = |bits: &Bits| bits.to_string();
    json!({ "update": update, "array": array, "index": index, "wanted": bits(wanted), "found": bits(found) })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn verify_compares_eight_updates_unless_told_and_never_none() {
        let verify: Verify = parse("accrue verify c.toml").unwrap();
        assert_eq!((verify.config, verify.updates, verify.json), ("c.toml".into(), 8, false));
        let verify: Verify = parse("accrue verify c.toml --updates 3 --json").unwrap();
        assert!(verify.updates == 3 && verify.json);
        assert_eq!(parse::<Verify>("accrue verify c.toml --updates 0").unwrap_err().exit_code(), 2);
    }
}
