//! What turns gradients into new parameters. An optimizer is one file here and one in `shaders/`: one kernel that reads
//! the sums of the window and divides them, once, by the window's weight.

mod sgd;

pub use sgd::Sgd;

use crate::gpu::{Scalar, Shader};
use crate::ops::{Span, Step};

pub(crate) const CLOCK: &str = include_str!("../../shaders/lib/clock.wgsl");
pub(crate) const STATS: &str = include_str!("../../shaders/lib/stats.wgsl");

/// The shaders of all optimizers.
pub static SHADERS: &[&Shader] = &[&sgd::SHADER];

/// An optimizer: its state, its kernel and the numbers that change from update to update.
pub trait Optimizer: Send + Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Floats that it remembers of each parameter.
    fn moments(&self) -> usize;

    /// The dispatch that updates a stretch of the parameters.
    fn step(&self, span: Span) -> Step;

    /// The kernel's `scalars` in the update of this number, counted from 1.
    fn scalars(&self, update: u64, lr: f64) -> Vec<(&'static str, Scalar)>;

    /// The same update in f64. `gradient` is normalised; `moments` holds what [`Optimizer::moments`] says, parameter by
    /// parameter, and zeros before the first update.
    fn twin(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]);
}
