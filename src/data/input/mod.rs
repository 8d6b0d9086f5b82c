//! The bytes of a file, for every reader of tables: unpacked, and read ahead of their use.

mod ahead;
mod encoding;
mod file;
mod lines;
mod spool;

pub(super) use ahead::Ahead;
pub(super) use encoding::{Decoded, decoded};
pub use file::Input;
pub(super) use lines::Lines;

use std::io;
use std::path::Path;

use crate::Error;

/// A line may have this many bytes, which is more than a million columns; it is what reading can take at most beside what is
/// kept, some times over. A quote that is never closed makes one line of all the rest of a file.
pub(super) const MOST_LINE: u64 = 16 << 20;

/// What is wrong with the bytes of a file, as the error of a reader: the file system has no part in it.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub(super) struct Damage(String);

/// The error of a reader whose bytes are not what they should be.
fn damage(message: impl Into<String>) -> io::Error {
    io::Error::other(Damage(message.into()))
}

/// The error of a reader at a line of a file.
pub(super) fn failure(error: io::Error, file: &str, line: u64) -> Error {
    match error.get_ref().and_then(|inner| inner.downcast_ref::<Damage>()) {
        Some(Damage(message)) => Error::data(format!("{file}, line {line}"), message),
        None => Error::io(Path::new(file), error),
    }
}
