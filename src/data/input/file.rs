//! A file that can be opened again and again: as it is, packed by gzip, or standard input.

use std::cell::Cell;
use std::fs::File;
use std::io::{self, BufReader, ErrorKind, Read};
use std::path::{Path, PathBuf};
use std::rc::Rc;

use flate2::bufread::MultiGzDecoder;

use super::damage;
use super::spool::spooled;
use crate::quote::line;
use crate::{Error, Result};

/// Bytes that are unpacked at a time.
const CHUNK: usize = 64 << 10;

/// Where a table is.
#[derive(Debug, Clone)]
pub struct Input {
    path: PathBuf,
}

/// The unpacked bytes of an [`Input`].
pub(in crate::data) struct Stream {
    bytes: Box<dyn Read>,
    read: Rc<Cell<u64>>,
    size: u64,
}

impl Input {
    /// A path, or `-` for standard input. A name that ends in `.gz` says that gzip packed the file.
    pub fn new(path: &Path) -> Self {
        Input { path: path.to_owned() }
    }

    /// Returns the file as messages name it.
    pub fn place(&self) -> String {
        if self.is_standard() { "standard input".into() } else { self.path.to_string_lossy().into_owned() }
    }

    /// Returns the extension in lower case, without that of gzip; empty where there is none.
    pub fn extension(&self) -> String {
        let inner = if self.is_packed() { self.path.with_extension("") } else { self.path.clone() };
        extension(&inner)
    }

    /// Whether gzip packed the file.
    pub fn is_packed(&self) -> bool {
        extension(&self.path) == "gz"
    }

    /// Returns the file itself, as formats need it that look at its end first.
    ///
    /// # Errors
    /// [`Error::Data`] for a packed file and for a pipe, [`Error::Io`] when it cannot be opened.
    pub fn file(&self) -> Result<File> {
        let wrong = |source| Error::io(&self.path, source);
        if self.is_packed() {
            return Err(Error::data(self.place(), "a file of this format cannot be read through gzip; unpack it"));
        }
        let file = if self.is_standard() { None } else { Some(File::open(&self.path).map_err(wrong)?) };
        match file {
            Some(file) if file.metadata().map_err(wrong)?.is_file() => Ok(file),
            _ => Err(Error::data(self.place(), "a file of this format cannot be read from a pipe; give its path")),
        }
    }

    /// Returns the bytes from the start; those of a pipe come from a temporary file, which the first call makes.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be opened or the pipe cannot be kept.
    pub(in crate::data) fn open(&self) -> Result<Stream> {
        let wrong = |source| Error::io(Path::new(&self.place()), source);
        let (bytes, size) = self.raw().map_err(wrong)?;
        let read = Rc::new(Cell::new(0));
        let counted = Counted { bytes, read: read.clone() };
        let bytes: Box<dyn Read> = match self.is_packed() {
            true => Box::new(Unpacked(MultiGzDecoder::new(BufReader::with_capacity(CHUNK, counted)))),
            false => Box::new(counted),
        };
        Ok(Stream { bytes, read, size })
    }

    /// The bytes as they are, and how many.
    fn raw(&self) -> io::Result<(Box<dyn Read>, u64)> {
        let spool = if self.is_standard() {
            spooled(&self.path, || Ok(io::stdin()))?
        } else {
            let file = File::open(&self.path)?;
            let about = file.metadata()?;
            if about.is_file() || about.is_dir() {
                return Ok((Box::new(file), about.len()));
            }
            drop(file);
            spooled(&self.path, || File::open(&self.path))?
        };
        let size = spool.size;
        Ok((Box::new(spool), size))
    }

    fn is_standard(&self) -> bool {
        self.path.as_os_str() == "-"
    }
}

fn extension(path: &Path) -> String {
    path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default()
}

impl Stream {
    /// Returns a function that gives the share of the file that was used, from 0 to 1, of the counts of unpacked bytes that were used
    /// and read.
    pub fn progress(&self) -> impl Fn((u64, u64)) -> Option<f64> + use<> {
        let (read, size) = (self.read.clone(), self.size);
        move |(used, unpacked)| {
            let share = read.get() as f64 / size as f64 * (used as f64 / unpacked as f64);
            share.is_finite().then(|| share.min(1.0))
        }
    }
}

impl Read for Stream {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.bytes.read(into)
    }
}

/// Counts what is read.
struct Counted {
    bytes: Box<dyn Read>,
    read: Rc<Cell<u64>>,
}

impl Read for Counted {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let count = self.bytes.read(into)?;
        self.read.set(self.read.get() + count as u64);
        Ok(count)
    }
}

/// Tells what is wrong with a packed file from what is wrong with the file system.
struct Unpacked<R>(MultiGzDecoder<R>);

impl<R: io::BufRead> Read for Unpacked<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        self.0.read(into).map_err(|error| match error.kind() {
            _ if error.raw_os_error().is_some() => error,
            ErrorKind::UnexpectedEof => damage("the packed file ends early; is all of it there?"),
            _ => damage(format!("the file is not packed by gzip, or is damaged ({})", line(&error.to_string()))),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_extension_is_that_of_what_was_packed() {
        for (path, extension, packed) in [
            ("a.CSV", "csv", false),
            ("a.csv.gz", "csv", true),
            ("a.b/c.GZ", "", true),
            (".gz", "", false),
            ("-", "", false),
            ("a", "", false),
        ] {
            let input = Input::new(Path::new(path));
            assert_eq!((input.extension().as_str(), input.is_packed()), (extension, packed), "{path}");
        }
    }

    #[test]
    fn a_folder_and_a_file_that_is_not_there_are_errors_of_the_file_system() {
        let read = |path: &str| {
            let mut stream = Input::new(Path::new(path)).open()?;
            io::copy(&mut stream, &mut io::sink()).map_err(|error| super::super::failure(error, path, 1))
        };
        for path in [".", "no/such.csv"] {
            assert!(matches!(read(path), Err(Error::Io { .. })), "{path}");
        }
    }
}
