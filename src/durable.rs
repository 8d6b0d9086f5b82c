//! Files that are there whole or not at all, whatever happens while they are written.
//!
//! What is written goes to a temporary file in the same folder. That is brought to the disk, renamed over what stood there,
//! and the folder is brought to the disk too: after a crash or a loss of power the path has the old bytes or the new ones.
//! A write that fails leaves the old file as it is and takes the temporary one away. Only a process that is killed leaves a
//! temporary file, hidden, as `.model.safetensors.` and six letters; it may be removed.

use std::io::{BufWriter, Write};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use crate::{Error, Result};

/// A file that is being written; nobody sees it yet.
pub type File = BufWriter<AtomicWriteFile>;

/// Writes a file with what `fill` puts into it, and returns what `fill` returns.
///
/// Nothing is left of a file for which `fill` fails.
pub fn write<T>(path: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let wrong = |error| Error::io(path, error);
    let mut file = BufWriter::new(AtomicWriteFile::open(path).map_err(wrong)?);
    let filled = fill(&mut file)?;
    file.into_inner().map_err(|error| wrong(error.into_error()))?.commit().map_err(wrong)?;
    Ok(filled)
}

/// Writes these bytes as a file.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |file| file.write_all(bytes).map_err(|error| Error::io(path, error)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole_or_left_as_it_was() {
        let folder = std::env::temp_dir().join(format!("accrue-durable-{}", std::process::id()));
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("file");
        write_bytes(&path, b"old").unwrap();
        let failed: Result<()> = write(&path, |file| {
            file.write_all(&[b'x'; 100_000]).unwrap();
            assert_eq!(std::fs::read(&path).unwrap(), b"old", "nobody sees what is not complete");
            Err(Error::data("here", "it fails"))
        });
        assert_eq!(failed.unwrap_err().to_string(), "here: it fails");
        assert_eq!(std::fs::read(&path).unwrap(), b"old");
        assert_eq!(
            write(&path, |file| file.write_all(b"new").map(|()| 7).map_err(|e| Error::io(&path, e))).unwrap(),
            7
        );
        assert_eq!(std::fs::read(&path).unwrap(), b"new");
        assert_eq!(std::fs::read_dir(&folder).unwrap().count(), 1, "no temporary file is left");
        assert!(matches!(write_bytes(&folder.join("no/file"), b""), Err(Error::Io { .. })));
        std::fs::remove_dir_all(&folder).unwrap();
    }
}
