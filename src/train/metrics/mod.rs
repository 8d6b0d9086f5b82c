//! Loss and metrics of a model's outputs on data, computed on the CPU in f64.

mod auc;
mod classes;
mod metric;
mod numbers;
mod tally;
mod tokens;

pub use auc::can_be_ranked;
pub use classes::{ClassMetrics, Classes};
pub use metric::{Metric, Predicted};
pub use numbers::NumberMetrics;
pub(crate) use tally::Tally;

use crate::data::Batch;
use crate::nn::Model;
use crate::train::format::Format;
use crate::{Error, Result};

/// The loss and the metrics of a model on some data; `docs/metrics.md` defines them.
#[derive(Clone, Debug, PartialEq)]
pub struct Evaluation {
    /// The weighted mean of the rows' losses, in the unit that the model was trained in.
    pub loss: f64,
    /// Names, as those of [`Metric`], and values, in the order of [`Metric::ALL`]. `auc` is missing where it is not defined,
    /// as for rows of one class, or where [`can_be_ranked`] says no.
    pub metrics: Vec<(&'static str, f64)>,
    /// The metrics of each class or each output.
    pub detail: Detail,
}

/// Metrics of the parts of a target.
#[derive(Clone, Debug, PartialEq)]
pub enum Detail {
    /// Of each class.
    Classes(Classes),
    /// Of each output.
    Numbers(Vec<NumberMetrics>),
    /// None: a token of a text is one of many.
    Tokens,
}

impl Evaluation {
    /// The metric of this name, if there is one.
    pub fn metric(&self, name: &str) -> Option<f64> {
        self.metrics.iter().find(|(known, _)| *known == name).map(|&(_, value)| value)
    }

    /// The metric, the loss included, if there is one.
    pub fn value(&self, metric: Metric) -> Option<f64> {
        if metric == Metric::Loss { Some(self.loss) } else { self.metric(metric.name()) }
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

/// Loss and metrics of `outputs`, (rows, positions, outputs), against a batch. For numbers, `unit` gives the size of each output's unit in
/// the target's own unit, so that RMSE is in the target's unit.
///
/// # Errors
/// [`Error::Shape`] if they do not fit each other.
pub fn evaluate(model: &Model, outputs: &[f32], batch: &Batch, unit: Option<&[f64]>) -> Result<Evaluation> {
    check_unit(model, unit)?;
    let mut tally = Tally::default();
    tally.add(model, outputs, batch)?;
    Ok(tally.finish(unit))
}

/// Outputs that an evaluation has in memory at once, unless the least that is asked for has more.
const OUTPUTS: usize = 1 << 24;

/// The same for outputs that are asked for in parts: `predict` returns those (rows, positions, outputs) for features
/// (rows, features) of a part, which has `at_once` rows at least and as many more as fit a bound of memory.
///
/// # Errors
/// Those of [`evaluate`] and of `predict`.
pub fn evaluate_in_parts(
    model: &Model,
    batch: &Batch,
    unit: Option<&[f64]>,
    at_once: usize,
    mut predict: impl FnMut(&[f32]) -> Result<Vec<f32>>,
) -> Result<Evaluation> {
    let format = Format::of(model);
    let rows = format.check(batch)?;
    check_unit(model, unit)?;
    let mut tally = Tally::default();
    // Many positions of many outputs would take more memory than the data.
    let at_once = (OUTPUTS / (format.positions * format.outputs).max(1)).max(at_once);
    for begin in (0..rows).step_by(at_once) {
        let some = begin..rows.min(begin + at_once);
        let outputs = predict(&format.features(batch, some.clone()))?;
        tally.add(model, &outputs, &format.stretch(batch, some))?;
    }
    Ok(tally.finish(unit))
}

/// Fails unless there is a unit for each output, if any.
fn check_unit(model: &Model, unit: Option<&[f64]>) -> Result<()> {
    match unit.filter(|unit| unit.len() != model.outputs()) {
        Some(unit) => {
            let message = format!("{} units for {} outputs", unit.len(), model.outputs());
            Err(Error::Shape { op: "evaluate", message })
        }
        None => Ok(()),
    }
}

#[cfg(test)]
mod tests;
