//! The lines of a text, one at a time.

use std::io::{self, Read};

use super::{Ahead, MOST_LINE, damage};

/// The lines of a text, which end with LF.
pub(in crate::data) struct Lines<R> {
    bytes: Ahead<R>,
    /// The present line, with its end.
    pub text: Vec<u8>,
    /// Its number, counted from 1.
    pub number: u64,
}

impl<R: Read> Lines<R> {
    pub fn new(reader: R) -> Self {
        Lines { bytes: Ahead::new(reader), text: Vec::new(), number: 0 }
    }

    /// Bytes used so far, and those read.
    pub fn counts(&self) -> (u64, u64) {
        self.bytes.counts()
    }

    /// Goes to the next line; `false` at the end of the text.
    ///
    /// # Errors
    /// What the reader fails with, and a line of more than [`MOST_LINE`] bytes.
    pub fn advance(&mut self) -> io::Result<bool> {
        self.text.clear();
        self.number += 1;
        loop {
            let bytes = self.bytes.look(1)?;
            let end = bytes.iter().position(|byte| *byte == b'\n');
            let count = end.map_or(bytes.len(), |end| end + 1);
            self.text.extend_from_slice(&bytes[..count]);
            self.bytes.used(count);
            if end.is_some() || count == 0 {
                return Ok(!self.text.is_empty());
            }
            if self.text.len() as u64 > MOST_LINE {
                return Err(damage(format!("the line has more than {} MiB", MOST_LINE >> 20)));
            }
        }
    }
}
