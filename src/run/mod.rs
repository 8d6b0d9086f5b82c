//! Runs that are never lost: a folder with checkpoints to resume from, the best model, and the losses line by line.
//!
//! [`train`] trains to the end, saves on the way, and resumes where an earlier process stopped, with the bits of an unbroken
//! run:
//!
//! ```no_run
//! use std::{ops::ControlFlow, path::Path};
//! use accrue::{data::Batch, gpu::{Choice, Gpu}, nn::{Model, ModelFile}, optim::Sgd};
//! use accrue::run::{self, Every, Options, RunFolder};
//! use accrue::train::{FitConfig, Settings, Trainer};
//!
//! # let (x, y) = (vec![0f32; 8000], vec![0f32; 1000]);
//! let gpu = Gpu::new(&Choice::default())?;
//! let model = Model::new(8, &[16.into(), "relu".into(), 1.into()], "mse")?;
//! let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
//! let mut trainer = Trainer::new(&gpu, &model, Settings { optimizer: Box::new(sgd), ..Settings::default() })?;
//! let (train, validation) = (Batch::values(&x[..6400], &y[..800]), Batch::values(&x[6400..], &y[800..]));
//! let fit = FitConfig { validation: Some(validation), shuffle: Some(0), ..FitConfig::new(train, 64, 100) };
//!
//! let folder = RunFolder::open(Path::new("runs/first"));
//! let options = Options { config: "momentum = 0.9\n".to_owned(), every: Every::Updates(100), ..Options::default() };
//! let finished = run::train(&folder, &mut trainer, &fit, &options, |event| {
//!     println!("{event:?}");
//!     ControlFlow::Continue(()) // Break(()) stops the run; the next call goes on with it
//! })?;
//! if let Some(best) = finished.best {
//!     println!("epoch {} was the best: {:?}", best.epoch, ModelFile::read(&folder.best())?.arrays["0.bias"]);
//! }
//! # Ok::<(), accrue::Error>(())
//! ```
//!
//! An app that wants to do more in between uses the parts: [`RunFolder::claim`] finds the run to resume, [`Claim::accept`]
//! compares it with the wanted one, [`Accepted::begin`] writes the files, and a [`Journal`] trains.

mod best;
mod checkpoints;
mod claim;
mod folder;
mod identity;
mod journal;
mod metrics;
mod saver;

use std::ops::ControlFlow;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use serde::{Deserialize, Serialize};

pub use best::{Best, Search};
pub use claim::{Accepted, Claim};
pub use folder::RunFolder;
pub use identity::{Identity, checksum};
pub use journal::Journal;
#[cfg(feature = "cli")]
pub(crate) use journal::WRITTEN;
pub use metrics::{EpochPoint, Line, UpdatePoint, Written};

use checkpoints::{Checkpoints, Found};
use folder::Lock;
use metrics::MetricsFile;
use saver::Saver;

use crate::nn::ModelFile;
use crate::train::metrics::Metric;
use crate::train::{Event, FitConfig, Outcome, Trainer};
use crate::{Error, Result};

/// When a run is saved while it trains. It is always saved at its end and when it is stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Every {
    /// After this many updates.
    Updates(u64),
    /// After this time.
    Time(Duration),
    /// Only at the end.
    End,
}

impl Default for Every {
    /// Ten minutes.
    fn default() -> Every {
        Every::Time(Duration::from_secs(600))
    }
}

/// How a run begins, is saved and stops. Messages call `fresh` and `take_changes` by the command's names: `--fresh` and
/// `--resume-with-changes`.
#[derive(Clone, Debug)]
pub struct Options {
    /// Everything that decides the run's result besides model, data and [`FitConfig`], such as the optimizer's settings, and
    /// the length of the run if a schedule depends on it: one `key = value` a line. A run saved with other lines is refused,
    /// and the error names the lines that differ.
    pub config: String,
    /// When the run is saved.
    pub every: Every,
    /// Whether to remove an existing run. Otherwise it is resumed.
    pub fresh: bool,
    /// Whether a run may resume with more epochs, on another adapter, or with another version of this crate.
    pub take_changes: bool,
    /// The validation metric by which the best model is kept.
    pub best: Metric,
    /// Ends the training after so many epochs in a row that are no better by that metric; without it all epochs are made.
    pub patience: Option<u32>,
    /// Stops the run once it is set, even in the middle of a window.
    pub stop: Arc<AtomicBool>,
    /// Gets a line for everything damaged or missing, and what is done about it.
    pub warn: fn(&str),
}

impl Default for Options {
    /// Resumes a run with the same settings, saves it every ten minutes, and logs warnings.
    fn default() -> Options {
        Options {
            config: String::new(),
            every: Every::default(),
            fresh: false,
            take_changes: false,
            best: Metric::Loss,
            patience: None,
            stop: Arc::default(),
            warn: |line| log::warn!("{line}"),
        }
    }
}

/// The outcome of a run.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Finished {
    /// Whether it is done or was stopped.
    pub outcome: Outcome,
    /// The best epoch, whose model is in [`RunFolder::best`]; `None` without validation.
    pub best: Option<Best>,
    /// The epoch after which the training ended, because [`Options::patience`] ran out; `None` if it did not.
    pub early: Option<u32>,
}

/// What a checkpoint stores besides the trainer's state.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
struct About {
    /// The identity of the run.
    pub identity: Identity,
    /// Bytes of `metrics.jsonl` at that moment.
    pub metrics: u64,
    /// The best epoch so far.
    #[serde(flatten)]
    pub search: Search,
}

impl About {
    /// Its text in a checkpoint.
    ///
    /// # Errors
    /// [`Error::Internal`] for a bug.
    pub fn text(&self) -> Result<String> {
        serde_json::to_string(self).map_err(|error| Error::Internal(format!("checkpoint: {error}")))
    }
}

/// Trains to the end and leaves model, best model, checkpoints and losses in the folder. A stopped run resumes where it was
/// saved. Every event goes to `on_event`, which may stop the run; the run is then saved.
///
/// `trainer` must be new, and made in the same way each time, except for its micro-batch. Leave its `open_blocks` on, the
/// default. With `options.patience` the training may end early, and [`RunFolder::best`] is the model to take.
///
/// # Errors
/// [`Error::Config`] if the folder has another run or foreign files, or is in use by another process; [`Error::Io`]; and those
/// of [`Run::advance`](crate::train::Run::advance).
pub fn train(
    folder: &RunFolder,
    trainer: &mut Trainer,
    fit: &FitConfig,
    options: &Options,
    on_event: impl FnMut(&Event) -> ControlFlow<()>,
) -> Result<Finished> {
    let claim = folder.claim(options)?;
    let data = checksum([&fit.train].into_iter().chain(&fit.validation).map(|batch| (batch, &[][..])));
    let identity = Identity::new(identity::of_fit(trainer.model(), fit, options), data, trainer.gpu().info());
    let mut journal = claim.accept(identity, options)?.begin(trainer.gpu().info(), options)?;
    let mut saved = ModelFile::unnamed(trainer.model());
    let outcome = journal.train(trainer, fit, &saved, &options.stop, on_event)?;
    saved.arrays = trainer.parameters()?;
    saved.write(&folder.model())?;
    Ok(Finished { outcome, best: journal.best(), early: journal.early() })
}
