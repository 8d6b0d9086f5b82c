//! Delimited text, cut into rows and cells.

use std::io::{self, Read};

use crate::data::input::{Ahead, MOST_LINE};
use crate::data::table::Separator;

/// What ends reading before the file does.
pub(super) enum Stop {
    /// The reader failed.
    Failed(io::Error),
    /// No row ends within [`MOST_LINE`] bytes.
    Long,
}

impl From<io::Error> for Stop {
    fn from(error: io::Error) -> Self {
        Stop::Failed(error)
    }
}

/// The rows of a text, one at a time. Lines end with LF, CR LF or CR; blank ones are no rows.
pub(super) struct Records<R> {
    bytes: Ahead<R>,
    splitter: Splitter,
    /// The present row begins here, or the last one at the end of the text; counted from 1 as an editor does.
    pub line: u64,
    /// The line after it.
    next: u64,
    /// A CR ended the row, so that an LF that follows belongs to it.
    returned: bool,
}

impl<R: Read> Records<R> {
    pub fn new(reader: R, separator: Separator) -> Self {
        let splitter = Splitter::new(separator);
        Records { bytes: Ahead::new(reader), splitter, line: 1, next: 1, returned: false }
    }

    /// Bytes used so far, and those read.
    pub fn counts(&self) -> (u64, u64) {
        self.bytes.counts()
    }

    /// Returns the next bytes, `count` or more; fewer at the end of the file only.
    pub fn look(&mut self, count: usize) -> io::Result<&[u8]> {
        self.skip_feed()?;
        self.bytes.look(count)
    }

    /// Takes another separator from here on.
    pub fn separate(&mut self, separator: Separator) {
        self.splitter = Splitter::new(separator);
    }

    /// Returns how many cells the present row has.
    pub fn len(&self) -> usize {
        self.splitter.ends.len()
    }

    /// Returns the bytes of a cell; none where there is no such cell.
    pub fn cell(&self, at: usize) -> &[u8] {
        let Splitter { text, ends, .. } = &self.splitter;
        let start = if at == 0 { 0 } else { ends.get(at - 1).copied().unwrap_or_default() };
        ends.get(at).map_or(&[], |&end| &text[start..end])
    }

    /// Returns all cells of the present row.
    pub fn cells(&self) -> impl Iterator<Item = &[u8]> {
        (0..self.len()).map(|at| self.cell(at))
    }

    /// Whether a quoted cell of the present row has a line end in it.
    pub fn has_line_ends(&self) -> bool {
        self.splitter.lines > 0
    }

    /// Whether the file ended inside a quote of the present row.
    pub fn is_open(&self) -> bool {
        self.splitter.state == State::Quoted
    }

    /// Goes to the next row that is not blank; `false` at the end.
    pub fn advance(&mut self) -> Result<bool, Stop> {
        let last = self.line;
        loop {
            self.skip_feed()?;
            self.line = self.next;
            self.splitter.clear();
            let mut size = 0;
            loop {
                let bytes = self.bytes.look(1)?;
                if bytes.is_empty() {
                    self.splitter.end_row();
                    break;
                }
                let (taken, end) = self.splitter.take(bytes);
                self.bytes.used(taken);
                size += taken as u64;
                if let Some(end) = end {
                    self.returned = end == b'\r';
                    self.next += 1;
                    break;
                }
                if size > MOST_LINE {
                    return Err(Stop::Long);
                }
            }
            self.next += self.splitter.lines;
            if size == 0 {
                self.line = last;
                return Ok(false);
            }
            if !self.splitter.is_blank() {
                return Ok(true);
            }
        }
    }

    /// Goes past the present line, whatever is in it.
    pub fn skip_line(&mut self) -> Result<(), Stop> {
        self.skip_feed()?;
        let mut size = 0;
        self.line = self.next;
        while size <= MOST_LINE {
            let bytes = self.bytes.look(1)?;
            let end = bytes.iter().position(|byte| matches!(byte, b'\n' | b'\r'));
            let count = end.map_or(bytes.len(), |end| end + 1);
            let returned = end.is_some_and(|end| bytes[end] == b'\r');
            if count == 0 {
                return Ok(());
            }
            self.bytes.used(count);
            size += count as u64;
            if end.is_some() {
                self.returned = returned;
                self.next += 1;
                return Ok(());
            }
        }
        Err(Stop::Long)
    }

    /// Goes past the LF of a CR LF whose CR ended the last row.
    fn skip_feed(&mut self) -> io::Result<()> {
        if std::mem::take(&mut self.returned) && self.bytes.look(1)?.first() == Some(&b'\n') {
            self.bytes.used(1);
        }
        Ok(())
    }
}

/// Where the next byte is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Before the first byte of a cell; blanks are left out here.
    Start,
    /// In a cell without quotes, or behind its quotes.
    Cell,
    /// Between quotes.
    Quoted,
    /// Behind a quote that ends a cell or is the first of two.
    Closed,
}

/// Cuts a row into cells, as its bytes come.
struct Splitter {
    separator: Separator,
    /// Whether a byte ends a cell without quotes.
    ends_cell: [bool; 256],
    state: State,
    /// The cells of the row, one after the other, without their quotes.
    text: Vec<u8>,
    /// Where each of them ends.
    ends: Vec<usize>,
    /// Some cell has quotes.
    quoted: bool,
    /// Line ends between quotes.
    lines: u64,
}

impl Splitter {
    fn new(separator: Separator) -> Self {
        let ends_cell = std::array::from_fn(|byte| {
            let byte = byte as u8;
            separator.is(byte) || byte == b'\n' || byte == b'\r'
        });
        let (text, ends) = (Vec::new(), Vec::new());
        Splitter { separator, ends_cell, state: State::Start, text, ends, quoted: false, lines: 0 }
    }

    fn clear(&mut self) {
        self.text.clear();
        self.ends.clear();
        (self.state, self.quoted, self.lines) = (State::Start, false, 0);
    }

    /// Takes bytes up to the end of the row; returns how many, and the byte that ends it if it is among them.
    fn take(&mut self, bytes: &[u8]) -> (usize, Option<u8>) {
        let mut at = 0;
        while let Some(&byte) = bytes.get(at) {
            match self.state {
                State::Start if byte == b' ' || byte == b'\t' && !self.separator.is(b'\t') => at += 1,
                State::Start if byte == b'\t' && self.separator == Separator::Blanks => at += 1,
                State::Start if byte == b'"' => {
                    (self.state, self.quoted) = (State::Quoted, true);
                    at += 1;
                }
                State::Start if matches!(byte, b'\n' | b'\r') => {
                    self.end_row();
                    return (at + 1, Some(byte));
                }
                State::Start => self.state = State::Cell,
                State::Cell => {
                    let rest = &bytes[at..];
                    let run = rest.iter().position(|&byte| self.ends_cell[byte as usize]).unwrap_or(rest.len());
                    self.text.extend_from_slice(&rest[..run]);
                    at += run;
                    match bytes.get(at) {
                        Some(&byte) if matches!(byte, b'\n' | b'\r') => {
                            self.end_row();
                            return (at + 1, Some(byte));
                        }
                        Some(_) => {
                            self.end_cell();
                            at += 1;
                        }
                        None => {}
                    }
                }
                State::Quoted => {
                    let rest = &bytes[at..];
                    let run = rest.iter().position(|byte| matches!(byte, b'"' | b'\n' | b'\r')).unwrap_or(rest.len());
                    self.text.extend_from_slice(&rest[..run]);
                    at += run;
                    if let Some(&byte) = bytes.get(at) {
                        self.take_between_quotes(byte);
                        at += 1;
                    }
                }
                State::Closed if byte == b'"' => {
                    self.text.push(byte);
                    self.state = State::Quoted;
                    at += 1;
                }
                State::Closed => self.state = State::Cell,
            }
        }
        (at, None)
    }

    /// Takes a quote or a line end.
    fn take_between_quotes(&mut self, byte: u8) {
        if byte == b'"' {
            self.state = State::Closed;
            return;
        }
        let start = self.ends.last().copied().unwrap_or_default();
        let second = byte == b'\n' && self.text[start..].last() == Some(&b'\r');
        self.lines += u64::from(!second);
        self.text.push(byte);
    }

    fn end_cell(&mut self) {
        self.ends.push(self.text.len());
        self.state = State::Start;
    }

    /// Ends the row and its last cell, if there is one: blanks at the end of a row do not begin a cell.
    fn end_row(&mut self) {
        let open = self.state == State::Quoted;
        if self.state != State::Start || self.separator != Separator::Blanks || self.ends.is_empty() {
            self.end_cell();
        }
        if open {
            self.state = State::Quoted;
        }
    }

    fn is_blank(&self) -> bool {
        self.ends.len() == 1 && !self.quoted && self.text.trim_ascii().is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All rows, read so many bytes at a time.
    fn rows(text: &str, separator: Separator, piece: usize) -> Vec<(u64, Vec<String>)> {
        struct Pieces<'a>(&'a [u8], usize);
        impl Read for Pieces<'_> {
            fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
                let count = self.1.min(into.len());
                self.0.read(&mut into[..count])
            }
        }
        let mut records = Records::new(Pieces(text.as_bytes(), piece), separator);
        let mut rows = Vec::new();
        while records.advance().unwrap_or_else(|_| panic!("{text:?} can be read")) {
            let cells = records.cells().map(|cell| String::from_utf8_lossy(cell).into_owned()).collect();
            rows.push((records.line, cells));
        }
        rows
    }

    fn assert_rows(text: &str, separator: Separator, wanted: &[(u64, &[&str])]) {
        for piece in [1, 2, 3, 1000] {
            let found = rows(text, separator, piece);
            let found: Vec<(u64, Vec<&str>)> =
                found.iter().map(|(line, cells)| (*line, cells.iter().map(String::as_str).collect())).collect();
            let wanted: Vec<(u64, Vec<&str>)> = wanted.iter().map(|(line, cells)| (*line, cells.to_vec())).collect();
            assert_eq!(found, wanted, "{text:?}, {piece} bytes at a time");
        }
    }

    #[test]
    fn lines_end_in_three_ways_between_quotes_too() {
        for end in ["\n", "\r\n", "\r"] {
            let text = ["", "a,b", "", " ", "1,\"x", "y\"", "3,4"].join(end);
            let cell = format!("x{end}y");
            for last in ["", end] {
                let wanted: &[(u64, &[&str])] = &[(2, &["a", "b"]), (5, &["1", &cell]), (7, &["3", "4"])];
                assert_rows(&format!("{text}{last}"), Separator::Comma, wanted);
            }
        }
        assert_rows("\"a\r\",\"\nb\"\n1\n", Separator::Comma, &[(1, &["a\r", "\nb"]), (4, &["1"])]);
    }

    #[test]
    fn quotes_may_follow_blanks_and_be_followed_by_them() {
        let wanted: &[(u64, &[&str])] = &[(1, &["1", "a,b ", "c\"d", "e\"f"])];
        assert_rows("1, \"a,b\" ,\t\"c\"\"d\", e\"f\n", Separator::Comma, wanted);
        assert_rows("\"\"\n\"\"\"\"\n", Separator::Comma, &[(1, &[""]), (2, &["\""])]);
        assert_rows("a,\n,\n", Separator::Comma, &[(1, &["a", ""]), (2, &["", ""])]);
    }

    #[test]
    fn tabs_separate_one_cell_each_and_blanks_any_number() {
        assert_rows("a\t\tb \t\n", Separator::Tab, &[(1, &["a", "", "b ", ""])]);
        let wanted: &[(u64, &[&str])] = &[(1, &["18.0", "8", "a car"]), (2, &["1", "", "2"])];
        assert_rows("  18.0 \t 8\t\"a car\"  \n1 \"\" 2", Separator::Blanks, wanted);
    }

    #[test]
    fn a_quote_that_the_file_ends_in_is_known() {
        for (text, open) in [("1,\"2", true), ("1,\"2\"", false), ("1,\"2\n3,4\n", true), ("1,2\"", false)] {
            let mut records = Records::new(text.as_bytes(), Separator::Comma);
            assert!(matches!(records.advance(), Ok(true)));
            assert_eq!((records.is_open(), records.len()), (open, 2), "{text:?}");
        }
    }
}
