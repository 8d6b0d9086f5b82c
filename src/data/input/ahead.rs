//! Bytes that are looked at before they are used.

use std::io::{self, ErrorKind, Read};

/// Bytes that are asked for at a time.
const CHUNK: usize = 16 << 10;

/// A reader whose next bytes can be looked at.
pub(in crate::data) struct Ahead<R> {
    reader: R,
    buffer: Vec<u8>,
    /// Bytes at the start of the buffer that were used.
    used: usize,
    ended: bool,
    /// What ended it early; told when all bytes before it are used.
    failed: Option<io::Error>,
    /// Bytes used in all.
    total: u64,
}

impl<R: Read> Ahead<R> {
    pub fn new(reader: R) -> Self {
        Ahead { reader, buffer: Vec::new(), used: 0, ended: false, failed: None, total: 0 }
    }

    /// Returns the next bytes: `count` or more, fewer only at the end of the file.
    ///
    /// # Errors
    /// What the reader fails with, once no byte before is left.
    pub fn look(&mut self, count: usize) -> io::Result<&[u8]> {
        while self.buffer.len() - self.used < count && !self.ended {
            self.read();
        }
        if self.used == self.buffer.len()
            && let Some(error) = self.failed.take()
        {
            // Who asks again is not told that the file ends here.
            self.failed = Some(error.kind().into());
            return Err(error);
        }
        Ok(&self.buffer[self.used..])
    }

    /// Goes past bytes that were looked at.
    pub fn used(&mut self, count: usize) {
        self.used += count;
        self.total += count as u64;
    }

    /// Bytes used so far, and those read from the reader.
    pub fn counts(&self) -> (u64, u64) {
        (self.total, self.total + (self.buffer.len() - self.used) as u64)
    }

    fn read(&mut self) {
        self.buffer.drain(..self.used);
        self.used = 0;
        let kept = self.buffer.len();
        // What was looked at far ahead is used by now: its memory is given back.
        if self.buffer.capacity() > 2 * (kept + CHUNK) {
            self.buffer.shrink_to(kept + CHUNK);
        }
        self.buffer.reserve_exact(CHUNK);
        self.buffer.resize(kept + CHUNK, 0);
        let read = self.reader.read(&mut self.buffer[kept..]);
        self.buffer.truncate(kept + read.as_ref().map_or(0, |count| (*count).min(CHUNK)));
        match read {
            Ok(0) => self.ended = true,
            Ok(_) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => (self.ended, self.failed) = (true, Some(error)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Gives a byte at a time, and then an error.
    struct Failing(&'static [u8]);

    impl Read for Failing {
        fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
            let Some((first, rest)) = self.0.split_first() else { return Err(io::Error::other("gone")) };
            (self.0, into[0]) = (rest, *first);
            Ok(1)
        }
    }

    #[test]
    fn what_was_read_before_an_error_is_seen_before_it() {
        let mut ahead = Ahead::new(Failing(b"abcd"));
        assert_eq!(ahead.look(3).unwrap(), b"abc");
        ahead.used(2);
        assert_eq!(ahead.look(9).unwrap(), b"cd");
        assert_eq!(ahead.counts(), (2, 4));
        ahead.used(2);
        assert_eq!(ahead.look(1).unwrap_err().to_string(), "gone");
        assert!(ahead.look(1).is_err());
    }

    #[test]
    fn fewer_bytes_than_wanted_are_the_end() {
        let mut ahead = Ahead::new(&b"abc"[..]);
        assert_eq!(ahead.look(9).unwrap(), b"abc");
        ahead.used(3);
        assert_eq!(ahead.look(1).unwrap(), b"");
    }
}
