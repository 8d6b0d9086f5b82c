//! Outputs of the current model.

use std::time::{Duration, Instant};

use super::Trainer;
use crate::Result;
use crate::data::Batch;
use crate::train::ahead::Ahead;
use crate::train::forward::forward;
use crate::train::metrics::{Evaluation, evaluate_in_parts};
use crate::train::predictor::Predictor;

impl Trainer {
    /// Returns outputs (rows, positions, outputs) of the current model for features (rows, features). The open window is not touched.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) for numbers that are no rows of features;
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) after work was lost.
    pub fn predict(&mut self, features: &[f32]) -> Result<Vec<f32>> {
        self.caught_up()?;
        self.land_ahead()?;
        let (begin, columns) = (Instant::now(), self.columns());
        let outputs = forward(&self.program, &mut self.submitter, features, columns);
        let outputs = self.ledger.noticed(outputs)?;
        if let Some(profiler) = self.submitter.profiler() {
            profiler.predicted(begin);
        }
        Ok(outputs)
    }

    /// Returns loss and metrics of the current model. The open window is not touched.
    ///
    /// # Errors
    /// As [`Trainer::predict`]; [`Error::Shape`](crate::Error::Shape) for rows that are not the model's.
    pub fn evaluate(&mut self, batch: &Batch, unit: Option<&[f64]>) -> Result<Evaluation> {
        let (model, at_once) = (self.model.clone(), self.plan().micro_batch);
        evaluate_in_parts(&model, batch, unit, at_once, |features| self.predict(features))
    }

    /// Plans inference for `rows` rows at once with this trainer's own parameters, without a copy: a prediction requested after
    /// an update was submitted shows that update, if it was made; only the trainer knows. Waits for earlier work.
    ///
    /// # Errors
    /// [`Error::Memory`](crate::Error::Memory) if the plan does not fit the device,
    /// [`Error::DeviceLost`](crate::Error::DeviceLost) after work was lost.
    pub fn predictor(&self, rows: usize) -> Result<Predictor> {
        self.ledger.alive()?;
        Predictor::sharing(&self.program, &self.model, rows)
    }

    /// Hands over as many of these rows, (rows, features), as keep the GPU busy for about this long.
    pub(in crate::train) fn predict_ahead(&mut self, features: &[f32], time: Duration) -> Result<()> {
        let columns = self.columns();
        let ahead = Ahead::begin(&self.program, &mut self.submitter, features, columns, time);
        self.ahead = self.ledger.noticed(ahead)?;
        Ok(())
    }

    /// Waits for the outputs of the rows handed over last and returns them; `None` if there are none.
    pub(in crate::train) fn take_ahead(&mut self) -> Result<Option<Vec<f32>>> {
        self.land_ahead()?;
        Ok(self.ahead.take())
    }

    /// Waits for outputs in flight, because others need their staging buffer.
    pub(super) fn land_ahead(&mut self) -> Result<()> {
        let landed = self.ahead.land(&self.program);
        self.ledger.noticed(landed)
    }
}
