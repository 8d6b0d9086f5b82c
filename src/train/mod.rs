//! Training: a [`Trainer`] takes micro-batches and makes updates; [`Trainer::fit`] does so for whole epochs.

mod advance_within;
mod auto;
mod checkpoint;
mod encode;
mod faults;
mod fit;
mod locate_nonfinite;
pub mod metrics;
mod pace;
mod position;
mod predictor;
mod profile;
mod run;
mod schedule;
mod settings;
mod state;
mod submission;
mod tally;
mod trainer;
mod trial;
pub mod verify;
mod work;

pub use auto::{build, choose_micro_batch, fastest, fixed_micro_batch, plan_training};
pub use checkpoint::Checkpoint;
pub use fit::{Event, FitConfig, OnNonFinite, Outcome};
pub use position::Position;
pub use predictor::Predictor;
pub use run::Run;
pub use settings::{LeftOut, Settings, Update};
pub use state::{Counters, State};
pub use trainer::Trainer;
pub use trial::Trial;
