//! Parquet files: the columns that are numbers, texts, true or false, dates and times.

mod column;
mod time;

use std::borrow::Cow;
use std::collections::HashMap;
use std::fs::File;
use std::panic::{AssertUnwindSafe, catch_unwind};

use bytes::Bytes;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, FileReader, SerializedFileReader};

use self::column::{Column, Value};
use super::{Cell, Format, Input, Reading, Table};
use crate::quote::{line, shown};
use crate::{Error, Result};

/// Rows that are read of each column at a time.
const BATCH: usize = 1024;

/// Parquet files, as a format in the list of tables.
///
/// Lists, groups and kinds of values that are neither number, text, truth value, date nor time are left out. A date is text as in
/// `2026-01-31`, a time of day as in `12:30:00`, and both together as in `2026-01-31T12:30:00`, with as many digits after the
/// second as are not 0. Pages may be compressed by snappy or gzip.
pub struct Parquet;

impl Format for Parquet {
    fn name(&self) -> &'static str {
        "Parquet"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["parquet", "pq"]
    }

    fn open(&self, input: &Input, reading: &Reading) -> Result<Box<dyn Table>> {
        table::<File>(input.file()?, &input.place(), reading)
    }
}

impl Parquet {
    /// Returns the table in bytes; `place` stands for them in messages.
    ///
    /// # Errors
    /// Those of [`Format::open`].
    pub fn read(bytes: Vec<u8>, place: &str, reading: &Reading) -> Result<Box<dyn Table>> {
        table(Bytes::from(bytes), place, reading)
    }
}

fn table<R: ChunkReader + 'static>(reader: R, place: &str, reading: &Reading) -> Result<Box<dyn Table>> {
    reading.check_for_named_cells(Parquet.name())?;
    let file = guarded(place, || SerializedFileReader::new(reader))?;
    let mut table = ParquetTable::new(file, place.to_owned());
    table.find_columns()?;
    Ok(Box::new(table))
}

/// What another crate makes of a stranger's bytes; it panics at some that are damaged.
fn guarded<T>(place: &str, read: impl FnOnce() -> Result<T, ParquetError>) -> Result<T> {
    let problem = match catch_unwind(AssertUnwindSafe(read)) {
        Ok(Ok(made)) => return Ok(made),
        Ok(Err(error)) => line(&error.to_string()),
        Err(_) => String::from("its parts do not fit together"),
    };
    Err(Error::data(place, format!("the file is no Parquet that can be read here, or is damaged: {problem}")))
}

struct ParquetTable<R: ChunkReader> {
    file: SerializedFileReader<R>,
    place: String,
    names: Vec<String>,
    remarks: Vec<String>,
    columns: Vec<Column>,
    /// The row group after the present one.
    next_group: usize,
    /// Rows that are left of the present group, by what it says of itself.
    left_in_group: u64,
    /// Rows of the present batch, and the present one in it, counted from 1.
    batch: usize,
    at: usize,
    /// The present row in the file, counted from 1.
    row: u64,
    /// Rows in all groups.
    rows: u64,
}

impl<R: ChunkReader + 'static> ParquetTable<R> {
    fn new(file: SerializedFileReader<R>, place: String) -> Self {
        let groups = file.metadata().row_groups().iter();
        let rows = groups.map(|group| group.num_rows().max(0) as u64).fold(0, u64::saturating_add);
        let (names, remarks, columns) = (Vec::new(), Vec::new(), Vec::new());
        let (next_group, left_in_group, batch, at, row) = (0, 0, 0, 0, 0);
        ParquetTable { file, place, names, remarks, columns, next_group, left_in_group, batch, at, row, rows }
    }

    fn find_columns(&mut self) -> Result<()> {
        let schema = self.file.metadata().file_metadata().schema_descr_ptr();
        let mut left_out: Vec<String> = Vec::new();
        let mut places = HashMap::new();
        for (place, description) in schema.columns().iter().enumerate() {
            let name = description.path().parts().first().map_or("", String::as_str).to_owned();
            match Column::new(place, description) {
                Some(_) if name.trim().is_empty() => {
                    return Err(Error::data(
                        &self.place,
                        format!("column {} has no name; name it or remove it", place + 1),
                    ));
                }
                Some(_) if places.insert(name.clone(), place).is_some() => {
                    return Err(Error::data(
                        &self.place,
                        format!("two columns are named {}; rename one", shown(&name)),
                    ));
                }
                Some(column) => {
                    self.names.push(name);
                    self.columns.push(column);
                }
                None if left_out.contains(&name) => {}
                None => left_out.push(name),
            }
        }
        if self.columns.is_empty() {
            let message = "there is no column of numbers, texts, truth values, dates or times in the file";
            return Err(Error::data(&self.place, message));
        }
        let what = "it holds lists, groups or values of a kind that is not read; it is left out";
        self.remarks = left_out.iter().map(|name| format!("column {}: {what}", shown(name))).collect();
        Ok(())
    }

    /// Reads rows of the present group, or else of the next one; `false` at the end.
    fn next_batch(&mut self) -> Result<bool, ParquetError> {
        while self.left_in_group == 0 {
            if self.next_group == self.file.num_row_groups() {
                return Ok(false);
            }
            let group = self.file.get_row_group(self.next_group)?;
            self.left_in_group = group.metadata().num_rows().max(0) as u64;
            for column in &mut self.columns {
                column.start(group.as_ref())?;
            }
            self.next_group += 1;
        }
        let wanted = self.left_in_group.min(BATCH as u64) as usize;
        for column in &mut self.columns {
            if column.read(wanted)? != wanted {
                return Err(ParquetError::General("a column ends before its rows do".into()));
            }
        }
        (self.batch, self.at) = (wanted, 0);
        self.left_in_group -= wanted as u64;
        Ok(true)
    }
}

impl<R: ChunkReader + 'static> Table for ParquetTable<R> {
    fn names(&self) -> &[String] {
        &self.names
    }

    fn remarks(&self) -> &[String] {
        &self.remarks
    }

    fn advance(&mut self) -> Result<bool> {
        if self.at == self.batch {
            let place = format!("{}, after row {}", self.place, self.row);
            if !guarded(&place, || self.next_batch())? {
                return Ok(false);
            }
        }
        self.at += 1;
        self.row += 1;
        Ok(true)
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        let value = self.columns.get(column).zip(self.at.checked_sub(1)).and_then(|(column, at)| column.value(at));
        match value {
            None => Ok(Cell::Missing),
            Some(Value::Number(number)) => Ok(Cell::Number(*number)),
            Some(Value::Switch(switch)) => Ok(Cell::Switch(*switch)),
            Some(Value::Text(text)) if text.trim().is_empty() => Ok(Cell::Missing),
            Some(Value::Text(text)) => Ok(Cell::Text(Cow::Borrowed(text.trim()))),
            Some(Value::Bytes) => {
                Err(self.wrong(Some(column), "the bytes are no UTF-8 text; leave the column out".into()))
            }
        }
    }

    fn progress(&self) -> Option<f64> {
        Some(self.row as f64 / self.rows.max(1) as f64)
    }

    fn wrong(&self, column: Option<usize>, message: String) -> Error {
        let column = column.and_then(|column| self.names.get(column));
        let column = column.map(|name| format!(", column {}", shown(name))).unwrap_or_default();
        Error::data(format!("{}, row {}{column}", self.place, self.row), message)
    }

    fn wrong_column(&self, column: usize, message: String) -> Error {
        let name = self.names.get(column).map(String::as_str).unwrap_or_default();
        Error::data(format!("{}, column {}", self.place, shown(name)), message)
    }
}

#[cfg(test)]
mod tests;
