//! What the tests share: one device for each test binary, and how numbers are compared.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod case;
pub mod check;
pub mod rig;
pub mod runs;

use std::sync::OnceLock;

use accrue::gpu::{Choice, Gpu};

/// The device that all tests of a binary share. A machine without an adapter fails here: nothing is skipped.
pub fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::new(&Choice::default()).expect("the tests need an adapter"))
}

/// The same adapter with the least that WebGPU's smallest devices offer; it refuses whatever needs more.
pub fn small_gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    let open = || Gpu::with_limits(&Choice::default(), accrue::wgpu::Limits::downlevel_defaults());
    GPU.get_or_init(|| open().expect("the tests need an adapter"))
}

/// max |a - b| / max |b|
pub fn distance(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = (a.into_iter().collect(), b.into_iter().collect());
    assert_eq!(a.len(), b.len(), "as many numbers on both sides");
    let size = b.iter().fold(0.0, |most: f64, v| most.max(v.abs()));
    let apart =
        a.iter().zip(&b).fold(0.0, |most: f64, (a, b)| if most >= (a - b).abs() { most } else { (a - b).abs() });
    if apart == 0.0 { 0.0 } else { apart / size }
}

/// The bits of floats, for comparisons in which -0 is not +0.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// Numbers in (-1, 1) that look random and are the same everywhere.
pub struct Numbers(u64);

impl Numbers {
    /// Each seed gives other numbers.
    pub fn new(seed: u64) -> Numbers {
        Numbers(seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) ^ 0x2545_F491_4F6C_DD1D)
    }

    /// Any of 2⁶⁴.
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

    /// So many in (-1, 1).
    pub fn floats(&mut self, count: usize) -> Vec<f32> {
        (0..count).map(|_| self.float()).collect()
    }
}
