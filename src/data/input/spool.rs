//! Standard input and pipes, kept in a temporary file so that they can be read again.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// What was read from each pipe of this process.
static SPOOLS: Mutex<BTreeMap<PathBuf, Arc<Mutex<File>>>> = Mutex::new(BTreeMap::new());

/// A pipe's bytes from their start; any number of readers may read them at once.
pub(super) struct Spool {
    file: Arc<Mutex<File>>,
    at: u64,
    /// How many there are.
    pub size: u64,
}

/// Returns the bytes of a pipe: those of the first time, which `open` gives, every time again.
///
/// They are in a file without a name in the folder for temporary files. It is gone when the process ends, however it does.
pub(super) fn spooled<R: Read>(path: &Path, open: impl FnOnce() -> io::Result<R>) -> io::Result<Spool> {
    let mut spools = SPOOLS.lock().unwrap_or_else(PoisonError::into_inner);
    let file = match spools.get(path) {
        Some(file) => file.clone(),
        None => {
            let mut file = tempfile::tempfile()?;
            io::copy(&mut open()?, &mut file)?;
            let file = Arc::new(Mutex::new(file));
            spools.insert(path.to_owned(), file.clone());
            file
        }
    };
    let size = file.lock().unwrap_or_else(PoisonError::into_inner).metadata()?.len();
    Ok(Spool { file, at: 0, size })
}

impl Read for Spool {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        let mut file = self.file.lock().unwrap_or_else(PoisonError::into_inner);
        file.seek(SeekFrom::Start(self.at))?;
        let count = file.read(into)?;
        self.at += count as u64;
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pipe_can_be_read_again_and_by_two_at_once() {
        let path = Path::new("a pipe of a test");
        let mut first = spooled(path, || Ok(&b"one,two\n"[..])).unwrap();
        let mut second = spooled(path, || -> io::Result<&[u8]> { panic!("it is read once") }).unwrap();
        let (mut start, mut whole, mut rest) = ([0; 3], String::new(), String::new());
        first.read_exact(&mut start).unwrap();
        second.read_to_string(&mut whole).unwrap();
        first.read_to_string(&mut rest).unwrap();
        assert_eq!((&start, rest.as_str(), whole.as_str(), first.size), (b"one", ",two\n", "one,two\n", 8));
    }

    #[test]
    fn a_pipe_that_fails_is_not_taken_for_a_short_one() {
        let path = Path::new("another pipe of a test");
        assert!(spooled(path, || Err::<&[u8], _>(io::Error::other("gone"))).is_err());
        assert_eq!(spooled(path, || Ok(&b"ab"[..])).unwrap().size, 2);
    }
}
