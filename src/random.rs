//! Randomness by seed: every use draws from a stream of its own, so no generator state is ever saved.
//!
//! What a seed gives is part of the format of a run and never changes: the generator is ChaCha8, the key layout and the
//! shuffle are written here.

use rand::rngs::ChaCha8Rng;
use rand::{Rng, SeedableRng};

/// What random numbers are for. Two purposes with one seed share nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// The first parameters of a model; the index is the place of the tensor.
    Init,
    /// The rows kept for validation; the index is 0.
    Split,
    /// The order of the rows; the index is the epoch.
    Shuffle,
    /// What is shuffled to see how much it matters; the index is the place of the part and the time.
    Importance,
}

impl Purpose {
    /// The part of the key that keeps purposes apart. Never change one: it would change every run.
    fn tag(self) -> [u8; 8] {
        *match self {
            Purpose::Init => b"init\0\0\0\0",
            Purpose::Split => b"split\0\0\0",
            Purpose::Shuffle => b"shuffle\0",
            Purpose::Importance => b"importan",
        }
    }
}

/// The generator for one purpose: ChaCha8 with stream number 0, from the start, with this key of 32 bytes.
///
/// | bytes | |
/// |---|---|
/// | 0..8 | `seed`, little-endian |
/// | 8..16 | `index`, little-endian |
/// | 16..24 | the purpose in ASCII, filled with zeros |
/// | 24..32 | `accrue 1` in ASCII |
pub fn stream(seed: u64, purpose: Purpose, index: u64) -> ChaCha8Rng {
    let mut key = [0; 32];
    key[0..8].copy_from_slice(&seed.to_le_bytes());
    key[8..16].copy_from_slice(&index.to_le_bytes());
    key[16..24].copy_from_slice(&purpose.tag());
    key[24..32].copy_from_slice(b"accrue 1");
    ChaCha8Rng::from_seed(key)
}

/// The order in which the `n` rows are visited in an epoch. It depends on the three numbers alone.
pub fn permutation(seed: u64, epoch: u64, n: u32) -> Vec<u32> {
    shuffled(&mut stream(seed, Purpose::Shuffle, epoch), n)
}

/// The numbers `0..n` in random order: Fisher-Yates from the end, one draw of 64 bits per place.
pub(crate) fn shuffled(random: &mut impl Rng, n: u32) -> Vec<u32> {
    let mut order: Vec<u32> = (0..n).collect();
    for last in (1..order.len()).rev() {
        order.swap(last, below(random, last as u64 + 1) as usize);
    }
    order
}

/// A number in `0..bound`: the high half of `draw · bound`.
///
/// No draw is rejected, so the count of draws is known. The price is a bias below `bound / 2⁶⁴`, for 2³² rows 2⁻³².
fn below(random: &mut impl Rng, bound: u64) -> u64 {
    ((u128::from(random.next_u64()) * u128::from(bound)) >> 64) as u64
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_generator_is_chacha8() {
        let mut random = ChaCha8Rng::from_seed([0; 32]);
        let mut bytes = [0; 16];
        random.fill_bytes(&mut bytes);
        // first block of the published vector for ChaCha8 with key, nonce and counter 0
        let expected = [0x3e, 0, 0xef, 0x2f, 0x89, 0x5f, 0x40, 0xd6, 0x7f, 0x5b, 0xb8, 0xe8, 0x1f, 9, 0xa5, 0xa1];
        assert_eq!(bytes, expected);
    }

    #[test]
    fn the_order_of_a_seed_and_epoch_never_changes() {
        // computed by another program, from the definitions on this page
        assert_eq!(permutation(0, 0, 10), [7, 6, 3, 0, 4, 2, 9, 1, 8, 5]);
        assert_eq!(permutation(0, 1, 10), [6, 5, 8, 1, 2, 4, 7, 9, 0, 3]);
        assert_eq!(permutation(7, 0, 10), [6, 8, 7, 5, 3, 9, 4, 0, 1, 2]);
        assert_eq!(stream(0, Purpose::Init, 0).next_u64(), 17119625928006694551);
    }

    #[test]
    fn every_row_is_visited_once() {
        for n in [0, 1, 2, 3, 255, 256, 257] {
            let mut order = permutation(3, 5, n);
            order.sort_unstable();
            assert!(order.into_iter().eq(0..n));
        }
    }

    #[test]
    fn purposes_indices_and_seeds_do_not_share_a_stream() {
        let mut first: Vec<u64> = Vec::new();
        for purpose in [Purpose::Init, Purpose::Split, Purpose::Shuffle, Purpose::Importance] {
            for (seed, index) in [(0, 0), (1, 0), (0, 1)] {
                first.push(stream(seed, purpose, index).next_u64());
            }
        }
        let count = first.len();
        first.sort_unstable();
        first.dedup();
        assert_eq!(first.len(), count);
    }

    #[test]
    fn every_order_of_three_is_about_as_frequent() {
        let mut seen = std::collections::BTreeMap::new();
        for epoch in 0..6000 {
            *seen.entry(permutation(1, epoch, 3)).or_insert(0) += 1;
        }
        assert_eq!(seen.len(), 6);
        assert!(seen.values().all(|count| (850..1150).contains(count)), "{seen:?}");
    }
}
