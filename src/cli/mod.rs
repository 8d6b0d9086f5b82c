//! The command `accrue`: its arguments and its configuration file.

pub mod args;
mod check;
pub mod config;
pub mod init;
pub mod keys;
mod load;
pub mod overrides;
pub mod settings;

pub use args::{Cli, Command};
pub use config::Config;
pub use crate::window::{Partition, resolve_partition};
