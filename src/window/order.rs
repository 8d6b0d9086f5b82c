//! Which sample stands at which place of the stream of all epochs.

use std::ops::Range;

use crate::random::{beginning, permutation};

/// The order of the samples: unchanged, or shuffled anew in each epoch. It depends only on seed and epoch.
pub struct Order {
    /// Samples of an epoch.
    samples: u32,
    /// Of so many places.
    places: u32,
    /// Samples from one place to the next, if they overlap: an epoch takes one of them everywhere.
    spacing: u32,
    seed: Option<u64>,
    epoch: Option<Drawn>,
}

/// What is drawn for an epoch.
struct Drawn {
    epoch: u64,
    order: Vec<u32>,
    beginning: u32,
}

impl Order {
    /// `samples` in their own order, or shuffled by a seed.
    pub fn new(samples: u32, seed: Option<u64>) -> Order {
        Order::spaced(samples, samples, 1, seed)
    }

    /// `samples` in each epoch, from as many or more `places` that lie `spacing` apart: in their own order from the first sample
    /// of all, or shuffled by a seed, from a beginning below `spacing` that is drawn with it.
    pub fn spaced(samples: u32, places: u32, spacing: u32, seed: Option<u64>) -> Order {
        Order { samples: samples.min(places), places, spacing: spacing.max(1), seed, epoch: None }
    }

    /// How many samples an epoch has.
    pub fn samples(&self) -> usize {
        self.samples as usize
    }

    /// Appends the samples of a stretch of the stream.
    pub fn extend(&mut self, stretch: Range<u64>, into: &mut Vec<u32>) {
        let stretch = if self.samples == 0 { 0..0 } else { stretch };
        let spacing = self.spacing;
        for place in stretch {
            let (epoch, within) = (place / u64::from(self.samples), (place % u64::from(self.samples)) as u32);
            into.push(match self.seed {
                None => within * spacing,
                Some(seed) => {
                    let drawn = self.drawn(seed, epoch);
                    drawn.order[within as usize] * spacing + drawn.beginning
                }
            });
        }
    }

    fn drawn(&mut self, seed: u64, epoch: u64) -> &Drawn {
        let (places, spacing) = (self.places, self.spacing);
        if self.epoch.as_ref().is_some_and(|drawn| drawn.epoch != epoch) {
            self.epoch = None;
        }
        self.epoch.get_or_insert_with(|| Drawn {
            epoch,
            order: permutation(seed, epoch, places),
            beginning: beginning(seed, epoch, spacing),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_epoch_visits_every_sample_once() {
        let mut order = Order::new(7, Some(3));
        let mut visited = Vec::new();
        order.extend(0..21, &mut visited);
        for epoch in visited.chunks_mut(7) {
            epoch.sort_unstable();
            assert_eq!(epoch, [0, 1, 2, 3, 4, 5, 6]);
        }
    }

    #[test]
    fn samples_that_overlap_are_taken_end_to_end_from_a_beginning_of_each_epoch() {
        let mut order = Order::spaced(5, 9, 4, Some(3));
        let mut visited = Vec::new();
        order.extend(0..200, &mut visited);
        let mut beginnings = std::collections::BTreeSet::new();
        for epoch in visited.chunks(5) {
            let mut places: Vec<u32> = epoch.iter().map(|sample| sample / 4).collect();
            places.sort_unstable();
            places.dedup();
            assert!(places.len() == 5 && places.iter().all(|&place| place < 9));
            assert!(epoch.iter().all(|sample| sample % 4 == epoch[0] % 4));
            beginnings.insert(epoch[0] % 4);
        }
        assert_eq!(beginnings.len(), 4);
        let mut plain = Vec::new();
        Order::spaced(5, 9, 4, None).extend(4..7, &mut plain);
        assert_eq!(plain, [16, 0, 4]);
    }

    #[test]
    fn a_stretch_is_the_same_however_it_is_cut() {
        let (mut whole, mut pieces) = (Vec::new(), Vec::new());
        Order::new(5, Some(1)).extend(3..18, &mut whole);
        let mut order = Order::new(5, Some(1));
        for piece in [3..4, 4..11, 11..11, 11..18] {
            order.extend(piece, &mut pieces);
        }
        assert_eq!(whole, pieces);
    }
}
