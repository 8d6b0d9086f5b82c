//! `accrue lr-find`: the learning-rate range test.

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::Ordering;

use clap::Args;
use serde_json::json;

use super::{Command, open};
use crate::cli::args::Common;
use crate::cli::curve::{digits, drawn, plain};
use crate::cli::exit::Stop;
use crate::cli::progress::{Progress, complain, json_line, number, print};
use crate::cli::summary::{chain, cut, refused_kernels};
use crate::cli::tune::look_up;
use crate::gpu::{Gpu, adapter};
use crate::plan::Chosen;
use crate::recipe::{Config, Curve, Ending, LrRange, Proposed, Session};
use crate::train::{Event, Update};
use crate::{Error, Result};

/// Find a learning rate: let it grow, and see where the loss falls and where it rises.
///
/// This is the range test of Smith (2015). The rate of the steepest fall is proposed: there every update helps most, and it lies
/// well below the rates at which the loss rises. A tenth of the rate of the least loss is told beside it, a second opinion. Both
/// are of a short training from the first weights. The configured rate and its schedule are of no account; no model is kept.
#[derive(Debug, PartialEq, Args)]
pub struct LrFind {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// The learning rate of the first update.
    #[arg(long, value_name = "LR", default_value = "1e-6")]
    pub from: f64,
    /// The learning rate of the last update.
    #[arg(long, value_name = "LR", default_value = "10")]
    pub to: f64,
    /// The number of updates; more are slower and less noisy. The test ends earlier at four times the least loss.
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub updates: u32,
    /// Set one key of the configuration to VALUE, as in `--set train.batch=64`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Print one JSON object with every update instead of a curve.
    #[arg(long)]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for LrFind {
    /// Makes the test, and prints the proposal also with `--quiet`.
    fn run(&self) -> Result<(), Stop> {
        let range = LrRange { from: self.from, to: self.to, updates: self.updates };
        let mut session = range.session(Config::load(&self.config, &self.sets)?)?;
        session.check_length()?;
        let gpu = open(&self.common)?;
        let mut chosen = session.settled(&gpu)?;
        look_up(&mut session, &gpu, &mut chosen)?;
        let (mut trainer, chosen) = session.trainer(&gpu, chosen)?;
        let quiet = self.common.quiet || self.json;
        let mut progress = Progress::new(u64::from(self.updates), 1, session.config.train.best, quiet);
        let pressed = progress.interrupts()?;
        for line in self.opening(&session, &gpu, &chosen) {
            progress.say(&line);
        }
        if let Some(line) = refused_kernels(&session, trainer.plan(), &chosen) {
            complain(&format!("warning: {line}"));
        }
        let curve = range.run(&session, &mut trainer, |event| {
            if let Event::Update { update, epoch } = event {
                let update = Update { left_out: None, ..*update };
                progress.event(&Event::Update { update, epoch: *epoch });
            }
            if pressed.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        progress.finish();
        if curve.ending == Some(Ending::Stopped) {
            let after = format!("after update {} of {}; nothing is saved", made(&curve), self.updates);
            return Err(Stop::Interrupted(after));
        }
        self.tell(&curve)
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl LrFind {
    fn opening(&self, session: &Session, gpu: &Gpu, chosen: &Chosen) -> Vec<String> {
        let model = &session.prepared.saved.model;
        let notes = session.prepared.remarks.iter().map(|remark| format!("note      {remark}"));
        let rest = [
            format!("model     {}; {}", chain(model), model.loss),
            format!("window    {}", cut(session, chosen)),
            format!("range     lr {} to {} in {} updates", plain(self.from), plain(self.to), self.updates),
            format!("adapter   {}", adapter::describe(gpu.info())),
            String::new(),
        ];
        notes.chain(rest).collect()
    }

    /// Prints the curve and the proposal.
    fn tell(&self, curve: &Curve) -> Result<(), Stop> {
        let proposed = curve.proposed();
        if self.json {
            print(&json_line(&self.page(curve, proposed)))?;
        } else if !self.common.quiet {
            let marks = proposed.map(|proposed| [('S', proposed.steepest), ('M', proposed.minimum)]);
            print(&(drawn(&curve.points, marks.as_ref().map_or(&[], |marks| &marks[..])).join("\n") + "\n"))?;
            print(&(self.verdict(curve, proposed).join("\n") + "\n"))?;
        }
        let Some(proposed) = proposed else {
            let message = format!(
                "the loss does not fall between {} and {} (ended after {} updates), so no rate is proposed; give another range, \
                 more --updates or a larger train.batch",
                plain(self.from),
                plain(self.to),
                made(curve)
            );
            return Err(Error::config("--from", message).into());
        };
        if !self.json {
            let label = if self.common.quiet { "" } else { "proposed  " };
            print(&format!("{label}--set optimizer.lr={}\n", digits(proposed.steepest)))?;
        }
        Ok(())
    }

    fn verdict(&self, curve: &Curve, proposed: Option<Proposed>) -> Vec<String> {
        let mut lines = vec![String::new()];
        let (made, all) = (made(curve), self.updates);
        match curve.ending {
            Some(Ending::Risen) => {
                lines.push(format!("ended     after {made} of {all} updates: the loss was four times its least"));
            }
            Some(Ending::NotFinite) => {
                lines.push(format!("ended     after {made} of {all} updates: the loss was not finite any more"));
            }
            Some(Ending::Stopped) | None => {}
        }
        if let (Some(proposed), Some(least)) = (proposed, curve.minimum()) {
            let (steepest, minimum) = (digits(proposed.steepest), digits(proposed.minimum));
            lines.push(format!("steepest  lr {steepest} (S): there the loss falls fastest, so it is proposed"));
            let loss = number(curve.points[least].smoothed);
            let tenth = digits(proposed.tenth());
            lines.push(format!("least     lr {minimum} (M): loss {loss}; a tenth of this rate is {tenth}"));
            if least + 1 == curve.points.len() && curve.ending.is_none() {
                lines.push(format!(
                    "note      the loss still falls at {}; a larger --to shows where it rises",
                    plain(self.to)
                ));
            }
        }
        lines
    }

    fn page(&self, curve: &Curve, proposed: Option<Proposed>) -> serde_json::Value {
        json!({
            "from": self.from,
            "to": self.to,
            "updates": self.updates,
            "ended": curve.ending,
            "proposed": proposed.map(|proposed| proposed.steepest),
            "steepest": proposed.map(|proposed| proposed.steepest),
            "minimum": proposed.map(|proposed| proposed.minimum),
            "tenth_of_minimum": proposed.map(|proposed| proposed.tenth()),
            "set": proposed.map(|proposed| format!("optimizer.lr={}", digits(proposed.steepest))),
            "points": curve.points,
        })
    }
}

/// The last update of a curve.
fn made(curve: &Curve) -> u64 {
    curve.points.last().map_or(0, |point| point.update)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn the_range_is_that_of_the_library_without_flags() {
        let LrFind { from, to, updates, .. } = parse("accrue lr-find c.toml").unwrap();
        assert_eq!(LrRange { from, to, updates }, LrRange::default());
        assert_eq!(parse::<LrFind>("accrue lr-find c.toml --to 1e-1 --updates 300").unwrap().to, 0.1);
    }
}
