//! `accrue verify`: whether the bits of one's own training depend on how its batches are cut.

use serde_json::{Value, json};

use super::open;
use crate::Error;
use crate::cli::args::Verify;
use crate::cli::config::Config;
use crate::cli::exit::Stop;
use crate::cli::progress::say;
use crate::cli::session::Session;
use crate::cli::summary::plural;
use crate::gpu::{Gpu, adapter};
use crate::train::verify::{Agreement, Bits, Difference, Verdict, trials, verify as compare};
use crate::train::{Settings, Trainer, fixed_micro_batch};

/// Trains the first updates of a configuration under several partitions, and says whether their bits agree. With `--quiet`
/// only what does not agree is printed.
pub fn verify(arguments: &Verify) -> Result<(), Stop> {
    let mut session = Session::new(Config::load(&arguments.config, &arguments.sets)?)?;
    let updates = arguments.updates.min(session.windows.updates());
    let gpu = open(&arguments.common)?;
    let (configured, budget) = (session.plan(&gpu)?.micro_batch, session.budget(&gpu)?);
    let config = &session.config;
    let windows = session.windows.clone().take(updates as usize);
    let batch = windows.map(|window| window.rows).max().unwrap_or(1) as usize;
    let trials = trials(batch, configured, updates, config.train.seed);

    let lines = !arguments.json && !arguments.common.quiet;
    if lines {
        let tail = format!("{:?}", config.train.tail).to_lowercase();
        let shuffled = if config.train.shuffle { "shuffled" } else { "in order" };
        say(&format!("windows   the first {} of {batch} rows; tail {tail}, {shuffled}", plural(updates, "update")));
        say(&format!("adapter   {}", adapter::describe(gpu.info())));
    }
    let (model, samples) = (&session.prepared.saved.model, session.prepared.train.rows());
    let make = |micro_batch: usize, open_blocks: bool| {
        let settings = Settings { micro_batch, open_blocks, ..session.settings()? };
        let chosen = fixed_micro_batch(&gpu, model, &settings, (micro_batch, open_blocks), samples, Some(&budget))?;
        Trainer::new(&gpu, model, Settings { stream: !chosen.resident, ..settings })
    };
    let mut first = true;
    let verdicts = compare(make, &session.fit(), updates, &trials, |verdict| {
        if lines {
            say(&line(verdict, std::mem::take(&mut first)));
        }
    })?;
    if arguments.json {
        say(&page(&gpu, batch, updates, &verdicts).to_string());
    }
    let compared = verdicts.iter().filter(|verdict| !matches!(verdict.result, Agreement::Skipped(_))).count();
    let differ = verdicts.iter().filter(|verdict| matches!(verdict.result, Agreement::Differs(_))).count();
    if differ > 0 {
        let found = if lines || arguments.json { String::new() } else { format!(":\n{}", differences(&verdicts)) };
        let what = format!("{differ} of {compared} partitions have other bits than the configured one{found}");
        let what = format!("not equal: {what}");
        if !arguments.json {
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
