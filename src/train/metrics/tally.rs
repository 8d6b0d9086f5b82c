//! Loss and metrics of rows that arrive in pieces.

use super::classes::ClassTally;
use super::numbers::{self, NumberTally};
use super::tokens::TokenTally;
use super::{Detail, Evaluation};
use crate::data::{Batch, Target};
use crate::nn::Model;
use crate::reference::{Matrix, Operand};
use crate::tensor::Shape;
use crate::train::format::Format;
use crate::{Error, Result};

/// Loss and metrics of the rows so far, on the CPU in f64, over rows in order. Where an output has several positions, each counts.
#[derive(Clone, Debug, Default)]
pub struct Tally {
    weight: f64,
    loss: f64,
    classes: ClassTally,
    /// One for each numeric target.
    numbers: Vec<NumberTally>,
    /// Of the tokens of texts.
    tokens: Option<TokenTally>,
}

impl Tally {
    /// Adds a model's outputs for some rows.
    ///
    /// # Errors
    /// [`Error::Shape`] if they do not fit each other.
    pub fn add(&mut self, model: &Model, outputs: &[f32], batch: &Batch) -> Result<()> {
        let format = Format::of(model);
        let (samples, columns) = (format.check(batch)?, format.outputs);
        let rows = samples * format.positions;
        if outputs.len() != rows * columns {
            let message = format!("{} outputs for {rows} rows of {columns}", outputs.len());
            return Err(Error::Shape { op: "evaluate", message });
        }
        let weights = (0..samples).flat_map(|sample| format.weights(batch, sample));
        let op = model.find_loss()?;
        let y = Matrix::from_f32(rows, columns, outputs);
        let targets = (0..samples).flat_map(|sample| format.targets(batch, sample)).map(f64::from);
        let t = Matrix { rows, columns: model.targets(), values: targets.collect() };
        let shapes = [Shape::columns_of(columns), Shape::columns_of(t.columns)];
        let [y, t] = [(&shapes[0], &y), (&shapes[1], &t)].map(|(shape, values)| Operand { shape, values, counts: &[] });
        let losses = op.reference_forward(&[y, t]);
        match batch.targets {
            // One logit tells two classes apart.
            Target::Classes(_) if self.weight == 0.0 => self.classes = ClassTally::of(columns.max(2)),
            Target::Classes(_) => {}
            Target::Values(_) => self.numbers.resize(t.columns, NumberTally::default()),
            Target::Next(_) if self.tokens.is_none() => self.tokens = Some(TokenTally::default()),
            Target::Next(_) => {}
        }
        for (row, weight) in weights.enumerate() {
            // A row of weight 0 leaves no trace, whatever its value.
            if weight == 0.0 {
                continue;
            }
            self.weight += f64::from(weight);
            self.loss += f64::from(weight) * losses.at(row, 0);
            match batch.targets {
                Target::Classes(labels) => self.classes.add(&outputs[row * columns..][..columns], labels[row], weight),
                Target::Values(_) => {
                    for (column, tally) in self.numbers.iter_mut().enumerate() {
                        tally.add(y.at(row, column), t.at(row, column), f64::from(weight));
                    }
                }
                Target::Next(_) => {
                    let (logits, token) = (&outputs[row * columns..][..columns], t.at(row, 0) as usize);
                    self.tokens.iter_mut().for_each(|tally| tally.add(logits, token, f64::from(weight)));
                }
            }
        }
        Ok(())
    }

    /// Loss and metrics of all rows. For numbers, `unit` gives the size of each output's unit in the target's own unit.
    pub fn finish(&self, unit: Option<&[f64]>) -> Evaluation {
        let (metrics, detail) = if let Some(tokens) = &self.tokens {
            (tokens.finish(self.weight), Detail::Tokens)
        } else if self.numbers.is_empty() {
            let (metrics, classes) = self.classes.finish(self.weight);
            (metrics, Detail::Classes(classes))
        } else {
            let (metrics, each) = numbers::finish(&self.numbers, unit);
            (metrics, Detail::Numbers(each))
        };
        Evaluation { loss: self.loss / self.weight, metrics, detail }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Elements;
    use crate::train::metrics::evaluate;

    #[test]
    fn rows_in_parts_are_worth_what_they_are_together() {
        const ROWS: usize = 30;
        let number = |at: usize| ((at * 37 % 101) as f32 - 50.0) / 13.0;
        for (loss, outputs) in [("mse", 2), ("huber", 2), ("cross_entropy", 3), ("bce", 1)] {
            let model = Model::new(1, &[outputs.into()], loss).unwrap();
            let values: Vec<f32> = (0..ROWS * outputs).map(|at| number(at + 7)).collect();
            let labels: Vec<u32> = (0..ROWS).map(|at| (at * at % outputs.max(2)) as u32).collect();
            let weights: Vec<f32> = (0..ROWS).map(|at| (at % 4) as f32 / 3.0).collect();
            let features = [0.0; ROWS];
            let found: Vec<f32> = (0..ROWS * outputs).map(number).collect();
            let rows = |rows: std::ops::Range<usize>| {
                let targets = match loss {
                    "mse" | "huber" => Target::Values(&values[rows.start * outputs..rows.end * outputs]),
                    _ => Target::Classes(&labels[rows.clone()]),
                };
                Batch { features: Elements::F32(&features[rows.clone()]), targets, weights: Some(&weights[rows]) }
            };
            let unit = vec![2.5; outputs];
            let mut tally = Tally::default();
            for part in [0..1, 1..5, 5..ROWS] {
                tally.add(&model, &found[part.start * outputs..part.end * outputs], &rows(part)).unwrap();
            }
            let whole = evaluate(&model, &found, &rows(0..ROWS), Some(&unit)).unwrap();
            assert_eq!(tally.finish(Some(&unit)), whole, "{loss}");
        }
    }

    #[test]
    fn metrics_of_numbers_are_those_of_the_textbook() {
        let model = Model::new(1, &[2.into()], "mse").unwrap();
        // The second target never changes, and is missed.
        let (y, t) = ([1.0, 0.0, 2.0, 0.0, 2.0, 0.0], [0.0, 3.0, 2.0, 3.0, 4.0, 3.0]);
        let batch =
            Batch { features: (&[0.0; 3]).into(), targets: Target::Values(&t), weights: Some(&[1.0, 2.0, 1.0]) };
        let found = evaluate(&model, &y, &batch, Some(&[2.0, 1.0])).unwrap();
        // Σ w (y - t)² = 1 + 0 + 4 and 4 · 9; Σ w (t - 2)² = 4 + 0 + 4
        let (rmse, r2) = (((4.0 * 5.0 / 4.0 + 9.0) / 2.0f64).sqrt(), (1.0 - 5.0 / 8.0) / 2.0);
        assert!((found.metric("rmse").unwrap() - rmse).abs() < 1e-12, "{found:?}");
        assert!((found.metric("r2").unwrap() - r2).abs() < 1e-12, "{found:?}");
        assert!((found.loss - (5.0 + 36.0) / 4.0 / 2.0).abs() < 1e-12, "{found:?}");
    }
}
