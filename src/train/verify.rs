//! Whether the bits agree: the first updates of a training under several partitions of the same windows, and the place at
//! which two of them first part.

use std::fmt;
use std::ops::Range;

use super::fit::Fit;
use super::settings::Update;
use super::trainer::Trainer;
use crate::nn::Arrays;
use crate::ops::{Place, Span};
use crate::plan::{BLOCK, Role, opens_blocks};
use crate::window::{Order, Window, Windows};
use crate::{Error, Result};

/// One way to cut windows into micro-batches and to bring these to the device.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Trial {
    /// Where the cuts are.
    pub cut: Cut,
    /// How the rows come to the device.
    pub way: Way,
}

/// Where windows are cut.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cut {
    /// Micro-batches of so many rows; a window's last may be shorter.
    Even(usize),
    /// Micro-batches of these sizes, over and over.
    Cycle(Vec<usize>),
    /// Micro-batches of 1 to so many rows, by seed.
    Random(usize, u64),
}

/// How rows come to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By number out of the data on the GPU, where a window's last micro-batch is known to be the last: as
    /// [`Trainer::fit`] does it.
    Attached,
    /// By number out of the data on the GPU, where nothing says that a window ends before its update.
    Unannounced,
    /// Out of the host's memory, by [`Trainer::micro_step`].
    Host,
}

impl Cut {
    /// Rows of the largest micro-batch.
    pub fn most(&self) -> usize {
        match self {
            Cut::Even(rows) | Cut::Random(rows, _) => *rows,
            Cut::Cycle(sizes) => sizes.iter().copied().max().unwrap_or(0),
        }
    }

    /// The micro-batches of a window of `rows` rows that ends with update `update`.
    pub fn pieces(&self, rows: usize, update: u64) -> Vec<Range<usize>> {
        let mut pieces = Vec::new();
        let mut at = 0;
        while at < rows {
            let size = match self {
                Cut::Even(size) => *size,
                Cut::Cycle(sizes) => sizes.get(pieces.len() % sizes.len().max(1)).copied().unwrap_or(1),
                Cut::Random(most, seed) => {
                    let word = mix(seed ^ mix(update) ^ mix(!(pieces.len() as u64)));
                    1 + (word % (*most).max(1) as u64) as usize
                }
            };
            let stop = rows.min(at + size.max(1));
            pieces.push(at..stop);
            at = stop;
        }
        pieces
    }
}

/// The finaliser of `SplitMix64`: cuts need no better randomness.
fn mix(word: u64) -> u64 {
    let z = word.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    let z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

impl fmt::Display for Cut {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Cut::Even(1) => write!(f, "1 row at a time"),
            Cut::Even(rows) => write!(f, "micro-batch {rows}"),
            Cut::Cycle(sizes) => {
                let sizes: Vec<String> = sizes.iter().map(ToString::to_string).collect();
                write!(f, "micro-batches of {}, …", sizes.join(" + "))
            }
            Cut::Random(most, _) => write!(f, "micro-batches of 1 to {most}, cut at random"),
        }
    }
}

impl Trial {
    /// Whether a micro-batch of windows of `batch` rows ends inside a block of rows before anyone knows that it ends its
    /// window: then an open block is kept.
    pub fn opens_blocks(&self, batch: usize) -> bool {
        match self.cut {
            Cut::Even(rows) if self.way == Way::Attached => opens_blocks(batch, rows),
            _ => true,
        }
    }
}

impl Way {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Way::Attached => "from the data on the GPU",
            Way::Unannounced => "from the data on the GPU, ends not announced",
            Way::Host => "from the host's memory",
        }
    }
}

impl fmt::Display for Trial {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", self.cut, self.way.words())
    }
}

/// Micro-batches that a trial may take: more would be a long wait on a slow adapter.
const PATIENCE: u64 = 4096;

/// What is worth trying for windows of `batch` rows, first the configured micro-batch, with which the others are compared.
///
/// All ways, one row at a time (or as few rows as `updates` windows allow in a short time), the whole batch, a power of
/// two, sizes that do not divide the batch, and uneven cuts, some by `seed`.
pub fn trials(batch: usize, micro_batch: usize, updates: u64, seed: u64) -> Vec<Trial> {
    let batch = batch.max(1);
    let fewest = (batch as u64 * updates).div_ceil(PATIENCE).max(1) as usize;
    // None is smaller than the smallest that is affordable, and none larger than the batch.
    let some = |rows: usize| rows.clamp(fewest.min(batch), batch);
    let odd = |from: usize| (from..batch).find(|&rows| !batch.is_multiple_of(rows)).unwrap_or(from);
    let power = 1 << (batch / 2).max(1).ilog2().min(BLOCK.ilog2().max(fewest.ilog2() + 1));
    let cycle = [5, 17, 42].map(|size| some(size * fewest)).to_vec();
    let all = [
        (Cut::Even(some(micro_batch)), Way::Attached),
        (Cut::Even(some(micro_batch)), Way::Host),
        (Cut::Even(batch), Way::Attached),
        (Cut::Even(some(1)), Way::Attached),
        (Cut::Even(some(power)), Way::Attached),
        (Cut::Even(some(odd(batch / 3 + 2))), Way::Attached),
        (Cut::Even(some(odd(7))), Way::Unannounced),
        (Cut::Cycle(cycle), Way::Host),
        (Cut::Random(some((batch / 2).min(97 * fewest)), seed), Way::Attached),
    ];
    let mut trials: Vec<Trial> = Vec::new();
    for (cut, way) in all {
        let trial = Trial { cut, way };
        if !trials.contains(&trial) {
            trials.push(trial);
        }
    }
    trials
}

/// What the first updates of a training left behind, to the bit.
#[derive(Clone, Debug)]
pub struct Trace {
    /// The updates, with their losses.
    pub updates: Vec<Update>,
    /// Parameters and optimizer state after updates: all of them, or the last where all would take too much memory.
    pub states: Vec<State>,
    /// Micro-batches that there were.
    pub micro_batches: u64,
}

/// Parameters and optimizer state after an update.
#[derive(Clone, Debug)]
pub struct State {
    /// The update, counted from 1.
    pub update: u64,
    /// The parameters, by name.
    pub parameters: Arrays,
    /// What the optimizer remembers, by the parameters' names.
    pub moments: Vec<Arrays>,
}

/// Bytes of states that a trace keeps; of more only the last is kept.
const KEPT: u64 = 512 << 20;

/// Where two traces first part.
#[derive(Clone, Debug, PartialEq)]
pub struct Difference {
    /// The update, counted from 1.
    pub update: u64,
    /// What differs after it: `loss`, `weight`, a parameter such as `0.weight`, or `moment 1 of 0.weight`.
    pub array: String,
    /// Where in the array; empty for a number that stands alone.
    pub index: Vec<usize>,
    /// What the first trace has there.
    pub wanted: Bits,
    /// What the other trace has there.
    pub found: Bits,
}

/// A number and what it is made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Bits {
    /// Of an `f32`.
    F32(u32),
    /// Of an `f64`.
    F64(u64),
    /// A number of samples, or 1 for yes and 0 for no.
    Count(u64),
}

impl fmt::Display for Bits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Bits::F32(bits) => write!(f, "{:e} (0x{bits:08x})", f32::from_bits(*bits)),
            Bits::F64(bits) => write!(f, "{:e} (0x{bits:016x})", f64::from_bits(*bits)),
            Bits::Count(count) => write!(f, "{count}"),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "update {}: {}", self.update, self.array)?;
        if !self.index.is_empty() {
            write!(f, "{:?}", self.index)?;
        }
        write!(f, " is {}, not {}", self.found, self.wanted)
    }
}

impl Trace {
    /// The first place at which another trace differs, in the order of the updates; within one the loss comes first, then
    /// the parameters, then the optimizer's state.
    pub fn difference(&self, other: &Trace) -> Option<Difference> {
        for (at, ours) in self.updates.iter().enumerate() {
            let numbers = |u: &Update| {
                [
                    ("samples", Bits::Count(u64::from(u.samples))),
                    ("weight", Bits::F64(u.weight.to_bits())),
                    ("loss", Bits::F64(u.loss.to_bits())),
                    ("lr", Bits::F64(u.lr.to_bits())),
                    ("made", Bits::Count(u64::from(u.made))),
                ]
            };
            let update = ours.update;
            let Some(theirs) = other.updates.get(at) else {
                let (wanted, found) = (Bits::Count(1), Bits::Count(0));
                return Some(Difference { update, array: "made".to_owned(), index: Vec::new(), wanted, found });
            };
            for ((array, wanted), (_, found)) in numbers(ours).into_iter().zip(numbers(theirs)) {
                if wanted != found {
                    return Some(Difference { update, array: array.to_owned(), index: Vec::new(), wanted, found });
                }
            }
            let state = |trace: &'_ Trace| trace.states.iter().position(|state| state.update == update);
            if let (Some(a), Some(b)) = (state(self), state(other))
                && let Some(difference) = self.states[a].difference(&other.states[b])
            {
                return Some(difference);
            }
        }
        None
    }
}

impl State {
    fn difference(&self, other: &State) -> Option<Difference> {
        let parts = || std::iter::once((String::new(), &self.parameters, &other.parameters));
        let moments = self.moments.iter().zip(&other.moments).enumerate();
        let moments = moments.map(|(at, (ours, theirs))| (format!("moment {} of ", at + 1), ours, theirs));
        for (prefix, ours, theirs) in parts().chain(moments) {
            for ((name, a), (_, b)) in ours.iter().zip(theirs) {
                let apart = a.values.iter().zip(&b.values).position(|(a, b)| a.to_bits() != b.to_bits());
                let Some(at) = apart else { continue };
                return Some(Difference {
                    update: self.update,
                    array: format!("{prefix}{name}"),
                    index: place(at, &a.shape),
                    wanted: Bits::F32(a.values[at].to_bits()),
                    found: Bits::F32(b.values[at].to_bits()),
                });
            }
        }
        None
    }
}

/// The index of the `at`-th element of an array, row-major.
fn place(mut at: usize, shape: &[usize]) -> Vec<usize> {
    let mut index = vec![0; shape.len()];
    for (axis, &size) in shape.iter().enumerate().rev() {
        index[axis] = at % size.max(1);
        at /= size.max(1);
    }
    index
}

/// How one trial went.
#[derive(Clone, Debug)]
pub struct Verdict {
    /// The trial.
    pub trial: Trial,
    /// Its micro-batches.
    pub micro_batches: u64,
    /// What came out.
    pub result: Agreement,
}

/// How the bits of one trial compare with those of the first.
#[derive(Clone, Debug, PartialEq)]
pub enum Agreement {
    /// Not one differs.
    Equal,
    /// They part here.
    Differs(Difference),
    /// It needs more memory than there is, and was left out.
    Skipped(String),
}

/// Runs the first `updates` updates of a training under each of `trials`, one after the other, and compares what they leave
/// with what the first one left. `make` makes a trainer for micro-batches of so many rows, with open blocks or without, and
/// always with the same start. Every verdict goes to `told` as soon as it is known.
///
/// # Errors
/// [`Error::Diverged`] when the loss of one of the first trial's windows is not finite: what becomes of the bits after that
/// is nobody's promise. Else what `make` and training give, save that a trial but the first which does not fit the memory
/// is left out.
pub fn verify(
    mut make: impl FnMut(usize, bool) -> Result<Trainer>,
    fit: &Fit,
    updates: u64,
    trials: &[Trial],
    mut told: impl FnMut(&Verdict),
) -> Result<Vec<Verdict>> {
    let mut reference: Option<Trace> = None;
    let mut verdicts = Vec::with_capacity(trials.len());
    for trial in trials {
        let open = fit.batch.sizes().any(|batch| trial.opens_blocks(batch as usize));
        let trace = make(trial.cut.most(), open).and_then(|mut trainer| run(&mut trainer, fit, updates, trial));
        let (micro_batches, result) = match (trace, &reference) {
            (Err(Error::Memory(message)), Some(_)) => (0, Agreement::Skipped(message)),
            (Err(error), _) => return Err(error),
            (Ok(trace), Some(reference)) => {
                (trace.micro_batches, reference.difference(&trace).map_or(Agreement::Equal, Agreement::Differs))
            }
            (Ok(trace), None) => {
                if let Some(broken) = trace.updates.iter().find(|update| !update.made && update.weight != 0.0) {
                    return Err(Error::Diverged { update: broken.update });
                }
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

/// The first `updates` updates of a training as one trial has it. Validation is left out: it changes nothing.
pub fn run(trainer: &mut Trainer, fit: &Fit, updates: u64, trial: &Trial) -> Result<Trace> {
    let samples = trainer.format.rows(&fit.train)?;
    let windows = Windows::new(samples, fit.epochs, fit.batch.clone(), fit.tail)?;
    let updates = updates.min(windows.updates());
    let state = trainer.plan().buffers.iter();
    let state = state.filter(|buffer| matches!(buffer.role, Role::Parameters | Role::Optimizer));
    let all = state.map(|buffer| buffer.bytes).sum::<u64>().saturating_mul(updates) <= KEPT;
    let mut order = Order::new(samples as u32, fit.shuffle);
    let mut trace = Trace { updates: Vec::new(), states: Vec::new(), micro_batches: 0 };
    if trial.way != Way::Host {
        trainer.attach(&fit.train)?;
    }
    for window in windows.take(updates as usize) {
        trace.micro_batches += one_window(trainer, fit, trial, &window, &mut order)?;
        trace.updates.extend(trainer.finish()?);
        if all || window.update == updates {
            let (parameters, moments) = (trainer.parameters()?, trainer.moments()?);
            trace.states.push(State { update: window.update, parameters, moments });
        }
    }
    Ok(trace)
}

/// Micro-batches of one submission: few enough for any watchdog.
const AT_ONCE: usize = 8;

fn one_window(trainer: &mut Trainer, fit: &Fit, trial: &Trial, window: &Window, order: &mut Order) -> Result<u64> {
    let rows = window.rows as usize;
    let pieces = trial.cut.pieces(rows, window.update);
    let mut samples = Vec::new();
    for piece in &pieces {
        samples.clear();
        order.extend(window.start + piece.start as u64..window.start + piece.end as u64, &mut samples);
        if trial.way == Way::Host {
            trainer.step_from_host(&fit.train, samples.iter().map(|&sample| sample as usize), false)?;
            continue;
        }
        if !trainer.has_room(samples.len()) || trainer.pending.len() >= AT_ONCE {
            trainer.submit()?;
        }
        trainer.schedule(&samples, trial.way == Way::Attached && piece.end == rows)?;
    }
    trainer.lr_factor = fit.lr_scaling.factor(window.batch);
    trainer.update()?;
    Ok(pieces.len() as u64)
}

impl Trainer {
    /// Waits for everything that was asked for, and returns what the optimizer remembers: its moments one after the other,
    /// each under the parameters' names.
    pub fn moments(&mut self) -> Result<Vec<Arrays>> {
        self.submit()?;
        if !self.plan().buffers.iter().any(|buffer| buffer.role == Role::Optimizer) {
            return Ok(Vec::new());
        }
        let floats = self.plan().layout.floats();
        let all = Span { start: 0, len: (floats / 4) as u32 };
        let (buffer, bytes) = self.program.at(Place::Moments(all))?;
        let flat = self.gpu().read_f32(buffer, ((bytes.end - bytes.start) / 4) as usize)?;
        Ok(flat.chunks_exact(floats).map(|moment| self.plan().layout.unpack(moment)).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_takes_each_row_once_and_none_takes_too_many() {
        for (batch, micro_batch, updates) in
            [(1, 1, 8), (2, 1, 1), (120, 40, 8), (64, 64, 8), (33, 7, 3), (100_000, 1000, 8)]
        {
            for trial in trials(batch, micro_batch, updates, 3) {
                for rows in [batch, batch.div_ceil(2), 1] {
                    let pieces = trial.cut.pieces(rows, 2);
                    let mut at = 0;
                    for piece in pieces {
                        assert!(piece.start == at && piece.len() <= trial.cut.most() && !piece.is_empty(), "{trial}");
                        at = piece.end;
                    }
                    assert_eq!(at, rows, "{trial}");
                }
                assert!(trial.cut.most() <= batch, "{trial}");
            }
        }
    }

    #[test]
    fn there_are_many_trials_and_all_are_affordable() {
        for batch in 4..300 {
            let trials = trials(batch, batch.div_ceil(3), 8, 0);
            assert!(trials.len() >= 5, "{batch}: {trials:?}");
            let odd = |t: &Trial| matches!(t.cut, Cut::Even(rows) if !batch.is_multiple_of(rows));
            assert!(trials.iter().any(odd), "{batch}: {trials:?}");
        }
        for batch in [512, 5_000, 100_000, 1 << 24] {
            for trial in trials(batch, batch, 8, 0) {
                let micro_batches: usize = (1..=8).map(|update| trial.cut.pieces(batch, update).len()).sum();
                assert!(micro_batches as u64 <= 2 * PATIENCE, "{batch}: {trial} takes {micro_batches}");
            }
        }
    }

    #[test]
    fn a_difference_names_the_array_and_the_index() {
        let array = |values: &[f32]| crate::plan::Array { shape: vec![2, 3], values: values.to_vec() };
        let state = |values: &[f32]| {
            let arrays = Arrays::from([("0.weight".to_owned(), array(values))]);
            State { update: 3, parameters: Arrays::new(), moments: vec![Arrays::new(), arrays] }
        };
        let (ours, theirs) = (state(&[1.0; 6]), state(&[1.0, 1.0, 1.0, 1.0, 1.0, -0.0]));
        assert_eq!(ours.difference(&ours), None);
        assert_eq!(
            ours.difference(&theirs).unwrap().to_string(),
            "update 3: moment 2 of 0.weight[1, 2] is -0e0 (0x80000000), not 1e0 (0x3f800000)"
        );
    }
}
