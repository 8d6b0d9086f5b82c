//! How long work takes on this adapter, and how much work one dispatch and one submission get: drivers end work that takes
//! seconds, and on a slow adapter little work takes seconds.

use crate::gpu::{CostKind, Dispatch};
use crate::plan::blocks_of_groups;

/// Estimated time of a dispatch. The limit is 100 ms, and a dispatch takes twice as long when others use the memory.
pub(super) const DISPATCH: f64 = 0.040;

/// Estimated time of a submission. The limit is 250 ms.
pub(super) const SUBMISSION: f64 = 0.100;

/// A submission of this length is worth its overhead.
pub(super) const ENOUGH: f64 = 0.080;

/// Time to start a dispatch, on any adapter.
const LAUNCH: f64 = 10e-6;

/// How much slower than the model an adapter is assumed to be before anything is measured.
pub(super) const UNKNOWN: f64 = 16.0;

/// The fewest rows worth a pass of their own: kernels compute this many at once.
const LEAST: usize = 8;

/// Seconds on this adapter per second of the model, for each [`CostKind`] of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates([f64; CostKind::COUNT]);

/// Work, in seconds of the model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    kinds: [f64; CostKind::COUNT],
    launches: u32,
}

impl Load {
    /// Adds a dispatch over this many rows.
    pub fn add(&mut self, dispatch: &Dispatch, rows: u32) {
        let cost = dispatch.cost();
        self.kinds[cost.kind as usize] += cost.seconds(rows);
        self.launches += 1;
    }

    /// Adds another load.
    pub fn join(&mut self, other: &Load) {
        self.launches += other.launches;
        self.kinds.iter_mut().zip(other.kinds).for_each(|(sum, seconds)| *sum += seconds);
    }

    /// Rows that take this many seconds of the model.
    #[cfg(test)]
    pub fn of_rows(seconds: f64) -> Load {
        Load { kinds: [seconds, 0.0, 0.0, 0.0, 0.0], launches: 0 }
    }
}

impl Default for Rates {
    fn default() -> Rates {
        Rates::even(UNKNOWN)
    }
}

impl Rates {
    /// The same rate for all kinds of work.
    pub fn even(rate: f64) -> Rates {
        Rates([rate; CostKind::COUNT])
    }

    /// Corrects the rates: a load took `ratio` times the expected time. The kind of work that took most time changes most.
    pub fn scale(&mut self, load: &Load, ratio: f64) {
        let shares: Vec<f64> = self.0.iter().zip(load.kinds).map(|(rate, seconds)| rate * seconds).collect();
        let largest = shares.iter().copied().fold(0.0, f64::max);
        if largest > 0.0 {
            self.0.iter_mut().zip(shares).for_each(|(rate, share)| {
                *rate = (*rate * ratio.powf(share / largest)).clamp(1e-6, 1e6);
            });
        }
    }

    /// Seconds of a dispatch over this many rows.
    pub fn dispatch(&self, dispatch: &Dispatch, rows: u32) -> f64 {
        let cost = dispatch.cost();
        LAUNCH + self.0[cost.kind as usize] * cost.seconds(rows)
    }

    /// Seconds of all these dispatches together.
    pub fn all<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>, rows: u32) -> f64 {
        dispatches.into_iter().map(|dispatch| self.dispatch(dispatch, rows)).sum()
    }

    /// Seconds of a load.
    pub fn load(&self, load: &Load) -> f64 {
        let kinds: f64 = self.0.iter().zip(load.kinds).map(|(rate, seconds)| rate * seconds).sum();
        kinds + LAUNCH * f64::from(load.launches)
    }

    /// The dispatch itself, or its parts if it takes too long.
    pub fn fine<'a>(&self, dispatch: &'a Dispatch, rows: u32) -> &'a [Dispatch] {
        let long = !dispatch.parts().is_empty() && self.dispatch(dispatch, rows) > DISPATCH;
        if long { dispatch.parts() } else { std::slice::from_ref(dispatch) }
    }

    /// The most rows for which each of these dispatches, in its finest parts, takes at most [`DISPATCH`].
    pub fn rows<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>) -> f64 {
        let most = |dispatch: &Dispatch| {
            let cost = dispatch.parts().first().unwrap_or(dispatch).cost();
            let (row, fixed) = cost.line();
            (DISPATCH / self.0[cost.kind as usize] - fixed) / row
        };
        dispatches.into_iter().map(most).fold(f64::INFINITY, f64::min)
    }

    /// The most rows for which all these dispatches together take at most this many seconds.
    pub fn rows_within<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>, seconds: f64) -> f64 {
        let (mut each, mut once) = (0.0, 0.0);
        for dispatch in dispatches {
            let rate = self.0[dispatch.cost().kind as usize];
            let (row, fixed) = dispatch.cost().line();
            (each, once) = (each + rate * row, once + rate * fixed + LAUNCH);
        }
        (seconds - once) / each
    }
}

/// Rows of a slice: whole blocks, or `most`, or with `open_blocks` part of a block; always whole groups of rows that ops look at
/// together.
pub(super) fn whole_rows(rows: f64, most: usize, open_blocks: bool, group: usize) -> usize {
    let rows = rows.clamp(1.0, most as f64) as usize;
    let unit = blocks_of_groups(group);
    let rows = match rows {
        _ if rows == most => most,
        rows if rows >= unit => rows / unit * unit,
        rows if open_blocks => (1usize << rows.ilog2()).max(LEAST).next_multiple_of(group),
        _ => unit,
    };
    rows.min(most)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_whole_blocks_or_the_micro_batch() {
        let rows = |rows, open_blocks| whole_rows(rows, 500, open_blocks, 1);
        assert_eq!([rows(f64::INFINITY, false), rows(1000.0, true), rows(499.0, true)], [500, 500, 480]);
        assert_eq!([rows(40.0, false), rows(31.0, false), rows(-3.0, false)], [32, 32, 32]);
        assert_eq!([rows(40.0, true), rows(31.0, true), rows(-3.0, true)], [32, 16, LEAST]);
        let some = |most, open_blocks| whole_rows(9.0, most, open_blocks, 1);
        assert_eq!([some(20, true), some(5, true), some(20, false)], [8, 5, 20]);
        let groups = |rows, open_blocks, group| whole_rows(rows, 500, open_blocks, group);
        assert_eq!([groups(499.0, true, 64), groups(40.0, false, 24), groups(40.0, true, 24)], [448, 96, 48]);
        assert_eq!([groups(5.0, true, 12), groups(5.0, true, 500)], [12, 500]);
    }
}
