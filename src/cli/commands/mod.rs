//! The commands, one file each.

mod devices;
mod eval;
mod predict;
mod train;

pub use devices::devices;
pub use eval::eval;
pub use predict::predict;
pub use train::train;

use super::args::Common;
use crate::Result;
use crate::gpu::{Choice, Gpu};

fn open(common: &Common) -> Result<Gpu> {
    Gpu::new(&Choice { name: common.adapter.clone() })
}
