//! A table in memory, for tests.

use std::borrow::Cow;

use crate::data::table::{Cell, Table};
use crate::{Error, Result};

/// A table of text cells, as `a|b` lines; the first names the columns. An empty cell is missing.
#[derive(Clone)]
pub(super) struct Lines {
    names: Vec<String>,
    rows: Vec<Vec<String>>,
    next: usize,
}

impl Lines {
    pub fn new(text: &str) -> Lines {
        let mut lines = text.lines().map(|line| line.split('|').map(|cell| cell.trim().to_owned()).collect());
        Lines { names: lines.next().unwrap(), rows: lines.collect(), next: 0 }
    }

    /// What opens it, as often as wanted.
    pub fn open(text: &str) -> impl FnMut() -> Result<Box<dyn Table>> + use<> {
        let lines = Lines::new(text);
        move || Ok(Box::new(lines.clone()))
    }
}

impl Table for Lines {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn remarks(&self) -> &[String] {
        &[]
    }

    fn advance(&mut self) -> Result<bool> {
        self.next += 1;
        Ok(self.next <= self.rows.len())
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        Ok(match self.rows[self.next - 1][column].as_str() {
            "" => Cell::Missing,
            "<nan>" => Cell::Number(f64::NAN),
            "<true>" => Cell::Switch(true),
            "<false>" => Cell::Switch(false),
            text => match text.strip_prefix('#') {
                Some(number) => Cell::Number(number.parse().unwrap()),
                None => Cell::Text(Cow::Borrowed(text)),
            },
        })
    }

    fn progress(&self) -> Option<f64> {
        None
    }

    fn wrong(&self, column: Option<usize>, message: String) -> Error {
        let column = column.map(|column| format!(", column {:?}", self.names[column])).unwrap_or_default();
        Error::data(format!("x.csv, line {}{column}", self.next + 1), message)
    }

    fn wrong_column(&self, column: usize, message: String) -> Error {
        Error::data(format!("x.csv, column {:?}", self.names[column]), message)
    }
}
