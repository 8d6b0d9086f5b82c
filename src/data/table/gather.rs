//! What is gathered of a column in the training rows, and the encoding that comes of it.

use std::collections::HashMap;

use super::scale::{moments, quantile};
use super::tally::text_of;
use super::{Cell, Column, Cycle, Dialect, Encoding, Kind, Scale, Scaling, Table, Wanted, date, truth};
use crate::quote::shown;
use crate::{Error, Result};

/// A level that fewer training rows have, and less than a hundredth of them, is rare: rare levels share one.
const RARE: u64 = 3;

/// A column has no more levels than this; what comes later is rare, too.
const MOST_LEVELS: usize = 65_536;

/// A longer text is no level.
const LONGEST: usize = 1024;

/// The numbers that a learned table should have per level, as in RealMLP-TD (Holzmüller, Grinsztajn, Steinwart: Better by
/// default, NeurIPS 2024).
const WIDTH: u32 = 8;

/// What is gathered of one column.
pub(super) enum Gather {
    /// Numbers, or days of dates; one that is missing is not a number.
    Numbers(Vec<f64>),
    Levels(Levels),
}

/// The levels of a category.
#[derive(Default)]
pub(super) struct Levels {
    places: HashMap<String, usize>,
    /// In the order of appearance, with their rows.
    levels: Vec<(String, u64)>,
    /// Some level is too long, or one too many.
    rest: bool,
    missing: bool,
    rows: u64,
}

impl Gather {
    pub fn of(kind: Kind) -> Gather {
        match kind {
            Kind::Number | Kind::Date => Gather::Numbers(Vec::new()),
            _ => Gather::Levels(Levels::default()),
        }
    }

    /// Whether it grows with the rows.
    pub fn grows(&self) -> bool {
        matches!(self, Gather::Numbers(_))
    }

    /// Takes the cell of a column in the present row; `None` is a missing one.
    pub fn add(
        &mut self,
        table: &dyn Table,
        column: usize,
        kind: Kind,
        dialect: &Dialect,
        cell: Option<&Cell<'_>>,
    ) -> Result<()> {
        let wrong = |message: String| Err(table.wrong(Some(column), message));
        match (self, cell) {
            (Gather::Numbers(values), None) => values.push(f64::NAN),
            (Gather::Numbers(values), Some(cell)) => match number(kind, dialect, cell) {
                Ok(value) => values.push(value),
                Err(message) => return wrong(message),
            },
            (Gather::Levels(levels), None) => {
                levels.rows += 1;
                levels.missing = true;
            }
            (Gather::Levels(levels), Some(cell)) => match level(kind, cell) {
                Some(level) => levels.add(&level),
                None => return wrong(format!("{} is neither true nor false", shown(&text_of(cell)))),
            },
        }
        Ok(())
    }

    /// The column as the model will see it.
    pub fn finish(
        self,
        name: &str,
        kind: Kind,
        dialect: Dialect,
        wanted: &Wanted,
        weights: Option<&[f64]>,
    ) -> Result<Column> {
        let encoding = match self {
            Gather::Levels(levels) => levels.finish(kind, wanted.one_hot),
            Gather::Numbers(values) => numbers(values, kind, dialect, wanted.scale, weights),
        };
        let column = Column { name: name.to_owned(), kind, encoding };
        column.check().map_err(|_| too_far(name))?;
        Ok(column)
    }
}

/// The numbers of a column have no mean, deviation or quartiles that can be used.
pub(super) fn too_far(name: &str) -> Error {
    let message = "its numbers are too large or too close together to be scaled; change its unit, or leave it out";
    Error::data(format!("column {}", shown(name)), message)
}

/// The number that a cell of a number or a date is; an error is the message about it.
pub(super) fn number(kind: Kind, dialect: &Dialect, cell: &Cell<'_>) -> Result<f64, String> {
    let shown = || shown(&text_of(cell));
    if kind == Kind::Date {
        return date::days(&text_of(cell)).ok_or_else(|| format!("{} is no ISO date, such as 2024-02-29", shown()));
    }
    match dialect.read(cell) {
        Some(number) if number.is_finite() => Ok(number),
        Some(_) => Err(format!("{} is not finite; every number must be", shown())),
        None => Err(format!("{} is not a number, but this column holds numbers", shown())),
    }
}

/// The level that a cell has: of a boolean `false` or `true`, if it is one of the two; of a category its text.
pub(super) fn level<'a>(kind: Kind, cell: &'a Cell<'_>) -> Option<std::borrow::Cow<'a, str>> {
    match kind {
        Kind::Boolean => truth::truth(cell).map(|truth| if truth { "true".into() } else { "false".into() }),
        _ => Some(text_of(cell)),
    }
}

fn numbers(mut values: Vec<f64>, kind: Kind, dialect: Dialect, scaling: Scaling, weights: Option<&[f64]>) -> Encoding {
    let moments = moments(&values, weights);
    let indicator = values.iter().any(|value| value.is_nan());
    values.retain(|value| !value.is_nan());
    let cycles = match kind {
        Kind::Date => Cycle::ALL.into_iter().filter(|cycle| varies(&values, *cycle)).collect(),
        _ => Vec::new(),
    };
    values.sort_unstable_by(f64::total_cmp);
    let (fill, scale) = (quantile(&values, 0.5), Scale::fit(scaling, &values, moments));
    match kind {
        Kind::Date => Encoding::Date { fill, indicator, scale, cycles },
        _ => Encoding::Number { dialect, fill, indicator, scale },
    }
}

/// Whether days lie at different places of a cycle.
fn varies(days: &[f64], cycle: Cycle) -> bool {
    let first = days.first().map(|day| cycle.place(*day));
    days.iter().any(|day| Some(cycle.place(*day)) != first)
}

impl Levels {
    fn add(&mut self, level: &str) {
        self.rows += 1;
        match self.places.get(level) {
            Some(place) => self.levels[*place].1 += 1,
            None if level.len() > LONGEST || self.levels.len() == MOST_LEVELS => self.rest = true,
            None => {
                self.places.insert(level.to_owned(), self.levels.len());
                self.levels.push((level.to_owned(), 1));
            }
        }
    }

    fn finish(self, kind: Kind, one_hot: usize) -> Encoding {
        let Levels { mut levels, rest, missing, rows, .. } = self;
        let all = levels.len();
        if kind == Kind::Boolean {
            levels.sort_unstable();
        } else {
            levels.retain(|(_, count)| *count >= RARE || count * 100 >= rows);
        }
        let other = rest || levels.len() < all;
        // Of two that are equally frequent, the first.
        let frequent = levels.iter().enumerate().rev().max_by_key(|(_, (_, count))| *count).map_or(0, |(at, _)| at);
        let mut levels: Vec<String> = levels.into_iter().map(|(level, _)| level).collect();
        if levels.len() > one_hot && (levels.len(), other, missing) != (2, false, false) {
            let fallback = if other { levels.len() } else { frequent } as u32;
            return Encoding::Index { levels, other, missing, fallback, width: WIDTH };
        }
        match &mut levels[..] {
            [first, second] if !other && !missing => {
                Encoding::Pair { levels: [std::mem::take(first), std::mem::take(second)] }
            }
            _ => Encoding::OneHot { levels, other, missing },
        }
    }
}
