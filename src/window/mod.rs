//! The accumulation window: which samples make which update. Pure arithmetic without a GPU.

mod batches;
mod order;
mod partition;

pub use batches::Batches;
pub use order::Order;
pub use partition::{Partition, resolve_partition};

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// What happens to an epoch's last window if it is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Tail {
    /// It makes an update of its own, divided by the weight of the samples really in it.
    #[default]
    Flush,
    /// It is left out; with shuffling, other samples are left out in each epoch.
    Drop,
    /// It continues in the next epoch. What is left at the end of training is flushed.
    Carry,
}

impl fmt::Display for Tail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.serialize(f)
    }
}

/// A window: the samples of one update, as a stretch of the stream of all epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// Its update, counted from 1.
    pub update: u64,
    /// The epoch in which it ends, counted from 1.
    pub epoch: u32,
    /// Its first sample's place in the stream: epoch after epoch, `samples` each.
    pub start: u64,
    /// Its samples.
    pub rows: u32,
    /// Its samples, had there been enough.
    pub batch: u32,
    /// Whether it is the last window that ends in this epoch.
    pub ends_epoch: bool,
}

/// All windows of a training run, in order.
#[derive(Clone, Debug)]
pub struct Windows {
    samples: u64,
    epochs: u32,
    batches: Batches,
    tail: Tail,
    at: u64,
    update: u64,
}

impl Windows {
    /// The windows of `epochs` times `samples` samples, `batch` each.
    ///
    /// # Errors
    /// [`Error::Config`] if no update would ever be made, with the numbers.
    pub fn new(samples: usize, epochs: u32, batch: impl Into<Batches>, tail: Tail) -> Result<Windows> {
        let windows = Windows { samples: samples as u64, epochs, batches: batch.into(), tail, at: 0, update: 0 };
        if windows.batches.sizes().any(|batch| batch == 0) {
            return Err(Error::config("train.batch", "0 is not a number of samples; give 1 or more"));
        }
        if windows.clone().next().is_some() {
            return Ok(windows);
        }
        if samples == 0 || epochs == 0 {
            let message =
                format!("no update would ever be made: {epochs} epochs of {samples} samples; give 1 or more of each");
            return Err(Error::config("train.epochs", message));
        }
        let message = format!(
            "no update would ever be made: an epoch has {samples} samples, a window takes {}, and short windows are \
             dropped; lower train.batch or set train.tail = \"flush\"",
            windows.batches.first()
        );
        Err(Error::config("train.tail", message))
    }

    /// Updates that are still to come.
    pub fn updates(&self) -> u64 {
        if !self.batches.is_constant() || self.at > 0 {
            return self.clone().count() as u64;
        }
        let (batch, epochs) = (u64::from(self.batches.first()), u64::from(self.epochs));
        match self.tail {
            Tail::Flush => self.samples.div_ceil(batch) * epochs,
            Tail::Drop => self.samples / batch * epochs,
            Tail::Carry => (self.samples * epochs).div_ceil(batch),
        }
    }

    /// The number of windows taken, and the next window's begin in the stream of all epochs.
    pub fn place(&self) -> (u64, u64) {
        (self.update, self.at)
    }

    /// Goes to a [`place`](Windows::place) of the same windows; false if it cannot be one.
    pub fn go_to(&mut self, updates: u64, at: u64) -> bool {
        let mut there = self.clone();
        while there.update < updates && there.next().is_some() {}
        // A short tail that is dropped lies between two windows.
        let next = there.clone().next().map(|window| window.start);
        let reachable = there.update == updates && (there.at == at || next == Some(at));
        if reachable {
            (self.update, self.at) = (updates, at);
        }
        reachable
    }

    /// Samples of each update.
    pub fn batches(&self) -> &Batches {
        &self.batches
    }
}

impl Iterator for Windows {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        let end = self.samples * u64::from(self.epochs);
        loop {
            if self.at >= end {
                return None;
            }
            let left = self.samples - self.at % self.samples;
            let batch = self.batches.at(self.update, self.at / self.samples);
            if self.tail == Tail::Drop && left < u64::from(batch) {
                self.at += left;
                continue;
            }
            return Some(self.window(batch, left, end));
        }
    }
}

impl Windows {
    fn window(&mut self, batch: u32, left: u64, end: u64) -> Window {
        let start = self.at;
        let room = if self.tail == Tail::Carry { end - start } else { left };
        let rows = u64::from(batch).min(room);
        self.at += rows;
        self.update += 1;
        let epoch = (self.at - 1) / self.samples + 1;
        // The next window, if any, ends in a later epoch.
        let left = epoch * self.samples - self.at;
        let next = u64::from(self.batches.at(self.update, self.at / self.samples));
        let ends_epoch = match self.tail {
            Tail::Flush => left == 0,
            Tail::Drop => left < next,
            Tail::Carry => self.at + next.min(end - self.at).max(1) > epoch * self.samples,
        };
        Window { update: self.update, epoch: epoch as u32, start, rows: rows as u32, batch, ends_epoch }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn rows(samples: usize, epochs: u32, batch: u32, tail: Tail) -> Vec<(u64, u32, u32, bool)> {
        let windows = Windows::new(samples, epochs, batch, tail).unwrap();
        let count = windows.updates();
        let all: Vec<_> = windows.map(|w| (w.start, w.rows, w.epoch, w.ends_epoch)).collect();
        assert_eq!(all.len() as u64, count, "updates() counts the windows");
        all
    }

    #[test]
    fn flush_makes_an_update_of_the_short_tail() {
        let wanted = [
            (0, 4, 1, false),
            (4, 4, 1, false),
            (8, 2, 1, true),
            (10, 4, 2, false),
            (14, 4, 2, false),
            (18, 2, 2, true),
        ];
        assert_eq!(rows(10, 2, 4, Tail::Flush), wanted);
    }

    #[test]
    fn drop_leaves_the_short_tail_out() {
        assert_eq!(
            rows(10, 2, 4, Tail::Drop),
            [(0, 4, 1, false), (4, 4, 1, true), (10, 4, 2, false), (14, 4, 2, true)]
        );
    }

    #[test]
    fn carry_goes_on_in_the_next_epoch_and_flushes_at_the_end() {
        let wanted = [(0, 4, 1, false), (4, 4, 1, true), (8, 4, 2, false), (12, 4, 2, false), (16, 2, 2, true)];
        assert_eq!(rows(9, 2, 4, Tail::Carry), wanted);
    }

    #[test]
    fn a_batch_larger_than_the_epoch_works_with_flush_and_carry() {
        assert_eq!(rows(3, 2, 5, Tail::Flush), [(0, 3, 1, true), (3, 3, 2, true)]);
        assert_eq!(rows(3, 3, 5, Tail::Carry), [(0, 5, 2, true), (5, 4, 3, true)]);
    }

    #[test]
    fn a_tail_that_fits_is_no_tail() {
        for tail in [Tail::Flush, Tail::Drop, Tail::Carry] {
            assert_eq!(rows(4, 2, 2, tail), [(0, 2, 1, false), (2, 2, 1, true), (4, 2, 2, false), (6, 2, 2, true)]);
        }
    }

    #[test]
    fn a_run_that_would_never_update_is_refused_with_the_numbers() {
        let error = Windows::new(10, 5, 11, Tail::Drop).unwrap_err().to_string();
        assert!(error.contains("10 samples") && error.contains("11"), "{error}");
    }

    #[test]
    fn every_sample_is_used_once_an_epoch() {
        for samples in 1..20 {
            for batch in 1..25 {
                for tail in [Tail::Flush, Tail::Carry] {
                    let total: u64 = Windows::new(samples, 3, batch, tail).unwrap().map(|w| u64::from(w.rows)).sum();
                    assert_eq!(total, 3 * samples as u64, "{samples} samples in windows of {batch}, {tail:?}");
                }
            }
        }
    }
}
