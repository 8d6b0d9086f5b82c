//! `accrue bench`: how fast this adapter trains.

use std::io::IsTerminal;
use std::time::Duration;

use clap::builder::PossibleValuesParser;
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressDrawTarget};

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::bench::{Network, OWN, Wanted, Widths, Workload, first_update, lines, run};
use crate::cli::exit::Stop;
use crate::cli::progress::print;
use crate::{Error, ops};

/// Measure how fast your GPU trains.
///
/// Trains networks on random numbers and prints samples per second, their cost, and the time to the first update; then the
/// cost of accumulation, and the speed of matrix products. It takes some minutes; the machine should be idle otherwise.
#[derive(Debug, PartialEq, Args)]
pub struct Bench {
    /// What to measure; everything by default.
    #[arg(ignore_case = true)]
    pub what: Vec<What>,
    /// Measure a network of your own with these widths from features to outputs, as in 784-512-256-10.
    #[arg(long, value_name = "WIDTHS")]
    pub shape: Option<Widths>,
    /// The activation between its layers.
    #[arg(long, value_name = "NAME", default_value = "relu", requires = "shape")]
    #[arg(value_parser = PossibleValuesParser::new(ops::activations()))]
    pub activation: String,
    /// Its loss.
    #[arg(long, value_name = "NAME", default_value = "mse", requires = "shape")]
    #[arg(value_parser = PossibleValuesParser::new(ops::losses()))]
    pub loss: String,
    /// Samples of its data.
    #[arg(long, value_name = "N", default_value = "8192", requires = "shape", value_parser = count)]
    pub rows: usize,
    /// Its micro-batch.
    #[arg(long, value_name = "N", default_value = "64", requires = "shape", value_parser = count)]
    pub micro_batch: usize,
    /// Its accumulation steps.
    #[arg(long, value_name = "N", default_value = "8", requires = "shape", value_parser = count)]
    pub steps: usize,
    /// The number of measurements of each; rounds are interleaved.
    #[arg(long, value_name = "N", default_value_t = 5, value_parser = clap::value_parser!(u64).range(1..=1000))]
    pub rounds: u64,
    /// The length of each round.
    #[arg(long, value_name = "S", default_value = "1", value_parser = seconds)]
    pub seconds: f64,
    /// Print one JSON object instead of tables.
    #[arg(long)]
    pub json: bool,
    /// Be the process whose first update is waited for.
    #[arg(long, hide = true)]
    pub first_update: bool,
    /// Arguments of every command that computes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Bench {
    /// Measures what was named, or everything, and prints the result at the end.
    fn run(&self) -> Result<(), Stop> {
        let own = self.shape.as_ref().map(|shape| own(self, shape)).transpose()?;
        if let Some(own) = &own {
            own.check()?;
        }
        let wanted = wanted(self, own)?;
        if let (true, Some(workload)) = (self.first_update, wanted.training.first()) {
            return Ok(first_update(|| open(&self.common), workload.clone(), self.seconds)?);
        }
        let gpu = open(&self.common)?;
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::hidden());
        if !self.common.quiet && std::io::stderr().is_terminal() {
            bar.set_draw_target(ProgressDrawTarget::stderr());
            bar.enable_steady_tick(Duration::from_millis(200));
        }
        let report =
            run(&gpu, &wanted, |round, what| bar.set_message(format!("round {round} of {}: {what}", wanted.rounds)));
        bar.finish_and_clear();
        let report = report?;
        let text = if self.json {
            serde_json::to_string_pretty(&report).map_err(|error| Error::Internal(format!("bench: {error}")))?
        } else {
            lines(&report).join("\n")
        };
        Ok(print(&(text + "\n"))?)
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

/// A user's network. Its learning rate is small, so that none diverges; speed does not depend on it.
fn own(arguments: &Bench, shape: &Widths) -> Result<Workload, Error> {
    Ok(Workload {
        name: OWN.to_owned(),
        network: Network::mlp(shape, &arguments.activation, &arguments.loss)?,
        rows: arguments.rows,
        micro_batch: arguments.micro_batch,
        accumulation_steps: arguments.steps,
        lr: 1e-4,
    })
}

fn wanted(arguments: &Bench, own: Option<Workload>) -> Result<Wanted, Error> {
    let all = arguments.what.is_empty() && own.is_none();
    let names = [
        (What::W1, "W1"),
        (What::W2, "W2"),
        (What::W3, "W3"),
        (What::W7, "W7"),
        (What::W8, "W8"),
        (What::W9, "W9"),
        (What::W10, "W10"),
    ];
    let named = names.into_iter().filter(|(what, _)| all || arguments.what.contains(what));
    let accumulation = all || arguments.what.contains(&What::Accumulation);
    let accumulated: &[&str] = if accumulation { &["W2", "W3"] } else { &[] };
    Ok(Wanted {
        training: named.map(|(_, name)| Workload::of(name)).chain(own.map(Ok)).collect::<Result<_, _>>()?,
        accumulation: accumulated.iter().map(|name| Workload::of(name)).collect::<Result<_, _>>()?,
        matmul: all || arguments.what.contains(&What::Matmul),
        rounds: arguments.rounds as usize,
        seconds: arguments.seconds,
        adapter: arguments.common.adapter.clone(),
    })
}

/// What `accrue bench` can measure.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum What {
    /// 8-16-1, mse; 1200 rows, micro-batch 40 × 3
    #[value(name = "W1")]
    W1,
    /// 8-128-128-1, mse; 20000 rows, micro-batch 256 × 4
    #[value(name = "W2")]
    W2,
    /// 784-512-256-10, cross-entropy; 8192 rows, micro-batch 64 × 8
    #[value(name = "W3")]
    W3,
    /// Small CNN for 28×28×1, conv 16, 32; 1024 rows, micro-batch 64 × 4
    #[value(name = "W7")]
    W7,
    /// ResNet-8 for 32×32×3, blocks 16, 32, 64; 512 rows, micro-batch 32 × 4
    #[value(name = "W8")]
    W8,
    /// Character GPT, 4 layers of 128, 64 tokens of 65; 192 rows, micro-batch 12 × 4
    #[value(name = "W9")]
    W9,
    /// Longer GPT, 2 layers of 128, 512 tokens of 65; 64 rows, micro-batch 4 × 8
    #[value(name = "W10")]
    W10,
    /// The micro-batches of W2 and W3 with 1, 4, 16 and 64 accumulation steps
    Accumulation,
    /// The three products of a linear layer of 512 × 512 × 512
    Matmul,
}

fn count(text: &str) -> Result<usize, String> {
    let count = text.parse().ok().filter(|count| (1..=1 << 24).contains(count));
    count.ok_or_else(|| "give a number from 1 to 16777216".to_owned())
}

/// A time to wait.
pub(super) fn seconds(text: &str) -> Result<f64, String> {
    let seconds = text.parse().ok().filter(|&seconds| seconds > 0.0 && seconds <= 3600.0);
    seconds.ok_or_else(|| "give a number above 0, up to 3600".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_bench_measures_everything_unless_something_is_named() {
        let bench: Bench = parse("accrue bench").unwrap();
        assert!(bench.what.is_empty() && bench.shape.is_none() && !bench.json);
        assert_eq!((bench.rounds, bench.seconds), (5, 1.0));
        let bench: Bench = parse("accrue bench w2 matmul --rounds 3").unwrap();
        assert_eq!((bench.what, bench.rounds), (vec![What::W2, What::Matmul], 3));
        for line in
            ["W4", "--rows 8", "--shape 4", "--rounds 0", "--seconds 0", "--seconds inf", "--loss msa --shape 4-1"]
        {
            assert_eq!(parse::<Bench>(&format!("accrue bench {line}")).unwrap_err().exit_code(), 2, "{line}");
        }
    }
}
