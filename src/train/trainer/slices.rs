//! How much work goes at once: slices of micro-batches of which no dispatch takes long, and submissions worth their overhead.

use std::time::Duration;

use super::Trainer;
use crate::gpu::{Dispatch, TIMED};
use crate::plan::{SAMPLES, blocks_of_groups};
use crate::train::commands::Command;
use crate::train::rates::{ENOUGH, whole_rows};
use crate::train::time_model::Submitted;

/// Most slices of a single call of [`Trainer::schedule`].
const SLICES: usize = 64;

impl Trainer {
    /// Whether a micro-batch of this many samples, and an update after it, still fit into the next submission.
    pub fn has_room(&self, samples: usize) -> bool {
        self.scheduled.has_room(self.slices(samples), samples, SAMPLES.max(self.plan().micro_batch))
    }

    /// The number of scheduled commands.
    pub(in crate::train) fn scheduled(&self) -> usize {
        self.scheduled.len()
    }

    /// Whether the scheduled work is worth a submission, or takes this time if one is given.
    pub(in crate::train) fn is_enough(&self, time: Option<Duration>) -> bool {
        let most = time.map_or(ENOUGH, |time| time.as_secs_f64().min(ENOUGH));
        !self.scheduled.is_empty() && self.scheduled.seconds() >= most
    }

    /// Whether another micro-batch and its update might have more dispatches than one submission can time.
    pub(in crate::train) fn profile_is_full(&self) -> bool {
        // One more than the plan's own: packed rows are unpacked first.
        let each = (self.plan().micro_batch_steps(true).len() + 1).max(self.plan().update_steps().len());
        self.submitter.is_profiled() && (self.scheduled.len() + 3) * each > TIMED
    }

    /// The estimated load of a command.
    pub(super) fn seconds_of(&self, command: Command) -> f64 {
        let rates = self.submitter.rates();
        match command {
            Command::MicroStep { rows, gather } => self.lists(gather).map(|list| rates.all(list, rows)).iter().sum(),
            Command::Close => rates.all(self.program.close(), 0),
            Command::Update => rates.all(self.program.update(), 0),
        }
    }

    /// The dispatches of a micro-batch.
    fn lists(&self, gather: bool) -> [&[Dispatch]; 3] {
        match self.program.windows().filter(|_| gather) {
            Some(windows) => [std::slice::from_ref(&windows.dispatch), &[], &[]],
            None => self.program.micro_batch(gather),
        }
    }

    /// The most rows that a micro-batch may have now, so that no dispatch takes long.
    fn most_rows(&self, gather: bool) -> usize {
        let rows = self.submitter.rates().rows(self.lists(gather).into_iter().flatten());
        whole_rows(rows, self.plan().micro_batch, self.window.open_blocks(), self.plan().group)
    }

    /// How many of the next rows go to the GPU at once.
    pub(in crate::train) fn slice(&self, left: usize, gather: bool) -> usize {
        let most = self.most_rows(gather);
        let (row, planned) = (self.open_rows() as usize, self.plan().micro_batch);
        // Slices end where blocks do: an open block is more work.
        let unit = blocks_of_groups(self.plan().group);
        let end = (row + most) / unit * unit;
        let rows = if most < planned && end > row { end - row } else { most };
        rows.min(left)
    }

    /// As [`Trainer::slice`], for the rows of one call.
    pub(super) fn slice_of_call(&self, left: usize, all: usize) -> usize {
        let slice = self.slice(left, true);
        if all.div_ceil(self.most_rows(true)) <= SLICES {
            return slice;
        }
        slice.max(all.div_ceil(SLICES).next_multiple_of(blocks_of_groups(self.plan().group))).min(left)
    }

    /// Slots for the slices of this many rows.
    fn slices(&self, rows: usize) -> usize {
        rows.div_ceil(self.most_rows(true)).min(SLICES) + 1
    }

    /// Rows of a micro-batch that takes about this long on this adapter; the estimate improves as training goes on. For a host
    /// that must not wait, and chooses its micro-batches by [`Trainer::schedule`] and [`Trainer::encode`]. Never more than the
    /// planned rows, and never fewer than can go at once: a block of [`BLOCK`](crate::plan::BLOCK) rows, or a few rows if micro-batches may end
    /// anywhere.
    pub fn rows_within(&self, time: Duration) -> usize {
        let gather = self.data_rows() > 0;
        let within = self.submitter.rates().rows_within(self.lists(gather).into_iter().flatten(), time.as_secs_f64());
        whole_rows(within, self.most_rows(gather), self.window.open_blocks(), self.plan().group)
    }

    /// Pretends from now on that the adapter is this many times slower than two cores of a CPU: for tests.
    #[doc(hidden)]
    pub fn pretend_slow(&mut self, times: f64) {
        self.submitter.pretend_slow(times);
    }

    /// Waits for each submission from now on, and times it: for tests.
    #[doc(hidden)]
    pub fn time_submissions(&mut self) {
        self.submitter.time_submissions();
    }

    /// The submissions since [`Trainer::time_submissions`], or since the last call.
    #[doc(hidden)]
    pub fn submissions(&mut self) -> Vec<Submitted> {
        self.submitter.submissions()
    }
}
