//! Trains neural networks on any GPU, with WGSL compute shaders through [`wgpu`], inside your app or from the command line.
#![deny(unsafe_code)]
#![warn(missing_docs)]

pub mod backward;
#[cfg(feature = "cli")]
pub mod cli;
pub mod data;
mod error;
pub mod gpu;
pub mod graph;
pub mod nearest;
pub mod nn;
pub mod ops;
pub mod optim;
pub mod plan;
pub mod train;
pub mod twin;
pub mod window;

pub use error::{Error, Result};
pub use wgpu;
