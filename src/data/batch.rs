//! Samples as slices of the host's memory.

use super::{Dataset, Elements, Sequences, Targets};

/// Samples in the host's memory, as slices: rows one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a> {
    /// (rows, features), in any type that a float holds exactly; of a text, the line of tokens
    pub features: Elements<'a>,
    /// What the loss compares with.
    pub targets: Target<'a>,
    /// (rows), or (rows, positions) where each position of the output counts by itself; `None` where all count 1.
    pub weights: Option<&'a [f32]>,
}

impl<'a> Batch<'a> {
    /// Rows whose target is numbers.
    pub fn values(features: impl Into<Elements<'a>>, values: &'a [f32]) -> Batch<'a> {
        Batch { features: features.into(), targets: Target::Values(values), weights: None }
    }

    /// Rows whose target is the number of a class.
    pub fn classes(features: impl Into<Elements<'a>>, labels: &'a [u32]) -> Batch<'a> {
        Batch { features: features.into(), targets: Target::Classes(labels), weights: None }
    }

    /// Sequences of a line of tokens, whole numbers. The rows are the sequences.
    pub fn sequences(tokens: impl Into<Elements<'a>>, sequences: Sequences) -> Batch<'a> {
        Batch { features: tokens.into(), targets: Target::Next(sequences), weights: None }
    }

    /// The same rows, each counting as much as its weight says.
    pub fn weighted(self, weights: &'a [f32]) -> Batch<'a> {
        Batch { weights: Some(weights), ..self }
    }
}

/// What a loss compares with.
#[derive(Clone, Copy, Debug)]
pub enum Target<'a> {
    /// (rows, outputs), or (rows, positions, outputs)
    Values(&'a [f32]),
    /// (rows), or (rows, positions): the number of each one's class
    Classes(&'a [u32]),
    /// For each token of a sequence the one that follows it in the line of tokens.
    Next(Sequences),
}

impl Dataset {
    /// All rows, as slices.
    pub fn batch(&self) -> Batch<'_> {
        let targets = match &self.targets {
            Targets::Classes { labels, .. } => Target::Classes(labels),
            Targets::Values { values, .. } => Target::Values(values),
            Targets::Next { sequences, .. } => Target::Next(*sequences),
        };
        Batch { features: self.features.values.elements(), targets, weights: self.weights.as_deref() }
    }
}
