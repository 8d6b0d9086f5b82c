//! Samples per update, over a run.

use crate::{Error, Result};

/// How many samples make one update: a constant, or a schedule. A window keeps the size that it began with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batches {
    /// From when on, and how many; the first entry begins at 0, and entries ascend.
    steps: Vec<(u64, u32)>,
    by_epoch: bool,
}

impl From<u32> for Batches {
    fn from(batch: u32) -> Batches {
        Batches { steps: vec![(0, batch)], by_epoch: false }
    }
}

impl Batches {
    /// Always `batch` samples.
    ///
    /// # Errors
    /// [`Error::Config`] for 0.
    pub fn constant(batch: u32) -> Result<Batches> {
        Batches::new(&[(0, batch)], false)
    }

    /// `(0, 64), (1000, 256)`: 64 samples, and 256 after 1000 updates, or by epoch after 1000 epochs.
    ///
    /// # Errors
    /// [`Error::Config`] if it does not begin at 0, does not ascend, or holds a batch of 0.
    pub fn new(steps: &[(u64, u32)], by_epoch: bool) -> Result<Batches> {
        let wrong = |message: String| Err(Error::config("train.batch", message));
        if steps.first().is_none_or(|&(from, _)| from != 0) {
            return wrong("a schedule begins at 0, as in [[0, 64], [1000, 256]]".to_owned());
        }
        if let Some(pair) = steps.windows(2).find(|pair| pair[0].0 >= pair[1].0) {
            return wrong(format!("{} does not come after {}; a schedule ascends", pair[1].0, pair[0].0));
        }
        if steps.iter().any(|&(_, batch)| batch == 0) {
            return wrong("0 is not a number of samples; give 1 or more".to_owned());
        }
        Ok(Batches { steps: steps.to_vec(), by_epoch })
    }

    /// The batch of a window that begins after `updates` updates, in an epoch counted from 0.
    pub fn at(&self, updates: u64, epoch: u64) -> u32 {
        let now = if self.by_epoch { epoch } else { updates };
        let begun = self.steps.iter().take_while(|&&(from, _)| from <= now).last();
        begun.map_or(self.first(), |&(_, batch)| batch)
    }

    /// The first window's batch.
    pub fn first(&self) -> u32 {
        self.steps.first().map_or(1, |&(_, batch)| batch)
    }

    /// The largest batch.
    pub fn most(&self) -> u32 {
        self.steps.iter().map(|&(_, batch)| batch).max().unwrap_or(1)
    }

    /// Whether the batch never changes.
    pub fn is_constant(&self) -> bool {
        self.steps.iter().all(|&(_, batch)| batch == self.first())
    }

    /// Every size that occurs.
    pub fn sizes(&self) -> impl Iterator<Item = u32> {
        self.steps.iter().map(|&(_, batch)| batch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_schedule_changes_at_its_steps() {
        let by_update = Batches::new(&[(0, 4), (10, 8)], false).unwrap();
        assert_eq!([0, 9, 10, 99].map(|update| by_update.at(update, 0)), [4, 4, 8, 8]);
        let by_epoch = Batches::new(&[(0, 4), (2, 8)], true).unwrap();
        assert_eq!([0, 1, 2].map(|epoch| by_epoch.at(100, epoch)), [4, 4, 8]);
    }

    #[test]
    fn a_schedule_that_makes_no_sense_is_refused() {
        for steps in [&[][..], &[(1, 4)], &[(0, 4), (0, 8)], &[(0, 4), (5, 8), (3, 2)], &[(0, 0)]] {
            assert!(Batches::new(steps, false).is_err(), "{steps:?}");
        }
    }
}
