//! Loss and metrics of a model's outputs on data, computed on the CPU in f64.

pub(crate) use super::tally::Tally;
use crate::data::Batch;
use crate::nn::Model;
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

/// The index of the largest number, the first of equals; NaN is never the largest.
pub fn argmax(row: &[f32]) -> usize {
    (1..row.len()).fold(0, |best, c| if row[c] > row[best] || row[best].is_nan() { c } else { best })
}

/// The class of a row of outputs: the largest logit; with one logit, yes (1) above 0.
pub fn class_of(outputs: &[f32]) -> usize {
    match outputs {
        [logit] => usize::from(*logit > 0.0),
        logits => argmax(logits),
    }
}

/// Loss and metrics of `outputs`, (rows, outputs), against a batch. For numbers, `unit` gives the size of each output's unit in
/// the target's own unit, so that RMSE is in the target's unit.
///
/// # Errors
/// [`Error::Shape`] if they do not fit each other.
pub fn evaluate(model: &Model, outputs: &[f32], batch: &Batch, unit: Option<&[f64]>) -> Result<Evaluation> {
    if let Some(unit) = unit.filter(|unit| unit.len() != model.outputs()) {
        let message = format!("{} units for {} outputs", unit.len(), model.outputs());
        return Err(Error::Shape { op: "evaluate", message });
    }
    let mut tally = Tally::default();
    tally.add(model, outputs, batch)?;
    Ok(tally.finish(unit))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::Target;

    #[test]
    fn a_row_without_weight_leaves_no_trace_in_any_metric() {
        for (loss, targets) in
            [("mse", Target::Values(&[1.0, 2.0, 3.0])), ("cross_entropy", Target::Classes(&[0, 1, 0]))]
        {
            let outputs: &[f32] =
                if loss == "mse" { &[1.5, 2.0, f32::NAN] } else { &[0.5, 0.0, 1.0, 2.0, f32::NAN, 0.0] };
            let columns = outputs.len() / 3;
            let model = Model::new(1, &[columns.into()], loss).unwrap();
            let batch = Batch { features: (&[0.0; 3]).into(), targets, weights: Some(&[1.0, 2.0, 0.0]) };
            let found = evaluate(&model, outputs, &batch, None).unwrap();
            let all = found.metrics.iter().map(|&(_, value)| value).chain([found.loss]);
            assert!(all.into_iter().all(f64::is_finite), "{found:?}");
        }
    }
}
