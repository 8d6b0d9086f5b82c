//! Whether the bits agree: the first updates of a training under several partitions of the same windows, and the first place
//! where two of them differ.

mod trace;
mod trial;

pub use trace::{Bits, Difference, Snapshot, Trace};
pub use trial::{Cut, Trial, Way, trials};

use super::fit::FitConfig;
use super::settings::Update;
use super::trainer::Trainer;
use super::window_state::WindowSettings;
use crate::plan::BufferRole;
use crate::window::{Order, Window, Windows};
use crate::{Error, Result};

/// Bytes of states that a trace keeps; beyond that it keeps only the last state.
const KEPT: u64 = 512 << 20;

/// The outcome of one trial.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The trial.
    pub trial: Trial,
    /// Its micro-batches.
    pub micro_batches: u64,
    /// Its verdict.
    pub result: Agreement,
}

/// How the bits of one trial compare with those of the first.
#[derive(Clone, Debug, PartialEq)]
pub enum Agreement {
    /// No bit differs.
    Equal,
    /// The first difference.
    Differs(Difference),
    /// It needs more memory than there is, and was left out.
    Skipped(String),
}

/// Runs the first `updates` updates of a training under each of `trials`, one after the other, and compares the result of each
/// with that of the first. `make` makes a trainer for micro-batches of this many rows, with open blocks or without, always with
/// the same start. `told` gets every verdict as soon as it is known.
///
/// # Errors
/// [`Error::Diverged`] if the loss or gradient of one of the first trial's windows is not finite: then there is nothing more
/// to compare. The errors of `make` and of training, except that a trial after the first that does not fit the memory is left
/// out.
pub fn verify(
    mut make: impl FnMut(usize, bool) -> Result<Trainer>,
    fit: &FitConfig,
    updates: u64,
    trials: &[Trial],
    mut told: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>> {
    let mut reference: Option<Trace> = None;
    let mut verdicts = Vec::with_capacity(trials.len());
    for trial in trials {
        let open = fit.batch.sizes().any(|batch| trial.needs_open_blocks(batch as usize));
        let trace = make(trial.cut.most(), open).and_then(|mut trainer| run(&mut trainer, fit, updates, trial));
        let (micro_batches, result) = match (trace, &reference) {
            (Err(Error::Memory(message)), Some(_)) => (0, Agreement::Skipped(message)),
            (Err(error), _) => return Err(error),
            (Ok(trace), Some(reference)) => {
                (trace.micro_batches, reference.difference(&trace).map_or(Agreement::Equal, Agreement::Differs))
            }
            (Ok(trace), None) => {
                trace.updates.iter().try_for_each(Update::check)?;
                let micro_batches = trace.micro_batches;
                reference = Some(trace);
                (micro_batches, Agreement::Equal)
            }
        };
        let verdict = Verdict { trial: trial.clone(), micro_batches, result };
        told(&verdict);
        verdicts.push(verdict);
    }
    Ok(verdicts)
}

/// The first `updates` updates of a training, cut as in one trial. Without validation, which changes nothing.
pub fn run(trainer: &mut Trainer, fit: &FitConfig, updates: u64, trial: &Trial) -> Result<Trace> {
    let samples = trainer.format().check(&fit.train)?;
    let mut order = trainer.format().order(&fit.train, samples, fit.shuffle);
    let windows = Windows::new(order.samples(), fit.epochs, fit.batch.clone(), fit.tail)?;
    let updates = updates.min(windows.updates());
    let state = trainer.plan().buffers.iter();
    let state = state.filter(|buffer| matches!(buffer.role, BufferRole::Parameters | BufferRole::Optimizer));
    let all = state.map(|buffer| buffer.bytes).sum::<u64>().saturating_mul(updates) <= KEPT;
    let mut trace = Trace { updates: Vec::new(), states: Vec::new(), micro_batches: 0 };
    // Data that training would stream is streamed here too.
    let resident = trial.way != Way::Host && trainer.keep(&fit.train)?;
    for window in windows.take(updates as usize) {
        trace.micro_batches += one_window(trainer, fit, trial, &window, resident, &mut order)?;
        trace.updates.extend(trainer.finish()?);
        if all || window.update == updates {
            let (parameters, moments) = (trainer.parameters()?, trainer.optimizer_state()?);
            trace.states.push(Snapshot { update: window.update, parameters, moments });
        }
    }
    Ok(trace)
}

/// Micro-batches of one submission: few enough for any watchdog.
const AT_ONCE: usize = 8;

fn one_window(
    trainer: &mut Trainer,
    fit: &FitConfig,
    trial: &Trial,
    window: &Window,
    resident: bool,
    order: &mut Order,
) -> Result<u64> {
    let rows = window.rows as usize;
    let pieces = trial.cut.pieces(rows, window.update);
    let settings = WindowSettings { lr_factor: fit.lr_scaling.factor(window.batch), ..WindowSettings::default() };
    let mut samples = Vec::new();
    for piece in &pieces {
        samples.clear();
        order.extend(window.start + piece.start as u64..window.start + piece.end as u64, &mut samples);
        let last = trial.way == Way::Attached && piece.end == rows;
        if !resident {
            trainer.step_from_host(&fit.train, samples.iter().map(|&sample| sample as usize), last, settings)?;
            continue;
        }
        if !trainer.has_room(samples.len()) || trainer.scheduled() >= AT_ONCE {
            trainer.submit()?;
        }
        trainer.schedule_with(&samples, last, settings)?;
    }
    trainer.schedule_update_with(settings)?;
    trainer.submit()?;
    Ok(pieces.len() as u64)
}
