//! The rows of a file, prepared for a saved model: some at a time, standardised.

use std::path::Path;

use crate::data::table::{Counted, Counts, Dialect, Encoding, Preparation, Reads, Weighing, open_alike};
use crate::data::{Chunks, Dataset, Spec, TargetKind, Targets};
use crate::gpu::Gpu;
use crate::nn::{ModelFile, TargetNames};
use crate::train::Predictor;
use crate::{Error, Result};

/// Rows read and predicted at once, if they fit.
const ROWS: usize = 1024;

/// Most numbers of features or outputs in memory at once, unless one row has more.
const NUMBERS: usize = 1 << 20;

/// Rows of a file; at first, its beginning.
pub struct ModelRows<'a> {
    chunks: Chunks<'static>,
    saved: &'a ModelFile,
    most: usize,
    /// What was noticed while a table was prepared.
    counted: Option<Counted>,
    /// The current rows.
    pub data: Dataset,
    /// The number of rows before them.
    pub before: usize,
}

impl<'a> ModelRows<'a> {
    /// Reads the first rows of a file with the columns of the training data, including the target. `weight` is the column
    /// that says how much each row counts.
    ///
    /// # Errors
    /// [`Error::Io`]; [`Error::Data`] if the file does not fit the model.
    pub fn with_targets(saved: &'a ModelFile, path: &Path, weight: Option<String>) -> Result<Self> {
        no_text(saved)?;
        if let Some(preparation) = &saved.preparation {
            let weight = weight.map(|name| Weighing { name, dialect: dialect(preparation) });
            let preparation = Preparation { weight, ..preparation.clone() };
            return Self::of_table(saved, path, &preparation, Reads::Everything);
        }
        let (target, kind) = match &saved.target {
            TargetNames::Classes { name, classes } => (vec![name.clone()], TargetKind::KnownClasses(classes.clone())),
            TargetNames::Values { names, .. } => (names.clone(), TargetKind::Values),
        };
        let spec = Spec { target, kind, weight, ..Spec::features(&saved.features) };
        Self::new(saved, Chunks::open(path, &spec)?, None)
    }

    /// Reads the first rows of a file with the feature columns of the training data.
    ///
    /// # Errors
    /// As [`ModelRows::with_targets`].
    pub fn features(saved: &'a ModelFile, path: &Path) -> Result<Self> {
        no_text(saved)?;
        match &saved.preparation {
            Some(preparation) => Self::of_table(saved, path, preparation, Reads::Features),
            None => Self::new(saved, Chunks::open(path, &Spec::features(&saved.features))?, None),
        }
    }

    fn of_table(saved: &'a ModelFile, path: &Path, preparation: &Preparation, reads: Reads) -> Result<Self> {
        let (chunks, counted) = Chunks::prepared(open_alike(path, &saved.reading)?, preparation, reads)?;
        Self::new(saved, chunks, Some(counted))
    }

    fn new(saved: &'a ModelFile, chunks: Chunks<'static>, counted: Option<Counted>) -> Result<Self> {
        if saved.model.positions() > 1 {
            let made = saved.model.output();
            let message = format!("the last layer makes {made}, but what is read here are rows with one output each");
            return Err(Error::config("model.layers", message));
        }
        let widest = saved.model.inputs.max(saved.model.outputs());
        let most = (NUMBERS / widest).clamp(1, ROWS);
        let data = chunks.empty();
        let mut rows = ModelRows { chunks, saved, most, counted, data, before: 0 };
        rows.read()?;
        Ok(rows)
    }

    /// What was noticed in the rows read so far, column by column of the model's preparation; `None` without one.
    pub fn noticed(&self) -> Option<Counts> {
        self.counted.as_ref().map(Counted::now)
    }

    /// What the current rows are called, such as their files; empty where rows have no names.
    pub fn names(&self) -> &[String] {
        self.chunks.names()
    }

    /// Reads the next rows, if there are any.
    pub fn advance(&mut self) -> Result<bool> {
        self.before += self.data.rows();
        self.read()
    }

    /// The number of rows up to and including the current ones.
    pub fn so_far(&self) -> usize {
        self.before + self.data.rows()
    }

    fn read(&mut self) -> Result<bool> {
        if !self.chunks.fill(&mut self.data, self.most)? {
            return Ok(false);
        }
        if let Some(scale) = &self.saved.feature_scale {
            scale.apply_from(self.data.features.values.floats(), self.saved.features.len(), self.before)?;
        }
        // A preparation scales the targets from their text.
        if let (None, TargetNames::Values { scale: Some(scale), .. }, Targets::Values { names, values }) =
            (&self.counted, &self.saved.target, &mut self.data.targets)
            && !names.is_empty()
        {
            scale.apply_from(values, names.len(), self.before)?;
        }
        Ok(true)
    }
}

/// A text has no rows.
fn no_text(saved: &ModelFile) -> Result<()> {
    if saved.tokenizer.is_none() {
        return Ok(());
    }
    let message = "is one of texts, not of rows; accrue generate writes with it, and accrue eval measures it on a text";
    Err(Error::config("model", message))
}

/// How numbers of the table are written, whose column the model does not know: as those of the first number that it knows.
fn dialect(preparation: &Preparation) -> Dialect {
    let first = preparation.columns.iter().find_map(|column| match &column.encoding {
        Encoding::Number { dialect, .. } => Some(dialect.decimal),
        _ => None,
    });
    Dialect { decimal: first.unwrap_or('.'), ..Dialect::default() }
}

/// A saved model on the device, with as many rows at once as fit; their number changes no bit of the outputs.
///
/// # Errors
/// Those of [`Predictor::new`]; [`Error::Memory`] if not even one row fits.
pub fn predictor(gpu: &Gpu, saved: &ModelFile, mut rows: usize) -> Result<Predictor> {
    loop {
        match Predictor::new(gpu, &saved.model, &saved.arrays, rows) {
            Err(Error::Memory(_)) if rows > 1 => rows = rows.div_ceil(2),
            done => return done,
        }
    }
}
