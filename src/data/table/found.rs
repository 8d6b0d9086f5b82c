//! What looking at a table found out.

use super::{Dialect, Kind};

/// What looking at a whole table found out.
#[derive(Debug, Clone, PartialEq)]
pub struct Found {
    /// Every column, in the file's order.
    pub columns: Vec<FoundColumn>,
    /// What is to be learned.
    pub target: FoundTarget,
    /// The rows that can be used: they have a target, and no missing cell where that leaves a row out.
    pub rows: usize,
    /// Rows that are left out because a target is missing.
    pub without_target: usize,
    /// Rows that are left out because a feature is missing ([`Missing::Drop`](super::Missing::Drop)).
    pub incomplete: usize,
    /// Per usable row, the number of its group, counted from 0 in the order of appearance.
    pub groups: Option<Vec<u32>>,
    /// What should be told, a line each: columns that are left out, and what looks like a mistake.
    pub remarks: Vec<String>,
}

/// What a column is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Use {
    /// The model sees it.
    Feature,
    /// The model learns it.
    Target,
    /// It says how much each row counts.
    Weight,
    /// It says which rows belong together.
    Group,
    /// It is left out.
    Out,
}

/// One column of a table, as it was found.
#[derive(Debug, Clone, PartialEq)]
pub struct FoundColumn {
    /// The name in the file.
    pub name: String,
    /// What it holds.
    pub kind: Kind,
    /// Why it is taken to be so, as a short phrase.
    pub why: String,
    /// What it is for.
    pub role: Use,
    /// How many of its cells are missing.
    pub missing: u64,
    /// How many different values it has.
    pub distinct: usize,
    /// Whether there are more than `distinct` different values: counting ended there.
    pub more: bool,
    /// The first few different values, as the file has them, shortened.
    pub examples: Vec<String>,
    /// How often each value occurs, in the order of appearance; empty where there are too many.
    pub levels: Vec<(String, u64)>,
    /// The smallest and the largest number, for numbers; in days since 1970 for dates.
    pub range: Option<(f64, f64)>,
    /// How its numbers are written.
    pub dialect: Dialect,
}

/// What is to be learned.
#[derive(Debug, Clone, PartialEq)]
pub enum FoundTarget {
    /// Nothing: no target was named.
    Nothing,
    /// One of several classes.
    Classes {
        /// The column.
        name: String,
        /// The classes, in the order of the model's outputs: by number if all are whole numbers, otherwise by their text.
        classes: Vec<String>,
        /// Per usable row, the place of its class in `classes`.
        labels: Vec<u32>,
        /// Per class, how many usable rows have it.
        counts: Vec<u64>,
        /// Why it is taken to be so.
        why: String,
    },
    /// One or more numbers.
    Numbers {
        /// The columns.
        names: Vec<String>,
        /// Why it is taken to be so.
        why: String,
    },
}

impl Found {
    /// The columns of one role, in the file's order.
    pub fn of(&self, role: Use) -> impl Iterator<Item = &FoundColumn> {
        self.columns.iter().filter(move |column| column.role == role)
    }
}
