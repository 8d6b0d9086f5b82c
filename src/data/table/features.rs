//! The features that a preparation makes: their names, and which column each comes from.

use std::collections::HashSet;
use std::ops::Range;

use super::{Encoding, Preparation};
use crate::quote::short;

/// The features that come of one column.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Part<'a> {
    /// The column.
    pub column: &'a str,
    /// Their places among all features.
    pub features: Range<usize>,
}

/// A feature that is an index, to be looked up in a learned table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Embedded {
    /// How many different indices there are, counted from 0: the rows of the table.
    pub rows: u32,
    /// How many numbers the table should have per row.
    pub width: u32,
}

impl Preparation {
    /// How many features there are.
    pub fn width(&self) -> usize {
        self.columns.iter().map(|column| column.encoding.width()).sum()
    }

    /// The features that are indices, which are the last ones, in their order.
    pub fn embedded(&self) -> Vec<Embedded> {
        let table = |encoding: &Encoding| match encoding {
            Encoding::Index { width, .. } => {
                Some(Embedded { rows: encoding.indices().unwrap_or_default() as u32, width: *width })
            }
            _ => None,
        };
        self.columns.iter().filter_map(|column| table(&column.encoding)).collect()
    }

    /// The features of each column, in the order of the columns.
    pub fn parts(&self) -> Vec<Part<'_>> {
        let is_index = |encoding: &Encoding| encoding.indices().is_some();
        let indices = self.columns.iter().filter(|column| is_index(&column.encoding)).count();
        let (mut float, mut index) = (0, self.width() - indices);
        let part = |column: &'_ super::Column| {
            let place = if is_index(&column.encoding) { &mut index } else { &mut float };
            let first = *place;
            *place += column.encoding.width();
            first..*place
        };
        let ranges: Vec<Range<usize>> = self.columns.iter().map(part).collect();
        let parts = self.columns.iter().zip(ranges);
        parts.map(|(column, features)| Part { column: &column.name, features }).collect()
    }

    /// A name for each feature, all different: that of its column, and what of it it says, such as `city = "Rome"`.
    pub fn names(&self) -> Vec<String> {
        let mut names = vec![String::new(); self.width()];
        for (column, part) in self.columns.iter().zip(self.parts()) {
            let own = of_column(&column.name, &column.encoding);
            names[part.features].iter_mut().zip(own).for_each(|(place, name)| *place = name);
        }
        let mut known = HashSet::new();
        for name in &mut names {
            let first = name.clone();
            for number in 2_usize.. {
                if known.insert(name.clone()) {
                    break;
                }
                *name = format!("{first} ({number})");
            }
        }
        names
    }
}

/// The names of the features of a column.
fn of_column(name: &str, encoding: &Encoding) -> Vec<String> {
    let level = |level: &String| format!("{name} = {:?}", short(level));
    let mut names = match encoding {
        Encoding::Number { .. } | Encoding::Pair { .. } | Encoding::Index { .. } => vec![name.to_owned()],
        Encoding::Date { cycles, .. } => {
            let circle = |turn: &str| [format!("{name} ({turn}, sine)"), format!("{name} ({turn}, cosine)")];
            let cycles = cycles.iter().flat_map(|cycle| circle(cycle.name()));
            [name.to_owned()].into_iter().chain(cycles).collect()
        }
        Encoding::OneHot { levels, other, .. } => {
            let other = other.then(|| format!("{name} (other)"));
            levels.iter().map(level).chain(other).collect()
        }
    };
    let missing = match encoding {
        Encoding::Number { indicator, .. } | Encoding::Date { indicator, .. } => *indicator,
        Encoding::OneHot { missing, .. } => *missing,
        Encoding::Pair { .. } | Encoding::Index { .. } => false,
    };
    names.extend(missing.then(|| format!("{name} (missing)")));
    names
}
