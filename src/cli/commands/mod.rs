//! The commands, one file each.

mod bench;
mod devices;
mod doctor;
mod eval;
mod init;
mod plan;
mod predict;
mod train;
mod tune;
mod verify;

pub use bench::bench;
pub use devices::devices;
pub use doctor::doctor;
pub use eval::eval;
pub use init::init;
pub use plan::plan;
pub use predict::predict;
pub use train::train;
pub use tune::tune;
pub use verify::verify;

use super::args::Common;
use crate::gpu::{Choice, Gpu};
use crate::nn::ModelFile;
use crate::train::Predictor;
use crate::{Error, Result};

fn open(common: &Common) -> Result<Gpu> {
    Gpu::new(&Choice { name: common.adapter.clone(), passed_over: common.passed_over, ..Choice::default() })
}

/// A saved model on the device, for as many rows at once as fit; how many does not change a bit of the outputs.
fn predictor(gpu: &Gpu, saved: &ModelFile, mut rows: usize) -> Result<Predictor> {
    loop {
        match Predictor::new(gpu, &saved.model, &saved.arrays, rows) {
            Err(Error::Memory(_)) if rows > 1 => rows = rows.div_ceil(2),
            done => return done,
        }
    }
}
