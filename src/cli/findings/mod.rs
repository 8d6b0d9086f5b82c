//! What a run's report says of the model that came out: its predictions for the validation rows, and the columns.

mod answers;
mod columns;
mod pictures;

pub use columns::rows as columns_of;

use std::ops::Range;

use super::report::{Answers, ColumnRow, Importance, Measured};
use crate::Result;
use crate::data::Dataset;
use crate::nn::{ModelFile, TargetNames};
use crate::recipe::Session;
use crate::run::{Journal, Line, Written};
use crate::train::{Shuffling, Trainer};

/// The most columns whose importance is measured.
const MOST_COLUMNS: usize = 200;

/// Rows that are predicted at once.
const ROWS: usize = 4096;

/// What there is to say.
#[derive(Default)]
pub struct Findings {
    /// Predictions for the validation rows.
    pub answers: Option<Answers>,
    /// How much each column matters.
    pub importance: Option<Importance>,
    /// The columns.
    pub columns: Vec<ColumnRow>,
    /// What the model wrote while it was trained.
    pub written: Vec<Written>,
}

impl Findings {
    /// Only the columns: nothing is predicted.
    pub fn of_columns(session: &Session) -> Findings {
        Findings { columns: columns::rows(&session.prepared.saved), ..Findings::default() }
    }

    /// Predicts the validation rows with the best model, or the last one if there is no best. The trainer has its parameters
    /// afterwards.
    ///
    /// # Errors
    /// Those of [`ModelFile::read`], [`Trainer::set_parameters`] and [`Trainer::predict`].
    pub fn of_model(session: &Session, trainer: &mut Trainer, journal: &Journal) -> Result<Findings> {
        let columns = Findings::of_columns(session);
        if session.prepared.saved.tokenizer.is_some() {
            let lines = journal.folder().read_metrics()?.into_iter();
            let written = lines.filter_map(|line| if let Line::Written(written) = line { Some(written) } else { None });
            return Ok(Findings { written: written.collect(), ..columns });
        }
        let Some(rows) = &session.prepared.validation else { return Ok(columns) };
        let model = match journal.best() {
            Some(best) => {
                trainer.set_parameters(&ModelFile::read(&journal.folder().best())?.arrays)?;
                format!("The best model, after epoch {},", best.epoch)
            }
            None => "The last model".to_owned(),
        };
        let (saved, outputs) = (&session.prepared.saved, outputs(rows, trainer)?);
        let (said, gallery) = (answers::said(saved, rows, &outputs), pictures::misjudged(saved, rows, &outputs)?);
        let answers = Some(Answers { model, rows: rows.rows(), said, gallery });
        // A pixel, or a moment of a series, says nothing by itself.
        let importance = match rows.features.shape.len() {
            2.. => None,
            _ => Some(importance(session, rows, trainer)?),
        };
        Ok(Findings { answers, importance, ..columns })
    }
}

/// Outputs (rows, outputs) for all rows.
fn outputs(rows: &Dataset, trainer: &mut Trainer) -> Result<Vec<f32>> {
    let (all, width) = (rows.rows(), rows.features.names.len());
    let mut outputs = Vec::new();
    for first in (0..all).step_by(ROWS) {
        let some = first * width..all.min(first + ROWS) * width;
        outputs.extend(trainer.predict(&rows.features.values.elements().range(some).to_f32())?);
    }
    Ok(outputs)
}

/// Measures how much each column matters, with at most as many predictions as the training made: a part of its time.
fn importance(session: &Session, rows: &Dataset, trainer: &mut Trainer) -> Result<Importance> {
    let prepared = &session.prepared;
    let (names, parts) = parts(&prepared.saved);
    if parts.len() > MOST_COLUMNS {
        let why = format!("Left out: there are {} columns, and {MOST_COLUMNS} are measured at most.", parts.len());
        return Ok(Importance::LeftOut(why));
    }
    let train = &session.config.train;
    let shuffling = Shuffling {
        model: &prepared.saved.model,
        data: rows,
        parts: &parts,
        unit: prepared.unit(),
        seed: train.seed,
        most: prepared.train.rows() as u64 * u64::from(train.last_epoch()),
    };
    let Some(found) = shuffling.measure(|features| trainer.predict(features))? else {
        let why =
            "Left out: it would take more predictions than the training made, or there are too few validation rows.";
        return Ok(Importance::LeftOut(why.to_owned()));
    };
    Ok(Importance::Measured(Measured {
        metric: found.metric.to_owned(),
        value: found.value,
        columns: names.into_iter().zip(found.shuffled).collect(),
        rows: found.rows,
        times: found.times,
    }))
}

/// The columns of the file, and which features each becomes.
fn parts(saved: &ModelFile) -> (Vec<String>, Vec<Range<usize>>) {
    match &saved.preparation {
        Some(preparation) => {
            let parts = preparation.parts().into_iter();
            parts.map(|part| (part.column.to_owned(), part.features)).unzip()
        }
        None => saved.features.iter().cloned().enumerate().map(|(at, name)| (name, at..at + 1)).unzip(),
    }
}

/// The scale of targets that are numbers, if they have one: mean and deviation of a target.
fn unit_of(saved: &ModelFile, target: usize) -> (f64, f64) {
    match &saved.target {
        TargetNames::Values { scale: Some(scale), .. } => (scale.mean[target], scale.std[target]),
        _ => (0.0, 1.0),
    }
}
