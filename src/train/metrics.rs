//! What a model is worth on data: the loss and the metrics of its outputs, computed on the CPU in f64.

use crate::data::records::Format;
use crate::data::{Batch, Target};
use crate::nn::Model;
use crate::ops;
use crate::twin::Matrix;
use crate::{Error, Result};

/// The loss and the metrics of a model on some data.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The weighted mean of the rows' losses, in the unit that the model was trained in.
    pub loss: f64,
    /// Name and value: `accuracy` for classes, `rmse` and `r2` for numbers.
    pub metrics: Vec<(&'static str, f64)>,
}

impl Evaluation {
    /// The metric of this name, if the model's kind has it.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }
}

/// The index of the largest, the first of equals; not-a-number is never the largest.
pub fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, c| if row[c] > row[best] || row[best].is_nan() { c } else { best })
}

/// The class that a row of outputs stands for: the largest logit, or with one logit yes (1) above 0.
pub fn class_of(outputs: &[f32]) -> usize {
    match outputs {
        [logit] => usize::from(*logit > 0.0),
        logits => argmax(logits),
    }
}

/// Loss and metrics of `outputs`, (rows, outputs), against a batch. For numbers, `unit` gives for each output the size of
/// its unit in the target's own, so that RMSE is in the target's unit.
pub fn evaluate(model: &Model, outputs: &[f32], batch: &Batch, unit: Option<&[f64]>) -> Result<Evaluation> {
    let columns = model.outputs();
    let rows = Format::of(model).check(batch)?;
    let wrong = |message: String| Err(Error::Shape { op: "evaluate", message });
    if outputs.len() != rows * columns {
        return wrong(format!("{} outputs for {rows} rows of {columns}", outputs.len()));
    }
    if let Some(unit) = unit.filter(|unit| unit.len() != columns) {
        return wrong(format!("{} units for {columns} outputs", unit.len()));
    }
    let op = ops::find(&model.loss).ok_or_else(|| Error::Internal(format!("loss {} is unknown", model.loss)))?;
    let weights: Vec<f64> = match batch.weights {
        Some(weights) => weights.iter().map(|&w| f64::from(w)).collect(),
        None => vec![1.0; rows],
    };
    let total: f64 = weights.iter().sum();
    let y = Matrix::from_f32(rows, columns, outputs);
    let t = targets(model, batch, rows);
    let losses = op.twin_forward(&[&y, &t]);
    let weighted = |values: &dyn Fn(usize) -> f64| weighted_sum(&weights, values) / total;
    let metrics = match batch.targets {
        Target::Classes(labels) => {
            let right = |r: usize| class_of(&outputs[r * columns..][..columns]) == labels[r] as usize;
            vec![("accuracy", weighted(&|r| f64::from(u8::from(right(r)))))]
        }
        Target::Values(_) => regression(&y, &t, &weights, unit),
    };
    Ok(Evaluation { loss: weighted(&|r| losses.at(r, 0)), metrics })
}

fn targets(model: &Model, batch: &Batch, rows: usize) -> Matrix {
    let values = match batch.targets {
        Target::Values(values) => values.iter().map(|&v| f64::from(v)).collect(),
        Target::Classes(labels) => labels.iter().map(|&l| f64::from(l)).collect(),
    };
    Matrix { rows, columns: model.targets(), values }
}

/// Σ w · value, where a row of weight 0 leaves no trace, whatever its value is.
fn weighted_sum(weights: &[f64], value: &dyn Fn(usize) -> f64) -> f64 {
    weights.iter().enumerate().filter(|(_, weight)| **weight != 0.0).map(|(row, weight)| weight * value(row)).sum()
}

/// RMSE over all outputs in the target's unit, and R²: the mean over the outputs of 1 - Σ(y - t)² / Σ(t - mean t)².
fn regression(y: &Matrix, t: &Matrix, weights: &[f64], unit: Option<&[f64]>) -> Vec<(&'static str, f64)> {
    let total: f64 = weights.iter().sum();
    let (mut squares, mut r2) = (0.0, 0.0);
    for c in 0..y.columns {
        let size = unit.map_or(1.0, |unit| unit[c]);
        let sum = |f: &dyn Fn(usize) -> f64| weighted_sum(weights, f);
        let mean = sum(&|r| t.at(r, c)) / total;
        let error = sum(&|r| (y.at(r, c) - t.at(r, c)).powi(2));
        let spread = sum(&|r| (t.at(r, c) - mean).powi(2));
        squares += size * size * error / total;
        // A target that never changes can only be hit or missed.
        r2 += if spread > 0.0 { 1.0 - error / spread } else { f64::from(u8::from(error == 0.0)) };
    }
    let columns = y.columns as f64;
    vec![("rmse", (squares / columns).sqrt()), ("r2", r2 / columns)]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_without_weight_leaves_no_trace_in_any_metric() {
        for (loss, targets) in
            [("mse", Target::Values(&[1.0, 2.0, 3.0])), ("cross_entropy", Target::Classes(&[0, 1, 0]))]
        {
            let outputs: &[f32] =
                if loss == "mse" { &[1.5, 2.0, f32::NAN] } else { &[0.5, 0.0, 1.0, 2.0, f32::NAN, 0.0] };
            let columns = outputs.len() / 3;
            let model = Model::new(1, &[columns.into()], loss).unwrap();
            let batch = Batch { features: &[0.0; 3], targets, weights: Some(&[1.0, 2.0, 0.0]) };
            let found = evaluate(&model, outputs, &batch, None).unwrap();
            let all = found.metrics.iter().map(|&(_, value)| value).chain([found.loss]);
            assert!(all.into_iter().all(f64::is_finite), "{found:?}");
        }
    }
}
