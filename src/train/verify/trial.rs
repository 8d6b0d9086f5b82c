//! Ways to cut windows into micro-batches and to bring these to the device.

use std::fmt;
use std::ops::Range;

use crate::plan::{BLOCK, needs_open_blocks};

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
    /// Micro-batches of this many rows; a window's last may be shorter.
    Even(usize),
    /// Micro-batches of these sizes, over and over.
    Cycle(Vec<usize>),
    /// Micro-batches of 1 to this many rows, by seed.
    Random(usize, u64),
}

/// How rows come to the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// By number from the data on the GPU, with a window's last micro-batch announced, as
    /// [`Trainer::fit`](crate::train::Trainer::fit) does it.
    Attached,
    /// By number from the data on the GPU; nothing announces a window's end before its update.
    Unannounced,
    /// From the host's memory, by [`Trainer::micro_step`](crate::train::Trainer::micro_step).
    Host,
}

impl Cut {
    /// The same with micro-batches of whole groups of rows, as far as windows of `batch` rows have them.
    fn in_groups(self, group: usize, batch: usize) -> Cut {
        let whole = |rows: usize| rows.next_multiple_of(group).min(batch.next_multiple_of(group));
        match self {
            Cut::Random(most, seed) if group > 1 => {
                let drawn = (0..7).map(|at| whole(1 + (mix(seed ^ mix(at)) % most.max(1) as u64) as usize));
                Cut::Cycle(drawn.collect())
            }
            Cut::Even(rows) => Cut::Even(whole(rows).min(batch.max(rows))),
            Cut::Cycle(sizes) => Cut::Cycle(sizes.into_iter().map(whole).collect()),
            random @ Cut::Random(..) => random,
        }
    }

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
    /// Whether a micro-batch of windows of `batch` rows ends inside a block of rows before its window's end is announced:
    /// then an open block is kept.
    pub fn needs_open_blocks(&self, batch: usize) -> bool {
        match self.cut {
            Cut::Even(rows) if self.way == Way::Attached => needs_open_blocks(batch, rows),
            _ => true,
        }
    }
}

impl Way {
    /// The way, in words.
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

/// Most micro-batches of a trial: more would be a long wait on a slow adapter.
const PATIENCE: u64 = 4096;

/// The trials for windows of `batch` rows, first the configured micro-batch, with which the others are compared.
///
/// All ways, one row at a time (or as few rows as `updates` windows allow in a short time), the whole batch, a power of
/// two, sizes that do not divide the batch, and uneven cuts, some by `seed`; all of whole groups of `group` rows.
pub fn trials(batch: usize, micro_batch: usize, updates: u64, seed: u64, group: usize) -> Vec<Trial> {
    let batch = batch.max(1);
    let fewest = (batch as u64 * updates).div_ceil(PATIENCE).max(1) as usize;
    // None is smaller than the smallest affordable size, and none larger than the batch.
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
        let trial = Trial { cut: cut.in_groups(group, batch), way };
        if !trials.contains(&trial) {
            trials.push(trial);
        }
    }
    trials
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_cut_takes_each_row_once_and_none_takes_too_many() {
        for (batch, micro_batch, updates) in
            [(1, 1, 8), (2, 1, 1), (120, 40, 8), (64, 64, 8), (33, 7, 3), (100_000, 1000, 8)]
        {
            for trial in trials(batch, micro_batch, updates, 3, 1) {
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
            let trials = trials(batch, batch.div_ceil(3), 8, 0, 1);
            assert!(trials.len() >= 5, "{batch}: {trials:?}");
            let odd = |t: &Trial| matches!(t.cut, Cut::Even(rows) if !batch.is_multiple_of(rows));
            assert!(trials.iter().any(odd), "{batch}: {trials:?}");
        }
        for batch in [512, 5_000, 100_000, 1 << 24] {
            for trial in trials(batch, batch, 8, 0, 1) {
                let micro_batches: usize = (1..=8).map(|update| trial.cut.pieces(batch, update).len()).sum();
                assert!(micro_batches as u64 <= 2 * PATIENCE, "{batch}: {trial} takes {micro_batches}");
            }
        }
    }
}
