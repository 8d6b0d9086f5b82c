//! Measures one training with different kernels in interleaved rounds, so that other load on the machine affects all alike.

use serde::Serialize;

use super::Tuned;
use crate::cli::bench::Spread;
use crate::cli::columns::columns;
use crate::cli::progress::three;
use crate::plan::ExecutionMode;
use crate::train::SpeedTrial;
use crate::{Error, Result};

/// Rounds that count.
pub const ROUNDS: usize = 7;

/// A smaller gain over the default counts as noise.
const NOISE: f64 = 1.03;

/// Candidate kernels.
pub struct Candidate<'a> {
    /// Their execution mode.
    pub mode: ExecutionMode,
    /// The trial to be timed.
    pub trial: SpeedTrial<'a>,
}

/// The report of a measurement.
#[derive(Debug, Serialize)]
pub struct TuneReport {
    /// Accrue's version.
    pub version: &'static str,
    /// Name, backend and driver.
    pub adapter: String,
    /// The network.
    pub network: String,
    /// The optimizer.
    pub optimizer: String,
    /// Rows at once.
    pub micro_batch: usize,
    /// Rows of a window.
    pub batch: usize,
    /// Rounds.
    pub rounds: usize,
    /// The speed of each candidate.
    pub kernels: Vec<Measured>,
    /// Kernels left out, and why.
    pub left_out: Vec<NotTimed>,
    /// The choice that is kept.
    pub kept: Tuned,
    /// The file that keeps it.
    pub file: String,
    /// Settings that override the table, and must be removed for it to be used.
    pub unused: Option<String>,
}

/// Kernels that were not measured.
#[derive(Debug, Serialize)]
pub struct NotTimed {
    /// Their execution mode.
    pub mode: ExecutionMode,
    /// The reason.
    pub why: String,
}

/// The speed of some kernels.
#[derive(Debug, Serialize)]
pub struct Measured {
    /// Their execution mode.
    pub mode: ExecutionMode,
    /// Microseconds per sample.
    pub us_per_sample: Spread,
    /// Their time as a share of the default's, round by round.
    pub beside_default: Spread,
}

/// Measures all candidates, and chooses one to keep, in about `seconds`; if windows take too long for that, each candidate is
/// still measured in every round.
pub fn measure(candidates: Vec<Candidate>, default: ExecutionMode, seconds: f64) -> Result<(Vec<Measured>, Tuned)> {
    let slice = seconds / (candidates.len() * (ROUNDS + 1)) as f64;
    let mut counted: Vec<(Candidate, usize, Vec<f64>)> = Vec::new();
    for mut candidate in candidates {
        let windows = windows(&mut candidate.trial, slice)?;
        counted.push((candidate, windows, Vec::new()));
    }
    for _ in 0..ROUNDS {
        for (candidate, windows, us) in &mut counted {
            let rows = *windows * candidate.trial.batch();
            us.push(1e6 * candidate.trial.run(*windows)? / rows as f64);
        }
    }
    let own = counted.iter().find(|(candidate, ..)| candidate.mode == default).map(|(.., us)| us.clone());
    let own = own.ok_or_else(|| Error::Internal("the default kernels can be taken".to_owned()))?;
    let measured = counted.into_iter().map(|(candidate, _, us)| Measured {
        mode: candidate.mode,
        beside_default: Spread::of(us.iter().zip(&own).map(|(us, own)| us / own)),
        us_per_sample: Spread::of(us),
    });
    let measured: Vec<Measured> = measured.collect();
    let kept = fastest(&measured, default);
    Ok((measured, kept))
}

/// The number of windows that take about this many seconds. The first one, in which drivers compile and allocate, does not
/// count.
fn windows(trial: &mut SpeedTrial, seconds: f64) -> Result<usize> {
    trial.run(1)?;
    let mut windows = 1;
    loop {
        let took = trial.run(windows)?;
        if took >= seconds / 2.0 {
            return Ok(((windows as f64 * seconds / took) as usize).max(1));
        }
        windows *= 2;
    }
}

/// The fastest, or the default unless another is faster by more than noise.
fn fastest(measured: &[Measured], default: ExecutionMode) -> Tuned {
    let best = measured.iter().min_by(|a, b| a.beside_default.median.total_cmp(&b.beside_default.median));
    match best.map(|best| (best.mode, 1.0 / best.beside_default.median)) {
        Some((mode, times_as_fast)) if times_as_fast > NOISE => Tuned { mode, default, times_as_fast },
        _ => Tuned { mode: default, default, times_as_fast: 1.0 },
    }
}

/// The report for people.
pub fn lines(report: &TuneReport) -> Vec<String> {
    let mut table = vec![["kernels", "µs a sample", "beside the default"].map(str::to_owned).to_vec()];
    for one in &report.kernels {
        let beside = if one.mode == report.kept.default {
            "the default".to_owned()
        } else {
            format!("× {:.2}", one.beside_default.median)
        };
        table.push(vec![one.mode.to_string(), three(one.us_per_sample.median), beside]);
    }
    let mut lines = vec![
        format!("adapter   {}", report.adapter),
        format!("network   {}, by {}", report.network, report.optimizer),
        format!(
            "measured  batch {} in micro-batches of {}; {} interleaved rounds, medians",
            report.batch, report.micro_batch, report.rounds
        ),
        String::new(),
    ];
    lines.extend(columns(1, &table));
    lines.extend(report.left_out.iter().map(|left| format!("{} left out: {}", left.mode, left.why)));
    lines.push(String::new());
    lines.push(format!("kept      {} ({}) in {}", report.kept.mode, report.kept.describe(), report.file));
    lines.extend(report.unused.iter().map(|unused| format!("unused    {unused}")));
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    fn measured(mode: ExecutionMode, beside: f64) -> Measured {
        Measured { mode, us_per_sample: Spread::of([10.0 * beside]), beside_default: Spread::of([beside]) }
    }

    #[test]
    fn the_fastest_is_kept_unless_it_may_be_noise() {
        let ops = |beside| {
            fastest(&[measured(ExecutionMode::Ops, beside), measured(ExecutionMode::Fused, 1.0)], ExecutionMode::Fused)
        };
        assert_eq!(ops(0.5), Tuned { mode: ExecutionMode::Ops, default: ExecutionMode::Fused, times_as_fast: 2.0 });
        assert_eq!(ops(0.5).describe(), "2.00 times as fast as fused");
        for beside in [0.99, 1.0, 1.2, f64::NAN] {
            assert_eq!(ops(beside).mode, ExecutionMode::Fused, "{beside}");
        }
        assert_eq!(ops(1.2).describe(), "no other is faster");
    }
}
