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
    /// Where an epoch begins in a text; the index is the epoch.
    Beginning,
    /// The tokens of a text that is written; the index is 0.
    Generate,
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
            Purpose::Beginning => b"beginnin",
            Purpose::Generate => b"generate",
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

/// Where an epoch begins among `n` places.
pub fn beginning(seed: u64, epoch: u64, n: u32) -> u32 {
    below(&mut stream(seed, Purpose::Beginning, epoch), u64::from(n)) as u32
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

/// Philox4x32-10, as `shaders/lib/philox.wgsl` has it: four words from a counter of four and a key of two.
pub fn philox(mut counter: [u32; 4], mut key: [u32; 2]) -> [u32; 4] {
    let halves = |a: u32, b: u32| {
        let product = u64::from(a) * u64::from(b);
        ((product >> 32) as u32, product as u32)
    };
    for _ in 0..10 {
        let [a, b, c, d] = counter;
        let ((high_a, low_a), (high_c, low_c)) = (halves(0xd251_1f53, a), halves(0xcd9e_8d57, c));
        counter = [high_c ^ b ^ key[0], low_c, high_a ^ d ^ key[1], low_a];
        key = [key[0].wrapping_add(0x9e37_79b9), key[1].wrapping_add(0xbb67_ae85)];
    }
    counter
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
    fn philox_gives_the_published_words() {
        // kat_vectors of Random123
        let all = u32::MAX;
        assert_eq!(philox([0; 4], [0; 2]), [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]);
        assert_eq!(philox([all; 4], [all; 2]), [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]);
        let counter = [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344];
        assert_eq!(philox(counter, [0xa4093822, 0x299f31d0]), [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1]);
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
        use Purpose::{Beginning, Generate, Importance, Init, Shuffle, Split};
        let mut first: Vec<u64> = Vec::new();
        for purpose in [Init, Split, Shuffle, Beginning, Generate, Importance] {
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
