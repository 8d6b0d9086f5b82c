//! From a cell to the features of its column.

use std::collections::HashMap;

use super::gather::{level, number};
use super::{Cell, Column, Encoding, Kind};
use crate::data::quantity::other_spelling;

/// Turns the cells of one column into features.
pub(super) struct Encoder {
    /// The place of the column in the table.
    pub place: usize,
    column: Column,
    /// The place of each level.
    levels: HashMap<String, usize>,
}

/// What is worth counting about a cell.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Noticed {
    Nothing,
    /// Its level has no place of its own: the training rows did not have it, or rarely.
    Unseen,
}

impl Encoder {
    pub fn new(place: usize, column: &Column) -> Encoder {
        let levels = match &column.encoding {
            Encoding::Number { .. } | Encoding::Date { .. } => &[][..],
            Encoding::Pair { levels } => levels,
            Encoding::OneHot { levels, .. } | Encoding::Index { levels, .. } => levels,
        };
        Encoder { place, column: column.clone(), levels: levels.iter().cloned().zip(0..).collect() }
    }

    /// Adds the features of a cell, of which `None` is a missing one, to the floats or to the indices of a row; an error is the
    /// message about the cell.
    pub fn encode(
        &self,
        cell: Option<&Cell<'_>>,
        floats: &mut Vec<f32>,
        indices: &mut Vec<f32>,
    ) -> Result<Noticed, String> {
        let kind = self.column.kind;
        match &self.column.encoding {
            Encoding::Number { dialect, fill, indicator, scale } => {
                let x = cell.map(|cell| number(Kind::Number, dialect, cell)).transpose()?;
                floats.push(float(x.unwrap_or(*fill), scale.apply(x.unwrap_or(*fill)))?);
                floats.extend(indicator.then_some(f32::from(u8::from(x.is_none()))));
            }
            Encoding::Date { fill, indicator, scale, cycles } => {
                let days = cell.map(|cell| number(Kind::Date, &Default::default(), cell)).transpose()?;
                floats.push(float(days.unwrap_or(*fill), scale.apply(days.unwrap_or(*fill)))?);
                for cycle in cycles {
                    floats.extend(days.map_or([0.0; 2], |days| cycle.circle(days)).map(|part| part as f32));
                }
                floats.extend(indicator.then_some(f32::from(u8::from(days.is_none()))));
            }
            Encoding::Pair { .. } => {
                let place = cell.map(|cell| self.place_of(kind, cell));
                floats.push(match place {
                    Some(Some(0)) => -1.0,
                    Some(Some(_)) => 1.0,
                    _ => 0.0,
                });
                return Ok(noticed(place));
            }
            Encoding::OneHot { levels, other, missing } => {
                let place = cell.map(|cell| self.place_of(kind, cell));
                let first = floats.len();
                floats.resize(first + self.column.encoding.width(), 0.0);
                let hot = match place {
                    Some(Some(level)) => Some(level),
                    Some(None) => other.then_some(levels.len()),
                    None => missing.then_some(levels.len() + usize::from(*other)),
                };
                if let Some(hot) = hot {
                    floats[first + hot] = 1.0;
                }
                return Ok(noticed(place));
            }
            Encoding::Index { levels, other, missing, fallback, .. } => {
                let place = cell.map(|cell| self.place_of(kind, cell));
                let index = match place {
                    Some(Some(level)) => level,
                    None if *missing => levels.len() + usize::from(*other),
                    Some(None) | None => *fallback as usize,
                };
                indices.push(index as f32);
                return Ok(noticed(place));
            }
        }
        Ok(Noticed::Nothing)
    }

    fn place_of(&self, kind: Kind, cell: &Cell<'_>) -> Option<usize> {
        let level = level(kind, cell)?;
        self.levels.get(&*level).or_else(|| self.levels.get(&other_spelling(&level)?)).copied()
    }
}

/// A cell that is there, but has a level without a place.
fn noticed(place: Option<Option<usize>>) -> Noticed {
    if place == Some(None) { Noticed::Unseen } else { Noticed::Nothing }
}

/// The feature that a number became, rounded once.
fn float(x: f64, feature: f64) -> Result<f32, String> {
    let rounded = feature as f32;
    if rounded.is_finite() {
        Ok(rounded)
    } else {
        Err(format!("{x:e} is too far from the numbers of the training rows"))
    }
}
