//! The position of a run, and how a run begins there.

use std::collections::VecDeque;

use serde::{Deserialize, Serialize};

use super::Run;
use crate::train::fit::FitConfig;
use crate::train::trainer::Trainer;
use crate::window::Windows;
use crate::{Error, Result};

/// Sums over the current epoch.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub(in crate::train) struct Sums {
    /// Σ of the updates' loss · weight.
    pub loss: f64,
    /// Σ of their weights.
    pub weight: f64,
}

/// The position of a run.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Position {
    /// Windows whose update was requested.
    pub updates: u64,
    /// The next window's begin, or the open window's, in the stream of all epochs' samples.
    pub window_at: u64,
    /// Samples already in the open window.
    pub rows: u32,
    pub(in crate::train) epoch: Sums,
}

impl Run {
    /// Begins a run.
    ///
    /// # Errors
    /// [`Error::Config`] if no update would ever be made; [`Error::Shape`] if a window of the trainer is open, or the data does
    /// not fit the model.
    pub fn new(trainer: &mut Trainer, fit: &FitConfig) -> Result<Run> {
        if trainer.open_rows() > 0 {
            let message = "a window is open; end it with update() first".to_owned();
            return Err(Error::Shape { op: "fit", message });
        }
        Run::at(trainer, fit, &Position::default())
    }

    /// Resumes a run at a position, with a trainer in the [`State`](crate::train::State) of that position. The micro-batch
    /// may be
    /// another.
    ///
    /// # Errors
    /// As [`Run::new`]; [`Error::Shape`] if the position is not of this run, or the trainer is not at it.
    pub fn at(trainer: &mut Trainer, fit: &FitConfig, position: &Position) -> Result<Run> {
        let samples = trainer.format().check(&fit.train)?;
        trainer.check_validation(fit)?;
        let order = trainer.format().order(&fit.train, samples, fit.shuffle);
        let mut windows = Windows::new(order.samples(), fit.epochs, fit.batch.clone(), fit.tail)?;
        let wrong = |message: String| Err(Error::Shape { op: "run", message });
        if !windows.go_to(position.updates, position.window_at) {
            return wrong(format!("no window after {} updates begins at {}", position.updates, position.window_at));
        }
        if trainer.updates() < position.updates {
            let (made, wanted) = (trainer.updates(), position.updates);
            return wrong(format!(
                "the trainer was asked for {made} updates, and the run for {wanted} before this position; give it the state that was \
                 saved with the position"
            ));
        }
        if trainer.open_rows() != position.rows {
            let (rows, wanted) = (trainer.open_rows(), position.rows);
            return wrong(format!("the trainer's window has {rows} rows; {wanted} are wanted at this position"));
        }
        let open = match position.rows {
            0 => None,
            rows => windows.next().map(|window| (window, window.start + u64::from(rows))),
        };
        if open.is_some_and(|(window, at)| at >= window.start + u64::from(window.rows)) {
            return wrong(format!("{} rows are more than the window has left open", position.rows));
        }
        let resident = trainer.keep(&fit.train)?;
        // Updates requested before, and outputs of a run that was dropped, are not this run's.
        trainer.take_ahead()?;
        trainer.set_aside_earlier()?;
        Ok(Run {
            first: position.updates + 1,
            windows,
            open,
            order,
            resident,
            most: 1,
            expected: VecDeque::new(),
            ended: None,
            epoch: position.epoch,
            stopped: false,
            pause: None,
            validation: None,
            samples: Vec::new(),
        })
    }

    /// The position, everything requested included.
    pub fn position(&self) -> Position {
        let (updates, at) = self.windows.place();
        let (updates, window_at, rows) = match self.open {
            Some((window, at)) => (updates - 1, window.start, (at - window.start) as u32),
            None => (updates, at, 0),
        };
        Position { updates, window_at, rows, epoch: self.epoch }
    }
}
