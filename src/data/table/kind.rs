//! What a column is, and what a user may say about the columns of a table.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

/// What a column holds, and so what becomes of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// Numbers: one feature, scaled.
    Number,
    /// One of several levels: a feature per level, or an index into a learned table.
    Category,
    /// True or false, in one spelling for the whole column.
    Boolean,
    /// ISO dates, with or without the time of day: days, and the cycles of year, week and day.
    Date,
    /// Free text: left out.
    Text,
    /// Left out.
    Drop,
}

impl Kind {
    /// Every kind.
    pub const ALL: [Kind; 6] = [Kind::Number, Kind::Category, Kind::Boolean, Kind::Date, Kind::Text, Kind::Drop];

    /// Whether a column of this kind becomes features.
    pub fn is_used(self) -> bool {
        !matches!(self, Kind::Text | Kind::Drop)
    }

    /// The kind as a configuration names it.
    pub fn name(self) -> &'static str {
        match self {
            Kind::Number => "number",
            Kind::Category => "category",
            Kind::Boolean => "boolean",
            Kind::Date => "date",
            Kind::Text => "text",
            Kind::Drop => "drop",
        }
    }
}

/// What is done about a missing cell of a feature.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Missing {
    /// A number takes the median of the training rows, a category has a level of its own.
    #[default]
    Fill,
    /// It is an error that names the cell.
    Error,
    /// Its row is left out and counted.
    Drop,
}

/// How numbers are scaled.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scaling {
    /// Not at all: neither features nor targets.
    None,
    /// By mean and standard deviation of the training rows.
    #[default]
    Standard,
    /// By median and quartiles of the training rows, and far values are drawn in smoothly.
    Robust,
}

/// What is wanted of a table: the roles of its columns, and what overrules what looking at it finds.
#[derive(Debug, Clone, PartialEq)]
pub struct Wanted {
    /// The columns to learn; none where only features are of interest.
    pub target: Vec<String>,
    /// Whether the target is one of several classes; `None` finds out by looking.
    pub classes: Option<bool>,
    /// The columns that the model may see; `None` for all that have no other role.
    pub features: Option<Vec<String>>,
    /// Columns that are left out.
    pub ignore: Vec<String>,
    /// The column that says how much each row counts.
    pub weight: Option<String>,
    /// The column whose equal cells belong together in a split.
    pub group: Option<String>,
    /// Kinds that overrule what is found, by the names of the columns.
    pub kinds: BTreeMap<String, Kind>,
    /// What is done about a missing cell.
    pub missing: Missing,
    /// Texts that stand for nothing, beside those that [`Blanks`](super::Blanks) knows.
    pub missing_values: Vec<String>,
    /// The decimal sign, `.` or `,`; `None` finds out for each column.
    pub decimal: Option<char>,
    /// A category of more levels than this becomes an index.
    pub one_hot: usize,
    /// How numbers are scaled.
    pub scale: Scaling,
}

impl Default for Wanted {
    fn default() -> Self {
        Wanted {
            target: Vec::new(),
            classes: None,
            features: None,
            ignore: Vec::new(),
            weight: None,
            group: None,
            kinds: BTreeMap::new(),
            missing: Missing::Fill,
            missing_values: Vec::new(),
            decimal: None,
            one_hot: 16,
            scale: Scaling::Standard,
        }
    }
}
