//! Delimited text as a table.

use std::borrow::Cow;
use std::io::Read;

use super::cells::Rows;
use super::columns::Progress;
use crate::data::input::Input;
use crate::data::table::{Cell, Format, Reading, Table};
use crate::{Error, Result};

/// CSV and its relatives, as a format in the list of tables.
pub struct Delimited;

impl Format for Delimited {
    fn name(&self) -> &'static str {
        "delimited text"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv", "tsv", "txt", "data"]
    }

    fn open(&self, input: &Input, reading: &Reading) -> Result<Box<dyn Table>> {
        let stream = input.open()?;
        let progress = Box::new(stream.progress());
        Ok(Box::new(TextTable { rows: Rows::open(stream, &input.place(), reading)?, progress }))
    }
}

impl Delimited {
    /// Returns the table in any reader; `place` stands for it in messages.
    ///
    /// # Errors
    /// [`Error::Data`] for a first row that cannot be used, [`Error::Io`] when the reader fails.
    pub fn read<'a>(reader: impl Read + 'a, place: &str, reading: &Reading) -> Result<Box<dyn Table + 'a>> {
        Ok(Box::new(TextTable { rows: Rows::open(reader, place, reading)?, progress: Box::new(|_| None) }))
    }
}

struct TextTable<R> {
    rows: Rows<R>,
    progress: Progress,
}

impl<R: Read> Table for TextTable<R> {
    fn names(&self) -> &[String] {
        self.rows.names()
    }

    fn found(&self) -> Option<Reading> {
        Some(self.rows.found())
    }

    fn remarks(&self) -> &[String] {
        self.rows.remarks()
    }

    fn advance(&mut self) -> Result<bool> {
        self.rows.advance()
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        Ok(self.rows.cell(column)?.map_or(Cell::Missing, |text| Cell::Text(Cow::Borrowed(text))))
    }

    fn progress(&self) -> Option<f64> {
        (self.progress)(self.rows.counts())
    }

    fn wrong(&self, column: Option<usize>, message: String) -> Error {
        match column {
            Some(column) => self.rows.cell_error(column, message),
            None => self.rows.line_error(message),
        }
    }

    fn wrong_column(&self, column: usize, message: String) -> Error {
        self.rows.column_error(self.names().get(column).map(String::as_str).unwrap_or_default(), message)
    }
}

#[cfg(test)]
mod tests;
