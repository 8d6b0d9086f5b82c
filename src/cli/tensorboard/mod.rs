//! `accrue train --tensorboard`: losses, metrics and learning rates as event files of TensorBoard.

mod file;

use std::path::{Path, PathBuf};

use file::EventFile;

use super::report::{EpochPoint, UpdatePoint};
use crate::run::Line;
use crate::train::Event;
use crate::{Error, Result};

/// The event file of a process that trains. A resumed run begins another file, which says from which step on it counts.
pub struct Board {
    folder: PathBuf,
    file: EventFile,
    /// Until the first event: the last update that an earlier process made.
    begins: Option<Option<UpdatePoint>>,
}

impl Board {
    /// Begins an event file in a folder. `earlier` are the lines of a run that is resumed: they are written if no file has them.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn new(folder: &Path, earlier: &[Line]) -> Result<Board> {
        let first = EventFile::all(folder).is_empty();
        let mut file = EventFile::create(folder)?;
        if first {
            for (step, values) in earlier.iter().filter_map(of_line) {
                file.scalars(step, &values)?;
            }
        }
        let last = earlier.iter().rev().find_map(|line| match line {
            Line::Update(update) => Some(*update),
            Line::Epoch(_) | Line::Written(_) => None,
        });
        Ok(Board { folder: folder.to_owned(), file, begins: (!first).then_some(last) })
    }

    /// Where the file is.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// Removes the event files of an earlier run from its own folder.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn clear(folder: &Path) -> Result<()> {
        EventFile::all(folder).iter().try_for_each(|path| std::fs::remove_file(path).map_err(|e| Error::io(path, e)))
    }

    /// Writes an event, with the update as the step.
    ///
    /// # Errors
    /// [`Error::Io`].
    pub fn event(&mut self, event: &Event) -> Result<()> {
        let (step, values) = of_event(event);
        if let Some(last) = self.begins.take() {
            self.file.restart(step)?;
            // An epoch that ends after the last update of another process has its step.
            if let Some(last) = last.filter(|last| last.update >= step) {
                self.file.scalars(last.update, &of_update(last.loss, last.lr))?;
            }
        }
        self.file.scalars(step, &values)
    }
}

type Values = Vec<(String, f64)>;

fn of_event(event: &Event) -> (u64, Values) {
    match event {
        Event::Update { update, .. } => (update.update, of_update(update.loss, update.lr)),
        Event::Epoch { update, train_loss, validation, .. } => {
            let measured = validation.iter().flat_map(|validation| &validation.metrics);
            let measured = measured.map(|(name, value)| (name.to_string(), *value)).collect();
            (*update, of_epoch(*train_loss, validation.as_ref().map(|validation| validation.loss), measured))
        }
    }
}

/// A text is no value.
fn of_line(line: &Line) -> Option<(u64, Values)> {
    Some(match line {
        Line::Written(_) => return None,
        Line::Update(update) => (update.update, of_update(update.loss, update.lr)),
        Line::Epoch(EpochPoint { update, train_loss, val_loss, metrics, .. }) => {
            let plain = |(name, value): &(String, f64)| (name.trim_start_matches("val_").to_owned(), *value);
            (*update, of_epoch(*train_loss, *val_loss, metrics.iter().map(plain).collect()))
        }
    })
}

fn of_update(loss: f64, lr: f64) -> Values {
    vec![("train/loss".to_owned(), loss), ("train/lr".to_owned(), lr)]
}

fn of_epoch(train_loss: f64, loss: Option<f64>, metrics: Values) -> Values {
    let measured = loss.map(|loss| ("loss".to_owned(), loss)).into_iter().chain(metrics);
    let measured = measured.map(|(name, value)| (format!("validation/{name}"), value));
    std::iter::once(("train/epoch_loss".to_owned(), train_loss)).chain(measured).collect()
}
