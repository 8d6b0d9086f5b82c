//! The rows of a table that can be used.

use super::{Blanks, Table};
use crate::Result;

/// Goes from one row that can be used to the next: none of its targets is missing, and no feature where that leaves a row out.
pub(super) struct Kept {
    pub blanks: Blanks,
    targets: Vec<usize>,
    complete: Vec<usize>,
    /// Rows that can be used.
    pub rows: u64,
    pub without_target: u64,
    pub incomplete: u64,
}

impl Kept {
    /// Rows in which none of these columns is missing.
    pub fn new(missing_values: &[String], targets: Vec<usize>, complete: Vec<usize>) -> Kept {
        let blanks = Blanks::new(missing_values);
        Kept { blanks, targets, complete, rows: 0, without_target: 0, incomplete: 0 }
    }

    /// Goes to the next row that can be used; `false` at the end.
    pub fn advance(&mut self, table: &mut dyn Table) -> Result<bool> {
        while table.advance()? {
            if self.lacks(table, &self.targets)? {
                self.without_target += 1;
            } else if self.lacks(table, &self.complete)? {
                self.incomplete += 1;
            } else {
                self.rows += 1;
                return Ok(true);
            }
        }
        Ok(false)
    }

    fn lacks(&self, table: &dyn Table, columns: &[usize]) -> Result<bool> {
        for column in columns {
            if self.blanks.is_missing(&table.cell(*column)?) {
                return Ok(true);
            }
        }
        Ok(false)
    }
}
