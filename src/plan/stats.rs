//! The stats, as the host reads them.

use super::memory;

/// The bytes of the stats: the open window's sums, the counters of work, and the latest updates' results. `Stats` in
/// `shaders/lib/stats.wgsl`.
#[derive(Clone, Copy)]
pub struct Stats<'a>(&'a [u8]);

impl<'a> Stats<'a> {
    /// The number of bytes.
    pub const BYTES: u64 = memory::STATS as u64;

    /// The number of bytes before the results.
    pub const HEADER: u64 = memory::STATS_HEADER as u64;

    /// The words of the sequence number, and of whether a gradient was found that is not finite.
    pub(crate) const SEQUENCE: usize = memory::STATS_SEQUENCE / 4;
    pub(crate) const UNFIT: usize = memory::STATS_UNFIT / 4;

    /// Reads all bytes, or only the header if no results are wanted.
    pub fn of(bytes: &'a [u8]) -> Stats<'a> {
        Stats(bytes)
    }

    /// The results, 16 bytes each.
    pub fn results(self) -> impl Iterator<Item = &'a [u8]> {
        self.0[memory::STATS_HEADER..].chunks_exact(memory::RESULT)
    }

    /// The sequence number of the next micro-batch or update, if all before it were done.
    pub fn sequence(self) -> u32 {
        self.word(memory::STATS_SEQUENCE)
    }

    /// The number of submissions done that end inside a micro-batch.
    pub fn marks(self) -> u32 {
        self.word(memory::STATS_MARKS)
    }

    /// Whether the sums of the window's closed blocks are finite, and no gradient was found that is not.
    pub fn is_finite(self) -> bool {
        let sums = [0, 4].map(|at| f32::from_bits(self.word(at)));
        sums.into_iter().all(f32::is_finite) && self.word(memory::STATS_UNFIT) == 0
    }

    /// The update that would have made a value infinite or NaN; 0 if there is none.
    pub fn broken(self) -> u32 {
        self.word(memory::STATS_BROKEN)
    }

    /// Sets the counters to the host's, and no update as broken.
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
