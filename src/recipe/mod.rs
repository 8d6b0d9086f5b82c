//! From a configuration to data, model, trainer and run: what `accrue train` does, for an app.
//!
//! A [`Config`] is a TOML file or plain data. A [`Session`] is a configuration with its data, ready for a device; it finds the
//! micro-batch that fits the memory. [`Config::train`] does all of it and writes a [`RunFolder`](crate::run::RunFolder):
//!
//! ```no_run
//! use std::{ops::ControlFlow, path::Path};
//! use accrue::gpu::{Choice, Gpu};
//! use accrue::recipe::{Config, ModelRows, predictor};
//! use accrue::{nn::ModelFile, run::{Options, RunFolder}};
//!
//! let config = Config::load(Path::new("config.toml"), &["train.epochs=5".to_owned()])?;
//! let (gpu, folder) = (Gpu::new(&Choice::default())?, RunFolder::open(Path::new("runs/first")));
//! config.train(&gpu, &folder, &Options::default(), |_event| ControlFlow::Continue(()))?;
//!
//! let saved = ModelFile::read(&RunFolder::model_of(folder.path(), false)?)?;
//! let rows = ModelRows::features(&saved, Path::new("new.csv"))?;
//! let outputs = predictor(&gpu, &saved, rows.data.rows())?.predict(&rows.data.features.values.to_f32())?;
//! # Ok::<(), accrue::Error>(())
//! ```
//!
//! [`Fold`] divides the rows for a cross-validation, and [`LrRange`] finds a learning rate.

mod best;
mod check;
mod class_weight;
mod config;
mod folds;
pub mod keys;
mod load;
mod lr_range;
pub mod overrides;
mod prepare;
mod proposal;
#[cfg(test)]
mod readme;
mod refit;
mod rows;
mod schema;
mod session;
pub mod settings;
mod template;
mod text;
mod train;

pub use class_weight::{ClassWeight, ClassWeightRule};
pub use config::{
    Automatic, Batch, BatchUnit, Checkpoint, Config, Cut, Data, Memory, MicroBatch, Model, Names, Optimizer, Output,
    Standardize, Tokens, Train, Validation, class_losses, number_losses,
};
pub use folds::{BestEpoch, Fold};
pub use lr_range::{Curve, Ending, LrRange, Point, Proposed};
pub use prepare::{Prepared, unit};
pub use proposal::{Proposal, propose, propose_images};
pub use rows::{ModelRows, predictor};
pub use schema::schema;
pub use session::Session;
pub use template::template;
pub use text::{measure_text, tokenizer_of};
