//! Kernels beside their twins, one dispatch at a time, on any device.

pub mod case;
pub mod compare;
mod numbers;
pub mod rig;
mod tolerance;
pub mod updates;

pub use case::Case;
pub use numbers::Numbers;
