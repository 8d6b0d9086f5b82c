//! What turns gradients into new parameters. An optimizer is one file here and one in `shaders/`: one kernel that reads
//! the sums of the window and divides them, once, by the window's weight.

mod adam;
mod clip;
mod schedule;
mod sgd;

pub use adam::Adam;
pub use clip::Clip;
pub(crate) use clip::STRETCH;
pub use schedule::{Scaling, Schedule, ScheduleShape};
pub use sgd::Sgd;

use crate::gpu::{Scalar, Shader};
use crate::graph::{Span, Step};
use crate::{Error, Result};

/// The shaders of all optimizers.
pub static SHADERS: &[&Shader] = &[&sgd::SHADER, &sgd::MOMENTUM, &adam::SHADER, &clip::SHADER];

/// An optimizer: its state, its kernel and the numbers that change from update to update.
pub trait Optimizer: Send + Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Refuses settings that it cannot work with.
    ///
    /// # Errors
    /// [`Error::Config`] naming the setting.
    fn check(&self) -> Result<()>;

    /// Floats that it remembers of each parameter.
    fn state_slots(&self) -> usize;

    /// The dispatch that updates a stretch of the parameters.
    fn step(&self, span: Span) -> Step;

    /// The kernel's `scalars` in the update of this number, counted from 1.
    fn scalars(&self, update: u64, lr: f64) -> Vec<(&'static str, Scalar)>;

    /// The same update in f64. `gradient` is normalised; `moments` holds what [`Optimizer::state_slots`] says, parameter by
    /// parameter, and zeros before the first update.
    fn reference(&self, update: u64, lr: f64, gradient: &[f64], parameters: &mut [f64], moments: &mut [f64]);
}

/// Refuses a rate that is negative or not finite.
fn rate(name: &str, value: f64) -> Result<()> {
    if value >= 0.0 && (value as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config(format!("optimizer.{name}"), format!("{value}; give a number from 0")))
}

/// Refuses what is not above 0, as a float too.
fn positive(name: &str, value: f64) -> Result<()> {
    if value as f32 > 0.0 && (value as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config(format!("optimizer.{name}"), format!("{value}; give a number above 0")))
}
