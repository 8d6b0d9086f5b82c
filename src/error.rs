//! The one error type of the library. Each message says what was given, what was wanted and what to do.

use std::path::{Path, PathBuf};

/// Everything that can go wrong. Each message names the place, what was found there and the remedy.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum Error {
    /// An invalid setting, or two that contradict each other.
    #[error("{field}: {message}")]
    Config {
        /// Dotted path of the setting, as in `train.batch`.
        field: String,
        /// What was found and what to write instead.
        message: String,
    },

    /// Data that cannot be trained on or predicted from.
    #[error("{place}: {message}")]
    Data {
        /// File, line and column, as far as known.
        place: String,
        /// What was found and what was wanted.
        message: String,
    },

    /// A tensor has the wrong shape for the operation.
    #[error("{op}: {message}")]
    Shape {
        /// The operation.
        op: &'static str,
        /// Both shapes, and what would fit.
        message: String,
    },

    /// No adapter matches the request.
    #[error("{0}")]
    NoAdapter(String),

    /// The adapter's driver does not compile a kernel that is needed.
    #[error(
        "{adapter} does not compile the kernel {kernel} ({message}); update its driver, or take another adapter \
         (`accrue devices` lists them)"
    )]
    Kernel {
        /// Name, back end and driver of the adapter.
        adapter: String,
        /// The kernel, with its constants.
        kernel: String,
        /// The driver's message.
        message: String,
    },

    /// The device is gone, or did not finish its work.
    #[error("the GPU stopped answering: {0}")]
    DeviceLost(String),

    /// The plan does not fit the adapter or the budget.
    #[error("{0}")]
    Memory(String),

    /// Training came to infinite numbers or NaN. The parameters stay finite: the update was not made; or, if the update itself
    /// would have made such numbers, the parameters concerned kept their values.
    #[error("{} is not finite{}; {}", found.of(*update), Suspect::words(suspect.as_ref()), found.remedy())]
    Diverged {
        /// The update, counted from 1.
        update: u64,
        /// What was seen first.
        found: NotFinite,
        /// Where in the window, if it was located.
        suspect: Option<Suspect>,
    },

    /// A file could not be read or written.
    #[error("{}: {source}", path.display())]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's error.
        source: std::io::Error,
    },

    /// A model file that is damaged or does not belong to this model.
    #[error("{}: {message}", path.display())]
    ModelFile {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        message: String,
    },

    /// The driver refused something that we believed valid. Please report it.
    #[error("internal error: {0}")]
    Internal(String),
}

/// What is infinite or NaN, in the order in which a window computes it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotFinite {
    /// The window's loss, or its weight.
    Loss,
    /// The gradient of a finite loss.
    Gradient,
    /// A new parameter or optimizer state, from a finite gradient.
    Parameter,
}

/// The part of a window that makes its numbers not finite.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Suspect {
    /// The rows of the window, counted from 0, of the first micro-batch that is not finite by itself.
    pub rows: std::ops::Range<u32>,
    /// The first of its samples that is not finite by itself, as its row in the training data, counted from 0; `None` if it
    /// takes several samples, if the next sample is not finite either, or if the search took more than ten seconds.
    pub sample: Option<u32>,
}

impl Suspect {
    fn words(suspect: Option<&Suspect>) -> String {
        let Some(Suspect { rows, sample }) = suspect else { return String::new() };
        let rows = format!(", first in rows {} to {} of its window", rows.start, rows.end - 1);
        match sample {
            Some(sample) => format!("{rows}, where row {sample} of the training data alone makes it so"),
            None => rows,
        }
    }
}

impl NotFinite {
    fn of(self, update: u64) -> String {
        match self {
            NotFinite::Loss => format!("the loss of update {update}"),
            NotFinite::Gradient => format!("the gradient of update {update}, whose loss is finite,"),
            NotFinite::Parameter => format!("a parameter or optimizer state that update {update} would have made"),
        }
    }

    fn remedy(self) -> &'static str {
        match self {
            NotFinite::Loss => {
                "lower optimizer.lr, look for extreme values in the data, or leave such windows out (train.on_nonfinite = \"skip\")"
            }
            NotFinite::Gradient => {
                "lower optimizer.lr, look for extreme values and weights in the data, or leave such windows out \
                 (train.on_nonfinite = \"skip\")"
            }
            NotFinite::Parameter => {
                "it stays as it was, and no update is made after this one; lower optimizer.lr or set optimizer.clip_norm"
            }
        }
    }
}

/// `Result` with this crate's [`Error`].
pub type Result<T, E = Error> = std::result::Result<T, E>;

impl Error {
    /// An invalid setting.
    pub fn config(field: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Config { field: field.into(), message: message.into() }
    }

    /// Invalid data.
    pub fn data(place: impl Into<String>, message: impl Into<String>) -> Self {
        Error::Data { place: place.into(), message: message.into() }
    }

    /// A file that could not be read or written.
    pub fn io(path: &Path, source: std::io::Error) -> Self {
        Error::Io { path: path.to_owned(), source }
    }
}
