//! Training: a [`Trainer`] takes micro-batches and makes updates; [`Trainer::fit`] does so for whole epochs.

mod ahead;
mod auto;
mod checkpoint;
mod clock;
mod commands;
mod encode;
mod fit;
mod format;
mod forward;
mod generate;
mod importance;
mod ledger;
pub mod metrics;
mod predictor;
mod rates;
mod run;
mod settings;
mod submitter;
mod time_model;
mod trainer;
mod trial;
pub mod verify;
mod window_state;

pub use auto::{build, choose_micro_batch, fastest, fixed_micro_batch, plan_training};
pub use checkpoint::Checkpoint;
pub use fit::{Event, FitConfig, OnNonFinite, Outcome};
pub use format::packing;
pub use generate::{Sampling, generate};
pub use importance::{Importance, Shuffling};
pub use predictor::Predictor;
pub use run::{Position, Run};
pub use settings::{LeftOut, Settings, Update};
pub use trainer::{Counters, State, Trainer};
pub use trial::SpeedTrial;
