//! JSON lines: an object a line, whose keys are the columns.

mod keys;
mod object;

use std::borrow::Cow;
use std::io::Read;

use self::keys::Keys;
use self::object::{Names, Object, Value, parse};
use super::{Cell, Format, Reading, Table};
use crate::data::input::{Decoded, Input, Lines, decoded, failure};
use crate::quote::shown;
use crate::{Error, Result};

/// JSON lines, as a format in the list of tables.
///
/// The columns are the keys of all objects, in the order in which they appear; the file is read once to find them. A key that an
/// object does not have, `null` and an empty text are missing cells.
pub struct JsonLines;

impl Format for JsonLines {
    fn name(&self) -> &'static str {
        "JSON lines"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["jsonl", "ndjson"]
    }

    fn open(&self, input: &Input, reading: &Reading) -> Result<Box<dyn Table>> {
        reading.check_for_named_cells(self.name())?;
        let keys = find_keys(input.open()?, &input.place(), reading)?;
        let stream = input.open()?;
        let progress = Box::new(stream.progress());
        Ok(Box::new(ObjectTable::new(stream, &input.place(), reading, keys, progress)))
    }
}

impl JsonLines {
    /// Returns the table in bytes; `place` stands for them in messages.
    ///
    /// # Errors
    /// Those of [`Format::open`].
    pub fn read<'a>(bytes: &'a [u8], place: &str, reading: &Reading) -> Result<Box<dyn Table + 'a>> {
        reading.check_for_named_cells(JsonLines.name())?;
        let keys = find_keys(bytes, place, reading)?;
        Ok(Box::new(ObjectTable::new(bytes, place, reading, keys, Box::new(|_| None))))
    }
}

/// The keys of all objects of a text.
fn find_keys<R: Read>(reader: R, place: &str, reading: &Reading) -> Result<Keys> {
    let mut objects = Objects::new(reader, place, reading);
    let mut keys = Keys::default();
    while objects.advance()? {
        parse(&objects.lines.text, Names(&mut keys)).map_err(|message| objects.wrong(None, message))?;
    }
    if keys.names.is_empty() {
        return Err(Error::data(
            place,
            "there is no value in the file; an object a line is needed, as in {\"a\": 1, \"b\": \"x\"}",
        ));
    }
    Ok(keys)
}

/// The lines of a text that are not blank.
struct Objects<R> {
    lines: Lines<Decoded<R>>,
    place: String,
}

impl<R: Read> Objects<R> {
    fn new(reader: R, place: &str, reading: &Reading) -> Self {
        Objects { lines: Lines::new(decoded(reader, reading.encoding)), place: place.to_owned() }
    }

    fn advance(&mut self) -> Result<bool> {
        loop {
            match self.lines.advance() {
                Ok(true) if self.lines.text.trim_ascii().is_empty() => {}
                Ok(more) => return Ok(more),
                Err(error) => return Err(failure(error, &self.place, self.lines.number)),
            }
        }
    }

    fn wrong(&self, column: Option<&str>, message: String) -> Error {
        let column = column.map(|name| format!(", column {}", shown(name))).unwrap_or_default();
        Error::data(format!("{}, line {}{column}", self.place, self.lines.number), message)
    }
}

struct ObjectTable<R> {
    objects: Objects<R>,
    keys: Keys,
    /// Those of the present object, in the order of the keys; `None` for what it does not have.
    values: Vec<Option<Value>>,
    progress: Box<dyn Fn((u64, u64)) -> Option<f64>>,
}

impl<R: Read> ObjectTable<R> {
    fn new(
        reader: R,
        place: &str,
        reading: &Reading,
        keys: Keys,
        progress: Box<dyn Fn((u64, u64)) -> Option<f64>>,
    ) -> Self {
        let values = keys.names.iter().map(|_| None).collect();
        ObjectTable { objects: Objects::new(reader, place, reading), keys, values, progress }
    }
}

impl<R: Read> Table for ObjectTable<R> {
    fn names(&self) -> &[String] {
        &self.keys.names
    }

    fn remarks(&self) -> &[String] {
        &[]
    }

    fn advance(&mut self) -> Result<bool> {
        if !self.objects.advance()? {
            return Ok(false);
        }
        self.values.fill_with(|| None);
        parse(&self.objects.lines.text, Object { keys: &self.keys, values: &mut self.values })
            .map_err(|message| self.objects.wrong(None, message))?;
        Ok(true)
    }

    fn cell(&self, column: usize) -> Result<Cell<'_>> {
        let nested = |what| {
            let message =
                format!("the value is {what}; give each of its values a key of its own, or leave the column out");
            Err(self.wrong(Some(column), message))
        };
        match self.values.get(column).and_then(Option::as_ref) {
            None => Ok(Cell::Missing),
            Some(Value::Number(number)) => Ok(Cell::Number(*number)),
            Some(Value::Switch(switch)) => Ok(Cell::Switch(*switch)),
            Some(Value::Text(text)) if text.trim().is_empty() => Ok(Cell::Missing),
            Some(Value::Text(text)) => Ok(Cell::Text(Cow::Borrowed(text.trim()))),
            Some(Value::List) => nested("a list"),
            Some(Value::Object) => nested("an object"),
        }
    }

    fn progress(&self) -> Option<f64> {
        (self.progress)(self.objects.lines.counts())
    }

    fn wrong(&self, column: Option<usize>, message: String) -> Error {
        self.objects.wrong(column.and_then(|column| self.keys.names.get(column)).map(String::as_str), message)
    }

    fn wrong_column(&self, column: usize, message: String) -> Error {
        let name = self.keys.names.get(column).map(String::as_str).unwrap_or_default();
        Error::data(format!("{}, column {}", self.objects.place, shown(name)), message)
    }
}

#[cfg(test)]
mod tests;
