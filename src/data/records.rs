//! Samples as they lie on the GPU: features, target and weight in one padded row.

use super::{Dataset, Targets};
use crate::graph::Record;
use crate::ops::Reads;
use crate::{Error, Result};

/// Samples in the host's memory, as slices: rows one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// (rows, features)
    pub features: &'a [f32],
    /// What the loss compares with.
    pub targets: Target<'a>,
    /// (rows); `None` where every row counts 1.
    pub weights: Option<&'a [f32]>,
}

impl<'a> Batch<'a> {
    /// Rows whose target is numbers.
    pub fn values(features: &'a [f32], values: &'a [f32]) -> Batch<'a> {
        Batch { features, targets: Target::Values(values), weights: None }
    }

    /// Rows whose target is the number of a class.
    pub fn classes(features: &'a [f32], labels: &'a [u32]) -> Batch<'a> {
        Batch { features, targets: Target::Classes(labels), weights: None }
    }

    /// The same rows, each counting as much as its weight says.
    pub fn weighted(self, weights: &'a [f32]) -> Batch<'a> {
        Batch { weights: Some(weights), ..self }
    }
}

/// What a loss compares with.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// (rows, outputs)
    Values(&'a [f32]),
    /// (rows): the number of each row's class
    Classes(&'a [u32]),
}

impl Dataset {
    /// All rows, as slices.
    pub fn batch(&self) -> Batch<'_> {
        let targets = match &self.targets {
            Targets::Classes { labels, .. } => Target::Classes(labels),
            Targets::Values { values, .. } => Target::Values(values),
        };
        Batch { features: &self.features.values, targets, weights: self.weights.as_deref() }
    }
}

/// What a model reads: the layout of a sample, the kind of target, and how many classes there are.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Format {
    pub record: Record,
    pub reads: Reads,
    pub outputs: usize,
}

impl Format {
    /// Rows of a batch, after checking that all of it fits the model.
    pub fn rows(&self, batch: &Batch) -> Result<usize> {
        let wrong = |message: String| Error::Shape { op: "batch", message };
        let rows = batch.features.len() / self.record.features.max(1);
        if rows == 0 || batch.features.len() != rows * self.record.features {
            let (given, wanted) = (batch.features.len(), self.record.features);
            return Err(wrong(format!("{given} numbers are no rows of {wanted} features")));
        }
        let (given, wanted) = match batch.targets {
            Target::Values(values) => (values.len(), rows * self.record.targets),
            Target::Classes(labels) => (labels.len(), rows),
        };
        if given != wanted {
            return Err(wrong(format!("{rows} rows of features, but {given} targets; {wanted} are wanted")));
        }
        match batch.weights {
            Some(weights) if weights.len() != rows => {
                Err(wrong(format!("{rows} rows of features, but {} weights", weights.len())))
            }
            _ => Ok(rows),
        }
    }

    /// Appends the records of all rows of a batch.
    pub fn write(&self, batch: &Batch, into: &mut Vec<f32>) -> Result<()> {
        let rows = self.rows(batch)?;
        self.write_rows(batch, 0..rows, into)
    }

    /// Appends the records of some rows of a batch that [`Format::rows`] has checked.
    pub fn write_rows(
        &self,
        batch: &Batch,
        rows: impl ExactSizeIterator<Item = usize>,
        into: &mut Vec<f32>,
    ) -> Result<()> {
        let Record { features, targets, target_at, weight_at, stride } = self.record;
        let classes = if self.reads == Reads::Flags { 2 } else { self.outputs };
        let before = into.len();
        into.resize(before + rows.len() * stride, 0.0);
        for (r, record) in rows.zip(into[before..].chunks_mut(stride)) {
            record[..features].copy_from_slice(&batch.features[r * features..][..features]);
            match (batch.targets, self.reads) {
                (Target::Values(values), Reads::Values | Reads::Flags) => {
                    record[target_at..][..targets].copy_from_slice(&values[r * targets..][..targets]);
                }
                (Target::Classes(labels), Reads::Class | Reads::Flags) if (labels[r] as usize) < classes => {
                    record[target_at] = labels[r] as f32;
                }
                (Target::Classes(labels), Reads::Class | Reads::Flags) => {
                    let message = format!("row {r} is of class {}, but the model has {classes}", labels[r]);
                    return Err(Error::Shape { op: "batch", message });
                }
                (Target::Values(_), Reads::Class) => {
                    let message = "the model's loss wants classes, but the targets are numbers".to_owned();
                    return Err(Error::Shape { op: "batch", message });
                }
                (Target::Classes(_), Reads::Values) => {
                    let message = "the model's loss wants numbers, but the targets are classes".to_owned();
                    return Err(Error::Shape { op: "batch", message });
                }
            }
            let weight = batch.weights.map_or(1.0, |weights| weights[r]);
            if !(weight.is_finite() && weight >= 0.0) {
                return Err(Error::Shape {
                    op: "batch",
                    message: format!("row {r} has weight {weight}; give a number from 0"),
                });
            }
            record[weight_at] = weight;
            if weight == 0.0 {
                // It counts nothing, so what is not a number in it must not either: 0 · NaN would.
                record.fill(0.0);
            }
        }
        Ok(())
    }
}
