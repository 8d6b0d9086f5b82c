//! How the cells of a table become numbers: fitted to the training rows, kept with the model.

use serde::{Deserialize, Serialize};

use super::{Cycle, Dialect, Kind, Missing, Scale};
use crate::data::scale::Standardizer;

/// How the cells of a table become features and targets, as fitted to the training rows.
///
/// The features of all columns follow each other in the order of the columns, except that every [`Encoding::Index`] comes behind
/// all others: a layer can take the last of them. Statistics are taken in `f64` from the text; a scaled number is rounded to
/// `f32` once.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Preparation {
    /// The columns that are used, in the order of the file that was trained on.
    pub columns: Vec<Column>,
    /// What is learned; `None` where nothing was named.
    pub target: Option<Learned>,
    /// The column that says how much each row counts.
    pub weight: Option<Weighing>,
    /// What is done about a missing cell.
    pub missing: Missing,
    /// Texts that stand for nothing, beside the usual ones.
    pub missing_values: Vec<String>,
}

/// A column that the model sees.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Column {
    /// Its name in the file.
    pub name: String,
    /// What it holds; a boolean's levels are `false` and `true`, however the file spells them.
    pub kind: Kind,
    /// How its cells become features.
    pub encoding: Encoding,
}

/// The column that says how much each row counts.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Weighing {
    /// The column.
    pub name: String,
    /// How its numbers are written.
    pub dialect: Dialect,
}

/// How the cells of a column become features.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Encoding {
    /// The scaled number, and then 1 where it was missing and 0 where not, if `indicator` says so.
    Number {
        /// How numbers are written.
        dialect: Dialect,
        /// The number in the place of a missing one, before it is scaled: the median.
        fill: f64,
        /// Whether a second feature says which cells are missing: some were in the training rows.
        indicator: bool,
        /// From the number to the feature.
        scale: Scale,
    },
    /// The scaled days since 1970; the sine and the cosine of each cycle, both 0 where the date is missing; and then 1 where it
    /// was missing and 0 where not, if `indicator` says so.
    Date {
        /// The days in the place of a missing date: the median.
        fill: f64,
        /// As for numbers.
        indicator: bool,
        /// From days to the feature.
        scale: Scale,
        /// The cycles that vary in the training rows.
        cycles: Vec<Cycle>,
    },
    /// One feature: −1 for the first level, 1 for the second, 0 for anything else.
    Pair {
        /// Both levels.
        levels: [String; 2],
    },
    /// A feature per level: 1 for the one that the cell has, 0 for the others; then one for any other level and one for missing
    /// cells, if the training rows had such. What has no feature is 0 everywhere.
    OneHot {
        /// In the order of their first appearance in the training rows.
        levels: Vec<String>,
        /// Whether rare levels share a feature, which levels never seen have too.
        other: bool,
        /// Whether missing cells have a feature.
        missing: bool,
    },
    /// One feature, which is the index of the level: those of `levels` from 0 on, then the other ones, then missing cells, if the
    /// training rows had such.
    Index {
        /// In the order of their first appearance in the training rows.
        levels: Vec<String>,
        /// Whether rare levels share an index, which levels never seen have too.
        other: bool,
        /// Whether missing cells have an index.
        missing: bool,
        /// The index of what has none: that of the other levels, or of the most frequent level where there are no others.
        fallback: u32,
        /// How many numbers a learned table should have per level.
        width: u32,
    },
}

/// What is learned.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub enum Learned {
    /// One of several classes.
    Classes {
        /// The column.
        name: String,
        /// In the order of the model's outputs.
        classes: Vec<String>,
    },
    /// Numbers.
    Numbers {
        /// The columns.
        names: Vec<String>,
        /// How the numbers of each are written.
        dialects: Vec<Dialect>,
        /// From numbers to what the model learns; `None` where it learns them as they are.
        scale: Option<Standardizer>,
    },
}

impl Encoding {
    /// How many features a cell becomes.
    pub fn width(&self) -> usize {
        match self {
            Encoding::Number { indicator, .. } => 1 + usize::from(*indicator),
            Encoding::Date { indicator, cycles, .. } => 1 + 2 * cycles.len() + usize::from(*indicator),
            Encoding::Pair { .. } | Encoding::Index { .. } => 1,
            Encoding::OneHot { levels, other, missing } => levels.len() + usize::from(*other) + usize::from(*missing),
        }
    }

    /// For an index, how many different ones there are.
    pub fn indices(&self) -> Option<usize> {
        match self {
            Encoding::Index { levels, other, missing, .. } => {
                Some(levels.len() + usize::from(*other) + usize::from(*missing))
            }
            _ => None,
        }
    }
}
