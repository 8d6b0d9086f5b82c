//! What the tests share: one device for each test binary, and how numbers are compared.
#![allow(dead_code, reason = "each test binary uses a part of it")]

pub mod changed;
pub mod runs;
pub mod skip;

use std::sync::{Arc, OnceLock};

use accrue::doctor::compare::{self, Compared};
use accrue::doctor::{Case, case};
use accrue::gpu::{Choice, Gpu};
use accrue::graph::Op;
use accrue::graph::{Graph, Tensor};

pub use accrue::doctor::Numbers;

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

/// max |a - b| / max |b|; not a number where any of them is none.
pub fn distance(a: impl IntoIterator<Item = f64>, b: impl IntoIterator<Item = f64>) -> f64 {
    let (a, b): (Vec<f64>, Vec<f64>) = (a.into_iter().collect(), b.into_iter().collect());
    assert!(a.len() == b.len() && !a.is_empty(), "as many numbers on both sides: {} and {}", a.len(), b.len());
    // `f64::max` would leave out what is not a number.
    let most = |values: &mut dyn Iterator<Item = f64>| values.map(f64::abs).max_by(f64::total_cmp).unwrap_or(0.0);
    let size = most(&mut b.iter().copied());
    let apart = most(&mut a.iter().zip(&b).map(|(a, b)| a - b));
    if apart == 0.0 { 0.0 } else { apart / size }
}

/// The bits of floats, for comparisons in which -0 is not +0.
pub fn bits(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

/// The op of a name.
pub fn op(name: &str) -> Arc<dyn Op> {
    accrue::ops::find(name).unwrap()
}

/// Adds a linear layer of so many outputs.
pub fn linear(graph: &mut Graph, name: &str, x: Tensor, outputs: usize) -> Tensor {
    case::linear(graph, name, x, outputs).unwrap()
}

/// Fails with everything that is further from its reference than rounding explains. That nothing was compared fails, too.
pub fn assert_right(name: &str, all: &[Compared]) {
    let wrong: Vec<String> = all.iter().filter(|c| c.wrong).map(|c| format!("{}: {c}", c.kernel)).collect();
    assert!(wrong.is_empty(), "{name}: {}", wrong.join("\n"));
    assert!(!all.is_empty(), "{name}: nothing was compared");
}

/// Runs one micro-step and compares everything that it wrote: values, gradients, sums, padding; and the bits when cut.
pub fn check(gpu: &Gpu, case: &Case) {
    assert_right(&case.name, &compare::case(gpu, case).unwrap());
}

/// Bytes that the driver was asked for and has not been given back. Only Metal does not say.
pub fn held(gpu: &Gpu) -> Option<u64> {
    gpu.device().poll(accrue::wgpu::PollType::wait_indefinitely()).unwrap();
    let held = gpu.device().generate_allocator_report().map(|report| report.total_allocated_bytes);
    let metal = gpu.info().backend == accrue::wgpu::Backend::Metal;
    assert!(held.is_some() || metal, "{:?} says what it holds", gpu.info().backend);
    held
}
