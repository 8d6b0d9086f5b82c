//! Loss and metrics of rows that come some at a time: the same as [`evaluate`](crate::train::metrics::evaluate) gives for all
//! of them together.

use crate::data::{Dataset, Targets};
use crate::nn::Model;
use crate::ops;
use crate::train::metrics::{Evaluation, class_of};
use crate::twin::Matrix;
use crate::{Error, Result};

/// What is known of the rows so far.
pub struct Tally<'a> {
    model: &'a Model,
    /// For numbers, the size of each output's unit in the target's own.
    unit: Option<&'a [f64]>,
    weight: f64,
    loss: f64,
    /// The weight of the rows whose class was found.
    right: f64,
    /// One for each target that is a number.
    moments: Vec<Moments>,
}

/// Sums over the rows of one target.
#[derive(Clone, Default)]
struct Moments {
    mean: f64,
    /// Σ w (t - mean)²
    spread: f64,
    /// Σ w (y - t)²
    error: f64,
}

impl<'a> Tally<'a> {
    /// Of no rows.
    pub fn new(model: &'a Model, unit: Option<&'a [f64]>) -> Self {
        Tally { model, unit, weight: 0.0, loss: 0.0, right: 0.0, moments: Vec::new() }
    }

    /// Takes in the outputs for some rows.
    pub fn add(&mut self, outputs: &[f32], data: &Dataset) -> Result<()> {
        let (rows, columns) = (data.rows(), self.model.outputs());
        let t = targets(data);
        let fits = outputs.len() == rows * columns && t.rows == rows && t.columns == self.model.targets();
        let op = ops::find(&self.model.loss).filter(|_| fits);
        let op = op.ok_or_else(|| Error::Internal(format!("{} outputs for {rows} rows", outputs.len())))?;
        let y = Matrix::from_f32(rows, columns, outputs);
        let losses = op.twin_forward(&[&y, &t]);
        for row in 0..rows {
            let weight = data.weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]));
            // A row of weight 0 leaves no trace, whatever its value is.
            if weight == 0.0 {
                continue;
            }
            self.weight += weight;
            self.loss += weight * losses.at(row, 0);
            match &data.targets {
                Targets::Classes { labels, .. } => {
                    let found = class_of(&outputs[row * columns..][..columns]);
                    self.right += weight * f64::from(u8::from(found == labels[row] as usize));
                }
                Targets::Values { .. } => self.add_numbers(row, weight, &y, &t),
            }
        }
        Ok(())
    }

    /// The mean moves along with the rows, as by Welford, so that one pass is enough.
    fn add_numbers(&mut self, row: usize, weight: f64, y: &Matrix, t: &Matrix) {
        self.moments.resize(t.columns, Moments::default());
        for (column, Moments { mean, spread, error }) in self.moments.iter_mut().enumerate() {
            let value = t.at(row, column);
            let away = value - *mean;
            *mean += away * (weight / self.weight);
            *spread += weight * away * (value - *mean);
            *error += weight * (y.at(row, column) - value).powi(2);
        }
    }

    /// Loss and metrics of all rows.
    pub fn finish(self) -> Evaluation {
        let Tally { unit, weight, loss, right, moments, .. } = self;
        let metrics = if moments.is_empty() {
            vec![("accuracy", right / weight)]
        } else {
            let (mut squares, mut r2) = (0.0, 0.0);
            for (column, Moments { spread, error, .. }) in moments.iter().enumerate() {
                let size = unit.map_or(1.0, |unit| unit[column]);
                squares += size * size * error / weight;
                // A target that never changes can only be hit or missed.
                r2 += if *spread > 0.0 { 1.0 - error / spread } else { f64::from(u8::from(*error == 0.0)) };
            }
            let columns = moments.len() as f64;
            vec![("rmse", (squares / columns).sqrt()), ("r2", r2 / columns)]
        };
        Evaluation { loss: loss / weight, metrics }
    }
}

fn targets(data: &Dataset) -> Matrix {
    let (columns, values): (_, Vec<f64>) = match &data.targets {
        Targets::Values { names, values } => (names.len(), values.iter().map(|&v| f64::from(v)).collect()),
        Targets::Classes { labels, .. } => (1, labels.iter().map(|&l| f64::from(l)).collect()),
    };
    Matrix { rows: values.len() / columns.max(1), columns, values }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Features;
    use crate::train::metrics::evaluate;

    #[test]
    fn rows_in_parts_are_worth_what_they_are_together() {
        let number = |at: usize| ((at * 37 % 101) as f32 - 50.0) / 13.0;
        for (loss, outputs, constant) in
            [("mse", 2, false), ("huber", 2, true), ("cross_entropy", 3, false), ("bce", 1, false)]
        {
            let rows = 30;
            let targets = if matches!(loss, "mse" | "huber") {
                let values = (0..rows * outputs).map(|at| if constant { 0.1 } else { number(at + 7) }).collect();
                Targets::Values { names: vec!["t".into(); outputs], values }
            } else {
                let labels = (0..rows).map(|at| (at * at % outputs.max(2)) as u32).collect();
                Targets::Classes { name: "t".into(), classes: vec!["c".into(); outputs.max(2)], labels }
            };
            let features = Features { names: vec!["x".into()], values: vec![0.0; rows] };
            let weights = Some((0..rows).map(|at| (at % 4) as f32 / 3.0).collect());
            let mut data = Dataset { features, targets, weights };
            let model = Model::new(1, &[outputs.into()], loss).unwrap();
            let found: Vec<f32> = (0..rows * outputs).map(number).collect();
            let unit = vec![2.5; outputs];
            let wanted = evaluate(&model, &found, &data.batch(), Some(&unit)).unwrap();
            let mut tally = Tally::new(&model, Some(&unit));
            let mut at = 0;
            for count in [1, 4, 25] {
                let rest = data.split_off(&(0..data.rows()).map(|row| row >= count).collect::<Vec<_>>()).unwrap();
                tally.add(&found[at * outputs..][..count * outputs], &data).unwrap();
                (at, data) = (at + count, rest);
            }
            let all = tally.finish();
            assert_eq!(all.loss, wanted.loss, "{loss}");
            for (one, other) in all.metrics.iter().zip(&wanted.metrics) {
                // A constant target that is missed: the plain sum leaves a trace of rounding where this one leaves none.
                let apart = if constant && one.0 == "r2" { f64::INFINITY } else { 1e-12 };
                assert!(one.0 == other.0 && (one.1 - other.1).abs() <= apart, "{loss}: {one:?} {other:?}");
            }
        }
    }
}
