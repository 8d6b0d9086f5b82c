//! Samples as slices of the host's memory.

use super::{Dataset, Targets};

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
