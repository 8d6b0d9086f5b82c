//! The rows of a CSV file as a saved model takes them: some at a time, standardised.

use std::fs::File;

use crate::data::csv::Chunks;
use crate::data::{Dataset, Targets};
use crate::nn::{ModelFile, TargetNames};
use crate::{Error, Result};

/// Rows that are read and predicted at once, if they fit.
const ROWS: usize = 1024;

/// Numbers of features or outputs that are in memory at once, unless one row has more.
const NUMBERS: usize = 1 << 20;

/// Rows of a file, at first those it begins with.
pub struct ModelRows<'a> {
    chunks: Chunks<'a, File>,
    saved: &'a ModelFile,
    most: usize,
    /// The present rows.
    pub data: Dataset,
    /// How many rows came before them.
    pub before: usize,
}

impl<'a> ModelRows<'a> {
    /// The first rows of a file whose header was read.
    pub fn new(saved: &'a ModelFile, chunks: Chunks<'a, File>) -> Result<Self> {
        let widest = saved.model.inputs.max(saved.model.outputs());
        let most = (NUMBERS / widest).clamp(1, ROWS);
        let data = chunks.empty();
        let mut rows = ModelRows { chunks, saved, most, data, before: 0 };
        rows.read()?;
        Ok(rows)
    }

    /// Goes on to the next rows, if there are any.
    pub fn advance(&mut self) -> Result<bool> {
        self.before += self.data.rows();
        self.read()
    }

    /// Rows up to and with the present ones.
    pub fn so_far(&self) -> usize {
        self.before + self.data.rows()
    }

    fn read(&mut self) -> Result<bool> {
        if !self.chunks.fill(&mut self.data, self.most)? {
            return Ok(false);
        }
        if let Some(scale) = &self.saved.feature_scale {
            scale.apply_from(&mut self.data.features.values, self.saved.features.len(), self.before)?;
        }
        if let (TargetNames::Values { scale: Some(scale), .. }, Targets::Values { names, values }) =
            (&self.saved.target, &mut self.data.targets)
            && !names.is_empty()
        {
            scale.apply_from(values, names.len(), self.before)?;
        }
        Ok(true)
    }
}

/// Opens a file of data.
pub fn open(path: &std::path::Path) -> Result<File> {
    File::open(path).map_err(|error| Error::io(path, error))
}
