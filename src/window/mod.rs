//! The accumulation window: which samples make which update. Pure arithmetic; it touches no GPU.

mod order;
mod partition;

pub use order::Order;
pub use partition::{Partition, resolve_partition};

use crate::{Error, Result};

/// What becomes of the last window of an epoch when it is short.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Tail {
    /// It makes an update of its own, divided by what is really in it.
    #[default]
    Flush,
    /// It is left out; with shuffling, other samples are left out in each epoch.
    Drop,
    /// It goes on in the next epoch. What is left at the end of training is flushed.
    Carry,
}

/// A window: the samples of one update, as a stretch of the stream of all epochs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Window {
    /// The update that it makes, counted from 1.
    pub update: u64,
    /// The epoch in which it ends, counted from 1.
    pub epoch: u32,
    /// Its first sample's place in the stream: epoch after epoch, `samples` each.
    pub start: u64,
    /// Samples in it.
    pub rows: u32,
    /// Whether no other window ends in this epoch after it.
    pub ends_epoch: bool,
}

/// All windows of a training run, in order.
#[derive(Clone, Debug)]
pub struct Windows {
    samples: u64,
    epochs: u32,
    batch: u64,
    tail: Tail,
    at: u64,
    update: u64,
}

impl Windows {
    /// `epochs` times `samples`, in windows of `batch`.
    ///
    /// # Errors
    /// [`Error::Config`] when no update would ever be made, with the numbers.
    pub fn new(samples: usize, epochs: u32, batch: u32, tail: Tail) -> Result<Windows> {
        let windows = Windows { samples: samples as u64, epochs, batch: u64::from(batch), tail, at: 0, update: 0 };
        if batch == 0 {
            return Err(Error::config("train.batch", "0 is not a number of samples; give 1 or more"));
        }
        if windows.updates() > 0 {
            return Ok(windows);
        }
        let message = format!(
            "no update would ever be made: an epoch has {samples} samples, a window takes {batch}, and short windows are \
             dropped; lower train.batch or set train.tail = \"flush\""
        );
        Err(Error::config("train.tail", message))
    }

    /// Updates of one epoch; with [`Tail::Carry`] of one that begins with a window.
    pub fn updates_per_epoch(&self) -> u64 {
        match self.tail {
            Tail::Flush => self.samples.div_ceil(self.batch),
            Tail::Drop | Tail::Carry => self.samples / self.batch,
        }
    }

    /// Updates of all epochs.
    pub fn updates(&self) -> u64 {
        match self.tail {
            Tail::Carry => (self.samples * u64::from(self.epochs)).div_ceil(self.batch),
            _ => self.updates_per_epoch() * u64::from(self.epochs),
        }
    }
}

impl Iterator for Windows {
    type Item = Window;

    fn next(&mut self) -> Option<Window> {
        let end = self.samples * u64::from(self.epochs);
        let left = self.samples - self.at.checked_rem(self.samples)?;
        if self.tail == Tail::Drop && left < self.batch {
            self.at += left;
            return if self.at < end { self.next() } else { None };
        }
        if self.at >= end {
            return None;
        }
        let rows = match self.tail {
            Tail::Carry => self.batch.min(end - self.at),
            _ => self.batch.min(left),
        };
        let start = self.at;
        self.at += rows;
        self.update += 1;
        // What is left of the epoch after this window, and whether it makes another one.
        let left = (self.samples - self.at % self.samples) % self.samples;
        let epoch = (self.at - 1) / self.samples + 1;
        let ends_epoch = match self.tail {
            Tail::Flush => left == 0,
            Tail::Drop => left < self.batch,
            Tail::Carry => self.at + self.batch.min(end - self.at).max(1) > epoch * self.samples,
        };
        Some(Window { update: self.update, epoch: epoch as u32, start, rows: rows as u32, ends_epoch })
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
