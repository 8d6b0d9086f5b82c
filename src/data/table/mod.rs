//! Tables as people have them: columns of numbers, texts, dates, of which some cells are missing.
//!
//! A [`Table`] is an open file; it gives one row of cells after the other, in memory that does not depend on how many there are.

mod answers;
mod blank;
mod check;
mod date;
mod decide;
mod echo;
mod encode;
mod features;
mod fit;
#[cfg(feature = "csv")]
mod format;
mod found;
mod gather;
#[cfg(feature = "csv")]
mod json_lines;
mod kept;
mod kind;
mod look;
mod number;
mod numbers;
#[cfg(feature = "parquet")]
mod parquet;
mod preparation;
mod reading;
mod roles;
mod rows;
mod scale;
mod tally;
mod target;
#[cfg(test)]
mod tests;
mod truth;

pub use blank::{BLANKS, Blanks};
pub use date::Cycle;
pub use features::{Embedded, Part};
#[cfg(feature = "csv")]
pub use format::{FORMATS, Format, open, open_alike};
pub use found::{Found, FoundColumn, FoundTarget, Use};
#[cfg(feature = "csv")]
pub use json_lines::JsonLines;
pub use kind::{Kind, Missing, Scaling, Wanted};
pub use look::look;
pub use number::Dialect;
#[cfg(feature = "parquet")]
pub use parquet::Parquet;
pub use preparation::{Column, Encoding, Learned, Preparation, Weighing};
pub use reading::{Charset, Header, Reading, Separator};
pub use rows::{Counted, Counts, PreparedRows, Reads};
pub use scale::Scale;
pub use truth::TRUTHS;

#[cfg(feature = "csv")]
pub use crate::data::input::Input;

use std::borrow::Cow;

use crate::{Error, Result};

/// One cell of a table, as its file has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell<'a> {
    /// Nothing: an empty cell, or the null of a format that has one.
    Missing,
    /// A text, without the white space around it; never empty.
    Text(Cow<'a, str>),
    /// A number, from a format that has numbers. Not finite where the file says so.
    Number(f64),
    /// True or false, from a format that has them.
    Switch(bool),
}

/// Opens a table from its start; every call gives the same rows.
pub type Open<'a> = dyn FnMut() -> Result<Box<dyn Table>> + 'a;

/// An open table: one row of cells after the other.
pub trait Table {
    /// The names of the columns, all different.
    fn names(&self) -> &[String];

    /// How another file of the same kind is read: as this one, what was found by looking included. `None` where nothing was.
    fn found(&self) -> Option<Reading> {
        None
    }

    /// What was decided by looking at the file and should be told, a line each: such as a header that seems to be missing.
    fn remarks(&self) -> &[String];

    /// Goes to the next row; `false` at the end.
    ///
    /// # Errors
    /// What is wrong with the file or with the row as a whole.
    fn advance(&mut self) -> Result<bool>;

    /// The cell of a column in the present row.
    ///
    /// # Errors
    /// Bytes that are no text, with their place.
    fn cell(&self, column: usize) -> Result<Cell<'_>>;

    /// The share of the file that was read, from 0 to 1; `None` where nobody knows.
    fn progress(&self) -> Option<f64>;

    /// What is wrong with the present row, or with its cell in a column, as an error that names file, line and column.
    fn wrong(&self, column: Option<usize>, message: String) -> Error;

    /// What is wrong with a whole column, as an error that names file and column.
    fn wrong_column(&self, column: usize, message: String) -> Error;
}
