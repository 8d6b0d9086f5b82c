//! `accrue bench`: how fast this adapter trains.

use std::io::IsTerminal;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget};

use super::open;
use crate::Error;
use crate::cli::args::{Bench, What};
use crate::cli::bench::{Shape, Wanted, Workload, first_update, lines, run};
use crate::cli::exit::Stop;
use crate::cli::progress::print;

/// Measures what was named, or everything, and prints it at the end.
pub fn bench(arguments: &Bench) -> Result<(), Stop> {
    let own = arguments.shape.as_ref().map(|shape| own(arguments, shape));
    if let Some(own) = &own {
        own.check()?;
    }
    if let (true, Some(own)) = (arguments.first_update, own.clone()) {
        return Ok(first_update(|| open(&arguments.common), own, arguments.seconds)?);
    }
    let wanted = wanted(arguments, own);
    let gpu = open(&arguments.common)?;
    let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
    if !arguments.common.quiet && std::io::stderr().is_terminal() {
        bar.set_draw_target(ProgressDrawTarget::stderr());
        bar.enable_steady_tick(Duration::from_millis(200));
    }
    let report =
        run(&gpu, &wanted, |round, what| bar.set_message(format!("round {round} of {}: {what}", wanted.rounds)));
    bar.finish_and_clear();
    let report = report?;
    let text = if arguments.json {
        serde_json::to_string_pretty(&report).map_err(|error| Error::Internal(format!("bench: {error}")))?
    } else {
        lines(&report).join("\n")
    };
    Ok(print(&(text + "\n"))?)
}

/// A network of the user's own. Its learning rate is small, so that none diverges; speed does not depend on it.
fn own(arguments: &Bench, shape: &Shape) -> Workload {
    Workload {
        name: "own".to_owned(),
        shape: shape.clone(),
        activation: arguments.activation.clone(),
        loss: arguments.loss.clone(),
        rows: arguments.rows,
        micro_batch: arguments.micro_batch,
        accumulation_steps: arguments.steps,
        lr: 1e-4,
    }
}

fn wanted(arguments: &Bench, own: Option<Workload>) -> Wanted {
    let all = arguments.what.is_empty() && own.is_none();
    let names = [(What::W1, "W1"), (What::W2, "W2"), (What::W3, "W3")];
    let named = names.into_iter().filter(|(what, _)| all || arguments.what.contains(what));
    let accumulation = all || arguments.what.contains(&What::Accumulation);
    Wanted {
        training: named.map(|(_, name)| Workload::of(name)).chain(own).collect(),
        accumulation: if accumulation { vec![Workload::of("W2"), Workload::of("W3")] } else { Vec::new() },
        matmul: all || arguments.what.contains(&What::Matmul),
        rounds: arguments.rounds as usize,
        seconds: arguments.seconds,
        adapter: arguments.common.adapter.clone(),
    }
}
