//! Training: a [`Trainer`] takes micro-batches and makes updates; [`Trainer::fit`] does so for whole epochs.

mod auto;
mod faults;
mod fit;
pub mod metrics;
mod predictor;
mod profile;
mod settings;
mod submission;
mod trainer;
mod trial;
pub mod verify;
mod work;

pub use auto::{build, choose_micro_batch, fastest, fixed_micro_batch, plan_training};
pub use fit::{Event, Fit, Outcome};
pub use predictor::Predictor;
pub use settings::{LeftOut, Settings, Update};
pub use trainer::Trainer;
pub use trial::Trial;
