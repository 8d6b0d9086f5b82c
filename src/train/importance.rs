//! How much parts of the features matter to a model: what it loses when they are shuffled.

use std::ops::Range;

use super::metrics::{Evaluation, evaluate};
use crate::Result;
use crate::data::Dataset;
use crate::nn::Model;
use crate::random::{Purpose, shuffled, stream};

/// The most rows to shuffle.
const MOST_ROWS: usize = 2000;

/// The fewest rows to shuffle, unless there are fewer: fewer say nothing.
const LEAST_ROWS: usize = 30;

/// The most numbers to predict from at once.
const MOST_NUMBERS: usize = 1 << 24;

/// How often a part is shuffled, at most.
const MOST_SHUFFLES: u64 = 5;

/// The permutation importance of parts of the features.
#[derive(Clone, Debug, PartialEq)]
pub struct Importance {
    /// The metric: the first of [`Evaluation::metrics`].
    pub metric: &'static str,
    /// Its value on the rows as they are.
    pub value: f64,
    /// For each part, its mean value on the rows with the features of the part shuffled among them.
    pub shuffled: Vec<f64>,
    /// How many rows there are.
    pub rows: usize,
    /// How often each part was shuffled.
    pub times: u64,
}

/// The features, all rows' targets, and what is to be shuffled.
pub struct Shuffling<'a> {
    /// The model.
    pub model: &'a Model,
    /// The rows to measure on.
    pub data: &'a Dataset,
    /// The features of each part.
    pub parts: &'a [Range<usize>],
    /// For numbers: the size of each output's unit in the target's own unit.
    pub unit: Option<&'a [f64]>,
    /// Decides how rows are shuffled, and which are taken where there are too many.
    pub seed: u64,
    /// The most rows to predict, all parts together.
    pub most: u64,
}

impl Shuffling<'_> {
    /// Shuffles each part's features among the rows and measures the model: a part that it does not use changes nothing.
    /// `predict` returns outputs (rows, outputs) for features (rows, features).
    ///
    /// `None` if `most` is too few for every part.
    ///
    /// # Errors
    /// Those of `predict`; [`Error::Shape`](crate::Error::Shape) if data and model do not fit each other.
    pub fn measure(&self, mut predict: impl FnMut(&[f32]) -> Result<Vec<f32>>) -> Result<Option<Importance>> {
        let Some((rows, times)) = self.work() else { return Ok(None) };
        let data = self.data.select(&self.taken(rows))?;
        let features = data.features.values.to_f32();
        let whole = self.evaluate(&data, &predict(&features)?)?;
        let Some(&(metric, value)) = whole.metrics.first() else { return Ok(None) };
        let mut changed = features.to_vec();
        let mut means = Vec::new();
        for (part, places) in self.parts.iter().enumerate() {
            let mut sum = 0.0;
            for time in 0..times {
                let order = self.order(1 + part as u64 * MOST_SHUFFLES + time, rows);
                copy(&features, &mut changed, places, |row| order[row] as usize, self.model.inputs);
                sum += self.evaluate(&data, &predict(&changed)?)?.metric(metric).unwrap_or(f64::NAN);
            }
            copy(&features, &mut changed, places, |row| row, self.model.inputs);
            means.push(sum / times as f64);
        }
        Ok(Some(Importance { metric, value, shuffled: means, rows, times }))
    }

    /// How many rows to shuffle how often.
    fn work(&self) -> Option<(usize, u64)> {
        let (parts, all) = (self.parts.len() as u64, self.data.rows());
        let each = self.most.checked_div(parts)?;
        let rows = all.min(MOST_ROWS).min(MOST_NUMBERS / self.model.inputs.max(1)).min(each as usize);
        let enough = rows >= all.min(LEAST_ROWS) && rows > 1;
        enough.then(|| (rows, (each / rows as u64).clamp(1, MOST_SHUFFLES)))
    }

    /// The rows that are taken, in their order.
    fn taken(&self, rows: usize) -> Vec<usize> {
        if rows == self.data.rows() {
            return (0..rows).collect();
        }
        let mut taken: Vec<usize> = self.order(0, self.data.rows()).into_iter().map(|row| row as usize).collect();
        taken.truncate(rows);
        taken.sort_unstable();
        taken
    }

    fn order(&self, index: u64, rows: usize) -> Vec<u32> {
        shuffled(&mut stream(self.seed, Purpose::Importance, index), rows as u32)
    }

    fn evaluate(&self, data: &Dataset, outputs: &[f32]) -> Result<Evaluation> {
        evaluate(self.model, outputs, &data.batch(), self.unit)
    }
}

/// Copies some columns of all rows, each from the row that `from` says.
fn copy(all: &[f32], into: &mut [f32], columns: &Range<usize>, from: impl Fn(usize) -> usize, width: usize) {
    for (row, cells) in into.chunks_exact_mut(width).enumerate() {
        let source = &all[from(row) * width..][..width];
        cells[columns.clone()].copy_from_slice(&source[columns.clone()]);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Features, Targets};

    /// Rows of three features; the target is the first.
    fn rows(count: usize) -> Dataset {
        let number = |at: usize| ((at * 37 % 101) as f32 - 50.0) / 13.0;
        let values: Vec<f32> = (0..3 * count).map(number).collect();
        let first = values.chunks(3).map(|row| row[0]).collect();
        let names = ["a", "b", "c"].map(str::to_owned).to_vec();
        Dataset {
            features: Features { names, shape: vec![], values: values.into() },
            targets: Targets::Values { names: vec!["y".to_owned()], values: first },
            weights: None,
        }
    }

    fn measure(data: &Dataset, most: u64, seen: &mut Vec<usize>) -> Option<Importance> {
        let model = Model::new(3, &[1.into()], "mse").unwrap();
        let shuffling = Shuffling { model: &model, data, parts: &[0..1, 1..3], unit: Some(&[2.0]), seed: 7, most };
        // A model that says the first feature.
        let predict = |features: &[f32]| {
            seen.push(features.len() / 3);
            Ok(features.chunks(3).map(|row| row[0]).collect())
        };
        shuffling.measure(predict).unwrap()
    }

    #[test]
    fn a_part_that_is_used_matters_and_one_that_is_not_does_not() {
        let (data, mut seen) = (rows(60), Vec::new());
        let found = measure(&data, u64::MAX, &mut seen).unwrap();
        assert_eq!((found.metric, found.value, found.rows, found.times), ("rmse", 0.0, 60, 5));
        // The deviation of the difference of two independent numbers is √2 times their own: 2 · √2 · 2.24.
        assert!(found.shuffled[0] > 4.0 && found.shuffled[0] < 9.0 && found.shuffled[1] == 0.0, "{found:?}");
        assert_eq!(seen, [60; 11]);
        assert_eq!(measure(&data, u64::MAX, &mut seen), Some(found), "the same seed gives the same");
    }

    #[test]
    fn no_more_rows_are_predicted_than_allowed() {
        let mut seen = Vec::new();
        let found = measure(&rows(60), 100, &mut seen).unwrap();
        assert_eq!((found.rows, found.times, seen), (50, 1, vec![50; 3]));
        for most in [0, 59] {
            let mut seen = Vec::new();
            assert!(measure(&rows(60), most, &mut seen).is_none() && seen.is_empty(), "{most}");
        }
        let (mut seen, few) = (Vec::new(), rows(5));
        assert_eq!(measure(&few, 1000, &mut seen).unwrap().rows, 5);
        assert_eq!(measure(&rows(3000), u64::MAX, &mut seen).unwrap().rows, MOST_ROWS);
    }
}
