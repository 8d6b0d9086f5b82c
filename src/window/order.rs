//! Which sample stands at which place of the stream of all epochs.

use std::ops::Range;

use crate::random::permutation;

/// The order of the samples: unchanged, or shuffled anew in each epoch. It depends only on seed and epoch.
pub struct Order {
    samples: u32,
    seed: Option<u64>,
    epoch: Option<(u64, Vec<u32>)>,
}

impl Order {
    /// `samples` in their own order, or shuffled by a seed.
    pub fn new(samples: u32, seed: Option<u64>) -> Order {
        Order { samples, seed, epoch: None }
    }

    /// Appends the samples of a stretch of the stream.
    pub fn extend(&mut self, stretch: Range<u64>, into: &mut Vec<u32>) {
        let stretch = if self.samples == 0 { 0..0 } else { stretch };
        for place in stretch {
            let (epoch, within) = (place / u64::from(self.samples), (place % u64::from(self.samples)) as u32);
            let sample = match self.seed {
                None => within,
                Some(seed) => self.shuffled(seed, epoch)[within as usize],
            };
            into.push(sample);
        }
    }

    fn shuffled(&mut self, seed: u64, epoch: u64) -> &[u32] {
        let samples = self.samples;
        let stale = self.epoch.as_ref().is_none_or(|(known, _)| *known != epoch);
        if stale {
            self.epoch = Some((epoch, permutation(seed, epoch, samples)));
        }
        self.epoch.as_ref().map_or(&[], |(_, order)| order)
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
