//! A delimited text row by row: names, cells as text or numbers, and the place of each for messages.

use std::collections::HashMap;
use std::io::Read;

use super::dialect::{rows, separator};
use super::header::{Columns, columns};
use super::preamble::preamble;
use super::records::{Records, Stop};
use crate::data::input::{Decoded, MOST_LINE, decoded, failure};
use crate::data::table::{Header, Reading, Separator};
use crate::nearest::nearest;
use crate::quote::shown;
use crate::{Error, Result};

/// So many bytes are looked at to find out how a text is written.
const LOOK: usize = 64 << 10;

/// The rows of a text; one row is held at a time.
pub(super) struct Rows<R> {
    records: Records<Decoded<R>>,
    separator: Separator,
    columns: Columns,
    reading: Reading,
    /// The file, as shown to the user.
    file: String,
    /// The first row was read to find the columns, and is the next one.
    waiting: bool,
    any: bool,
}

impl<R: Read> Rows<R> {
    /// Looks at the first rows, and finds the columns.
    pub(super) fn open(reader: R, file: &str, reading: &Reading) -> Result<Self> {
        let records = Records::new(decoded(reader, reading.encoding), Separator::Comma);
        let (separator, columns) = (Separator::Comma, Columns::default());
        let (file, reading_) = (file.to_owned(), reading.clone());
        let mut rows = Rows { records, separator, columns, reading: reading_, file, waiting: false, any: false };
        rows.find_columns(reading)?;
        Ok(rows)
    }

    fn find_columns(&mut self, reading: &Reading) -> Result<()> {
        let preamble = preamble(&mut self.records).map_err(|stop| self.stopped(stop))?;
        let start = self.records.look(LOOK).map_err(|error| failure(error, &self.file, 1))?;
        let whole = start.len() < LOOK;
        let said = reading.separator.or(preamble.separator);
        self.separator = said.unwrap_or_else(|| separator(start, whole, reading.likely));
        self.reading.likely = Some(self.separator).filter(|_| said.is_none());
        let looked = rows(start, whole, self.separator);
        self.records.separate(self.separator);
        if !self.read()? {
            let message = "the file is empty; a row of column names and at least one row of values are needed";
            return Err(Error::data(&self.file, message));
        }
        let first: Vec<&[u8]> = self.records.cells().collect();
        let found = columns(&first, &looked, reading.header.as_ref());
        self.columns = found.map_err(|message| self.line_error(message))?;
        self.columns.remarks.splice(0..0, preamble.remark);
        self.waiting = self.columns.first_is_data;
        if reading.header.is_none() && self.columns.first_is_data {
            self.reading.header = Some(Header::Present(false));
        }
        self.check_end()
    }

    /// How the text is read, with what was found by looking.
    pub(super) fn found(&self) -> Reading {
        self.reading.clone()
    }

    /// The names of the columns, all different.
    pub(super) fn names(&self) -> &[String] {
        &self.columns.names
    }

    /// What was found by looking and should be told.
    pub(super) fn remarks(&self) -> &[String] {
        &self.columns.remarks
    }

    /// Goes to the next row that is not blank; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if !std::mem::take(&mut self.waiting) && !self.read()? {
            return if self.any {
                Ok(false)
            } else {
                Err(self.line_error("no row follows the header; at least one is needed".into()))
            };
        }
        self.any = true;
        let (found, wanted) = (self.records.len(), self.columns.width);
        if found != wanted {
            let hint = match self.records.has_line_ends() {
                true => String::from("look for a quote that is not closed"),
                false => format!("look for a {} that is missing or too many", self.separator.name()),
            };
            let whose = if self.columns.first_is_data { "first row" } else { "header" };
            return Err(self.line_error(format!("found {found} cells, but the {whose} has {wanted}; {hint}")));
        }
        self.check_end()?;
        Ok(true)
    }

    /// A row that the file ends in, and cells that no column has.
    fn check_end(&self) -> Result<()> {
        if self.records.is_open() {
            let message =
                "the file ends inside of a quote that begins in this row; look for a quote that is not closed";
            return Err(self.line_error(message.into()));
        }
        let end = self.columns.before + self.columns.names.len();
        match (end..self.columns.width).find(|&at| !self.records.cell(at).trim_ascii().is_empty()) {
            Some(at) => {
                let cell = shown(&String::from_utf8_lossy(self.records.cell(at)));
                let message = format!("column {} has no name, but {cell} is in it; name it in the header", at + 1);
                Err(self.line_error(message))
            }
            None => Ok(()),
        }
    }

    /// The cell of a column, without the white space around it; `None` when it is empty.
    pub(super) fn cell(&self, column: usize) -> Result<Option<&str>> {
        let bytes = self.records.cell(self.columns.before + column);
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let shown = shown(&String::from_utf8_lossy(bytes));
            let message = format!("{shown} is not UTF-8 text; save the file as UTF-8 or set data.encoding");
            self.cell_error(column, message)
        })?;
        Ok(Some(text.trim()).filter(|text| !text.is_empty()))
    }

    /// The cell of a column, without the white space around it; an empty one is an error.
    pub(super) fn text(&self, column: usize) -> Result<&str> {
        self.cell(column)?
            .ok_or_else(|| self.cell_error(column, "the cell is empty; fill it in or remove the row".into()))
    }

    /// The cell of a column as a finite number; `advice` ends the message about text that is none.
    pub(super) fn number(&self, column: usize, advice: &str) -> Result<f32> {
        let text = self.text(column)?;
        let problem = match text.parse::<f32>() {
            Ok(number) if number.is_finite() => return Ok(number),
            Ok(_) if text.contains(|letter: char| letter.is_ascii_digit()) => {
                "is too large; a number must lie within ±3.4e38 (scale the column)"
            }
            Ok(_) => "is not finite; every number must be (fill it in or remove the row)",
            Err(_) => &format!("is not a number; {advice}"),
        };
        Err(self.cell_error(column, format!("{} {problem}", shown(text))))
    }

    /// The places of the columns by their names.
    pub(super) fn places(&self) -> HashMap<&str, usize> {
        self.names().iter().map(String::as_str).zip(0..).collect()
    }

    /// Bytes of text that were used so far, and those that were read.
    pub(super) fn counts(&self) -> (u64, u64) {
        self.records.counts()
    }

    /// The place of a column of that name among [`Rows::places`]; `role` says in the message what it is wanted for.
    pub(super) fn find(&self, places: &HashMap<&str, usize>, name: &str, role: &str) -> Result<usize> {
        if let Some(place) = places.get(name) {
            return Ok(*place);
        }
        let names = || self.names().iter().map(String::as_str);
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean {}?", shown(near)),
            None => String::from("name one that is there or add it."),
        };
        let listed = match self.names().len() {
            0..=12 => names().map(shown).collect::<Vec<_>>().join(", "),
            count => format!("{count} columns from {} to {}", shown(&self.names()[0]), shown(&self.names()[count - 1])),
        };
        let message = format!("there is no column {} ({role}); {hint} The file has {listed}", shown(name));
        // Without a header, no name that was meant is there.
        let header = self.remarks().last().filter(|_| self.columns.first_is_data);
        Err(self.line_error(header.map_or(message.clone(), |remark| format!("{message}; {remark}"))))
    }

    /// What is wrong with a cell of the present row.
    pub(super) fn cell_error(&self, column: usize, message: String) -> Error {
        let name = self.names().get(column).map(String::as_str).unwrap_or_default();
        Error::data(format!("{}, line {}, column {}", self.file, self.records.line, shown(name)), message)
    }

    /// What is wrong with a whole column.
    pub(super) fn column_error(&self, name: &str, message: String) -> Error {
        Error::data(format!("{}, column {}", self.file, shown(name)), message)
    }

    /// What is wrong with the present row, or the header before the first row is read.
    pub(super) fn line_error(&self, message: String) -> Error {
        Error::data(format!("{}, line {}", self.file, self.records.line), message)
    }

    /// Reads the next row.
    fn read(&mut self) -> Result<bool> {
        self.records.advance().map_err(|stop| self.stopped(stop))
    }

    fn stopped(&self, stop: Stop) -> Error {
        match stop {
            Stop::Failed(error) => failure(error, &self.file, self.records.line),
            Stop::Long => {
                let most = MOST_LINE >> 20;
                self.line_error(format!("no row ends within {most} MiB from here; look for a quote that is not closed"))
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io;

    /// The message of the first error when every cell is read as a number.
    fn message(text: &[u8]) -> String {
        let read = || {
            let mut rows = Rows::open(text, "x.csv", &Reading::default())?;
            while rows.advance()? {
                for column in 0..rows.names().len() {
                    rows.number(column, "advice")?;
                }
            }
            Ok::<(), Error>(())
        };
        let message = read().unwrap_err().to_string();
        assert!(!message.contains(['\n', '\r']), "one line: {message}");
        message
    }

    #[test]
    fn lines_are_counted_as_an_editor_counts_them() {
        for end in ["\n", "\r\n"] {
            for last in ["", end] {
                let text = ["", "a,b", "1,2", "", "  ", "3,4", "5,\"6", "7\"", "8,9"].join(end) + last;
                let mut rows = Rows::open(text.as_bytes(), "x.csv", &Reading::default()).unwrap();
                let mut lines = vec![rows.records.line];
                while rows.advance().unwrap() {
                    lines.push(rows.records.line);
                }
                assert_eq!(lines, [2, 3, 6, 7, 9], "{text:?}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_are_accepted() {
        for text in ["\u{feff}a,b\r\n1, 2 \r\n", "\u{feff}\"a\",\"b\"\r\n\"1\",\"2\"\r\n\r\n"] {
            let mut rows = Rows::open(text.as_bytes(), "x.csv", &Reading::default()).unwrap();
            assert_eq!(rows.names(), ["a", "b"]);
            assert!(rows.advance().unwrap());
            assert_eq!((rows.number(0, "").unwrap(), rows.number(1, "").unwrap()), (1.0, 2.0));
            assert!(!rows.advance().unwrap());
        }
    }

    #[test]
    fn a_ragged_row_is_named_by_line() {
        let commas = "look for a comma that is missing or too many";
        assert_eq!(message(b"a,b\n1,2\n3\n"), format!("x.csv, line 3: found 1 cells, but the header has 2; {commas}"));
        assert_eq!(message(b"a,b\n1,2,\n"), format!("x.csv, line 2: found 3 cells, but the header has 2; {commas}"));
        let quote = message(b"a,b\n1,2\n\"3,4\n5,6\n");
        assert_eq!(quote, "x.csv, line 3: found 1 cells, but the header has 2; look for a quote that is not closed");
    }

    #[test]
    fn a_cell_that_is_no_finite_number_is_named_by_line_and_column() {
        let place = "x.csv, line 3, column \"b\": ";
        for (cell, expected) in [
            ("abc", "\"abc\" is not a number; advice"),
            ("1,5", "\"1,5\" is not a number; advice"),
            ("a\r\nb", "\"a\\r\\nb\" is not a number; advice"),
            ("", "the cell is empty; fill it in or remove the row"),
            ("  ", "the cell is empty; fill it in or remove the row"),
            ("NaN", "\"NaN\" is not finite; every number must be (fill it in or remove the row)"),
            ("-inf", "\"-inf\" is not finite; every number must be (fill it in or remove the row)"),
            ("1e39", "\"1e39\" is too large; a number must lie within ±3.4e38 (scale the column)"),
        ] {
            assert_eq!(message(format!("a,b\n1,2\n3,\"{cell}\"\n").as_bytes()), format!("{place}{expected}"));
        }
        assert!(message(b"a,b\n1,2\n3,\xff\n").starts_with(&format!("{place}\"\u{fffd}\" is not UTF-8")));
        assert!(message(format!("a\n{}\n", "x".repeat(9999)).as_bytes()).len() < 120);
    }

    /// So many times a piece, as a file that is never in memory.
    fn endless(start: &'static [u8], piece: &'static [u8], bytes: u64) -> impl Read {
        struct Endless(&'static [u8], usize);
        impl Read for Endless {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                for byte in into.iter_mut() {
                    *byte = self.0[self.1 % self.0.len()];
                    self.1 += 1;
                }
                Ok(into.len())
            }
        }
        start.chain(Endless(piece, 0).take(bytes))
    }

    #[test]
    fn a_row_without_an_end_is_refused_after_16_mib_whatever_it_is_made_of() {
        let gigabytes = 4 << 30;
        for (start, piece, line) in [
            (&b"a,b\n1,2\n\"3"[..], &b",4\n5"[..], 3),
            (b"a,b\n1,2\n3,", b"4", 3),
            (b"a,b\n1,2\n", b"\0", 3),
            (b"a,b\n", b",", 2),
            (b"a", b"a,", 1),
            (b"\"", b"a,b\n", 1),
        ] {
            let read = || {
                let mut rows = Rows::open(endless(start, piece, gigabytes), "x.csv", &Reading::default())?;
                while rows.advance()? {}
                Ok::<(), Error>(())
            };
            let text = read().unwrap_err().to_string();
            let advice = "no row ends within 16 MiB from here; look for a quote that is not closed";
            assert_eq!(text, format!("x.csv, line {line}: {advice}"));
        }
    }

    #[test]
    fn a_million_columns_can_be_read() {
        let names: Vec<String> = (0..1_000_000).map(|column| format!("c{column}")).collect();
        let text = format!("{}\n{}\n", names.join(","), vec!["7"; names.len()].join(","));
        let mut rows = Rows::open(text.as_bytes(), "x.csv", &Reading::default()).unwrap();
        assert!(rows.advance().unwrap());
        let last = rows.find(&rows.places(), "c999999", "").unwrap();
        assert_eq!((last, rows.number(last, "").unwrap()), (999_999, 7.0));
    }

    #[test]
    fn a_header_that_cannot_be_used_is_refused() {
        for text in ["", "\n\n", "\r\n", "\u{feff}"] {
            assert!(message(text.as_bytes()).starts_with("x.csv: the file is empty"), "{text:?}");
        }
        assert!(message(b"a,,c\n").starts_with("x.csv, line 1: column 2 has no name"));
        assert_eq!(message(b"a,b, a\n"), "x.csv, line 1: columns 1 and 3 are both named \"a\"; rename one");
        assert!(message(b"a,\xff\n").starts_with("x.csv, line 1: the name of column 2 is not UTF-8"));
        assert!(message(b"a\0,b\0\n1,2\n").contains("column 1 has a NUL byte in it; save the file as UTF-8"));
    }
}
