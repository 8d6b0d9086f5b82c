//! Loss and metrics of a model's outputs on data, computed on the CPU in f64.

mod auc;
mod classes;
mod metric;
mod numbers;
mod tally;

pub use auc::can_be_ranked;
pub use classes::{ClassMetrics, Classes};
pub use metric::Metric;
pub use numbers::NumberMetrics;
pub(crate) use tally::Tally;

use crate::data::Batch;
use crate::nn::Model;
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
    if let Some(unit) = unit.filter(|unit| unit.len() != model.outputs()) {
        let message = format!("{} units for {} outputs", unit.len(), model.outputs());
        return Err(Error::Shape { op: "evaluate", message });
    }
    let mut tally = Tally::default();
    tally.add(model, outputs, batch)?;
    Ok(tally.finish(unit))
}

#[cfg(test)]
mod tests;
