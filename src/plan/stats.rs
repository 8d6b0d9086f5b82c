//! The stats as the host reads them.

use super::memory;

/// The bytes of the stats: the open window's sums, what counts work, and the results of the last updates. `Stats` in
/// `shaders/lib/stats.wgsl`.
#[derive(Clone, Copy)]
pub struct Stats<'a>(&'a [u8]);

impl<'a> Stats<'a> {
    /// How many bytes there are.
    pub const BYTES: u64 = memory::STATS as u64;

    /// How many of them precede the results.
    pub const HEADER: u64 = memory::STATS_HEADER as u64;

    /// Reads all bytes, or the header where no results are asked for.
    pub fn of(bytes: &'a [u8]) -> Stats<'a> {
        Stats(bytes)
    }

    /// The results, 16 bytes each.
    pub fn results(self) -> impl Iterator<Item = &'a [u8]> {
        self.0[memory::STATS_HEADER..].chunks_exact(memory::RESULT)
    }

    /// The number of the micro-batch or update that comes next, if all before it were done.
    pub fn sequence(self) -> u32 {
        self.word(memory::STATS_SEQUENCE)
    }

    /// How many submissions that end inside a micro-batch were done.
    pub fn marks(self) -> u32 {
        self.word(memory::STATS_MARKS)
    }

    /// Whether the sums of the window's closed blocks are finite, and no gradient was found that is not.
    pub fn is_finite(self) -> bool {
        let sums = [0, 4].map(|at| f32::from_bits(self.word(at)));
        sums.into_iter().all(f32::is_finite) && self.word(memory::STATS_UNFIT) == 0
    }

    /// The update that would have made a value infinite or not a number; 0: none.
    pub fn broken(self) -> u32 {
        self.word(memory::STATS_BROKEN)
    }

    /// Sets what counts work to what the host has counted, and no update as broken.
    pub fn set_counts(bytes: &mut [u8], sequence: u32, marks: u32) {
        for (at, word) in [(memory::STATS_SEQUENCE, sequence), (memory::STATS_MARKS, marks), (memory::STATS_BROKEN, 0)]
        {
            bytes[at..at + 4].copy_from_slice(&word.to_le_bytes());
        }
    }

    fn word(self, at: usize) -> u32 {
        u32::from_le_bytes([self.0[at], self.0[at + 1], self.0[at + 2], self.0[at + 3]])
    }
}
