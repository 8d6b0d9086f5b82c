//! Numbers that look random and are the same everywhere.

/// Numbers in (-1, 1) that look random and are the same everywhere.
pub struct Numbers(u64);

impl Numbers {
    /// Each seed gives other numbers.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D)
    }

    /// A number below 2⁶⁴.
    pub fn word(&mut self) -> u64 {
        // SplitMix64
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        z ^ (z >> 31)
    }

    /// In (-1, 1).
    pub fn float(&mut self) -> f32 {
        ((self.word() >> 40) as f32 + 0.5) / (1u32 << 23) as f32 - 1.0
    }

    /// In 0..n.
    pub fn below(&mut self, n: usize) -> usize {
        (self.word() % n as u64) as usize
    }

    /// This many in (-1, 1).
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}
