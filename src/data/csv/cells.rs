//! A CSV file row by row: header, cells as text or numbers, and the place of each for messages.

use std::collections::HashMap;
use std::io::{self, Chain, Read};
use std::path::Path;

use csv::{ByteRecord, ErrorKind, Reader, ReaderBuilder, Terminator};

use crate::nearest::nearest;
use crate::quote::shown;
use crate::{Error, Result};

/// A row may have this many bytes, which is more than a million columns; it is what reading can take at most beside what is
/// kept, some times over. A quote that is never closed makes one row of all the rest of a file.
const MOST_ROW: u64 = 16 << 20;

/// The rows of a file with a header; one row is held at a time.
pub(super) struct Rows<R> {
    /// With a line feed after its end, so that every row ends with one.
    reader: Reader<Chain<Bounded<R>, &'static [u8]>>,
    record: ByteRecord,
    /// The file, as shown to the user.
    file: String,
    /// Where the row begins, counted from 1.
    line: u64,
    /// The names in the header, all different.
    pub(super) names: Vec<String>,
}

impl<R: Read> Rows<R> {
    /// Reads the header.
    pub(super) fn open(reader: R, file: &str) -> Result<Self> {
        let ended: Chain<_, &'static [u8]> = Bounded { reader, left: MOST_ROW }.chain(b"\n");
        // With the usual terminator, lines are miscounted where they end with CR LF. Here CR is white space at the end.
        let mut settings = ReaderBuilder::new();
        let reader = settings.has_headers(false).flexible(true).terminator(Terminator::Any(b'\n')).from_reader(ended);
        let mut rows = Rows { reader, record: ByteRecord::new(), file: file.to_owned(), line: 1, names: Vec::new() };
        if !rows.read_record()? {
            let message = "the file is empty; a row of column names and at least one row of values are needed";
            return Err(Error::data(file, message));
        }
        rows.names = rows.header()?;
        Ok(rows)
    }

    /// Goes to the next row that is not blank; `false` at the end of the file.
    pub(super) fn advance(&mut self) -> Result<bool> {
        if !self.read_record()? {
            return Ok(false);
        }
        let (found, wanted) = (self.record.len(), self.names.len());
        if found != wanted {
            let hint = match self.record.as_slice().contains(&b'\n') {
                true => "look for a quote that is not closed",
                false => "look for a comma that is missing or too many",
            };
            return Err(self.line_error(format!("found {found} cells, but the header has {wanted}; {hint}")));
        }
        Ok(true)
    }

    /// The cell of a column, without the white space around it; an empty one is an error.
    pub(super) fn text(&self, column: usize) -> Result<&str> {
        let bytes = self.record.get(column).unwrap_or_default();
        let text = std::str::from_utf8(bytes).map_err(|_| {
            let shown = shown(&String::from_utf8_lossy(bytes));
            self.cell_error(column, format!("{shown} is not UTF-8 text; save the file as UTF-8"))
        })?;
        match text.trim() {
            "" => Err(self.cell_error(column, "the cell is empty; fill it in or remove the row".into())),
            text => Ok(text),
        }
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
        self.names.iter().map(String::as_str).zip(0..).collect()
    }

    /// The bytes read so far, as far as whole rows go.
    pub(super) fn bytes(&self) -> u64 {
        self.reader.position().byte()
    }

    /// The place of a column of that name among [`Rows::places`]; `role` says in the message what it is wanted for.
    pub(super) fn find(&self, places: &HashMap<&str, usize>, name: &str, role: &str) -> Result<usize> {
        if let Some(place) = places.get(name) {
            return Ok(*place);
        }
        let names = || self.names.iter().map(String::as_str);
        let hint = match nearest(name, names()) {
            Some(near) => format!("did you mean {}?", shown(near)),
            None => String::from("name one that is there or add it."),
        };
        let listed = match self.names.len() {
            0..=12 => names().map(shown).collect::<Vec<_>>().join(", "),
            count => format!("{count} columns from {} to {}", shown(&self.names[0]), shown(&self.names[count - 1])),
        };
        Err(self.line_error(format!("there is no column {} ({role}); {hint} The file has {listed}", shown(name))))
    }

    /// What is wrong with a cell of the present row.
    pub(super) fn cell_error(&self, column: usize, message: String) -> Error {
        let name = self.names.get(column).map(String::as_str).unwrap_or_default();
        Error::data(format!("{}, line {}, column {}", self.file, self.line, shown(name)), message)
    }

    /// What is wrong with a whole column.
    pub(super) fn column_error(&self, name: &str, message: String) -> Error {
        Error::data(format!("{}, column {}", self.file, shown(name)), message)
    }

    /// What is wrong with the present row, or the header before the first row is read.
    pub(super) fn line_error(&self, message: String) -> Error {
        Error::data(format!("{}, line {}", self.file, self.line), message)
    }

    /// Reads a row that is not blank and finds the line where it begins.
    fn read_record(&mut self) -> Result<bool> {
        loop {
            let begins = self.reader.position().line();
            self.reader.get_mut().get_mut().0.left = MOST_ROW;
            match self.reader.read_byte_record(&mut self.record) {
                Ok(true) => {}
                Ok(false) => return Ok(false),
                Err(error) => return Err(self.read_error(error, begins)),
            }
            let blank = self.record.len() == 1 && !self.record[0].is_empty() && self.record[0].trim_ascii().is_empty();
            if !blank {
                break;
            }
        }
        // The reader stands behind the row's line feed; its own position of a row may lie on a blank line before it.
        let inside = self.record.as_slice().iter().filter(|byte| **byte == b'\n').count() as u64;
        let earliest = self.record.position().map_or(1, csv::Position::line);
        self.line = self.reader.position().line().saturating_sub(1 + inside).max(earliest);
        Ok(true)
    }

    /// The present row as column names.
    fn header(&self) -> Result<Vec<String>> {
        let mut places = HashMap::new();
        let mut names = Vec::new();
        for (place, bytes) in self.record.iter().enumerate() {
            let column = place + 1;
            let name = std::str::from_utf8(bytes).map_err(|_| {
                self.line_error(format!("the name of column {column} is not UTF-8; save the file as UTF-8"))
            })?;
            let name = name.trim_start_matches('\u{feff}').trim();
            if name.contains('\0') {
                let message = format!("the name of column {column} has a NUL byte in it; save the file as UTF-8 text");
                return Err(self.line_error(message));
            }
            if name.is_empty() {
                return Err(self.line_error(format!("column {column} has no name; name it in the header or remove it")));
            }
            if let Some(first) = places.insert(name, column) {
                let message = format!("columns {first} and {column} are both named {}; rename one", shown(name));
                return Err(self.line_error(message));
            }
            names.push(name.to_owned());
        }
        let foreign =
            if names.len() == 1 { names[0].chars().find(|letter| matches!(letter, ';' | '\t')) } else { None };
        if let Some(separator) = foreign {
            let message = format!("the cells seem to be separated by {separator:?}; save the file with commas");
            return Err(self.line_error(message));
        }
        Ok(names)
    }

    /// What failed in the row that begins there. Its bytes are not read as text here: it is its length or the file system.
    fn read_error(&mut self, error: csv::Error, begins: u64) -> Error {
        let text = error.to_string();
        match error.into_kind() {
            ErrorKind::Io(source) if source.get_ref().is_some_and(|inner| inner.is::<TooLong>()) => {
                self.line = begins;
                let most = MOST_ROW >> 20;
                self.line_error(format!("no row ends within {most} MiB from here; look for a quote that is not closed"))
            }
            ErrorKind::Io(source) => Error::io(Path::new(&self.file), source),
            _ => Error::data(&self.file, text),
        }
    }
}

/// A reader that gives no more than so many bytes.
struct Bounded<R> {
    reader: R,
    left: u64,
}

/// The error of a [`Bounded`] reader at its end.
#[derive(Debug, thiserror::Error)]
#[error("too long")]
struct TooLong;

impl<R: Read> Read for Bounded<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.reader.read(into)?;
        self.left = self.left.checked_sub(count as u64).ok_or_else(|| io::Error::other(TooLong))?;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The message of the first error when every cell is read as a number.
    fn message(text: &[u8]) -> String {
        let read = || {
            let mut rows = Rows::open(text, "x.csv")?;
            while rows.advance()? {
                for column in 0..rows.names.len() {
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
                let mut rows = Rows::open(text.as_bytes(), "x.csv").unwrap();
                let mut lines = vec![rows.line];
                while rows.advance().unwrap() {
                    lines.push(rows.line);
                }
                assert_eq!(lines, [2, 3, 6, 7, 9], "{text:?}");
            }
        }
    }

    #[test]
    fn a_byte_order_mark_and_carriage_returns_are_accepted() {
        for text in ["\u{feff}a,b\r\n1, 2 \r\n", "\u{feff}\"a\",\"b\"\r\n\"1\",\"2\"\r\n\r\n"] {
            let mut rows = Rows::open(text.as_bytes(), "x.csv").unwrap();
            assert_eq!(rows.names, ["a", "b"]);
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
                let mut rows = Rows::open(endless(start, piece, gigabytes), "x.csv")?;
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
        let mut rows = Rows::open(text.as_bytes(), "x.csv").unwrap();
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
        assert!(message(b"a;b\n1;2\n").starts_with("x.csv, line 1: the cells seem to be separated by ';'"));
    }
}
