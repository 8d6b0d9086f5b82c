//! Files that exist completely or not at all, whatever happens while they are written.
//!
//! New content goes to a temporary file in the same folder. That file is flushed to disk and renamed over the old one, and the
//! folder is flushed too: after a crash or a power loss the path has the old bytes or the new ones. A failed write leaves the
//! old file as it is; only if flushing the folder fails is the new file there, complete, but perhaps not after a power loss.
//! A killed process or a failing disk leaves a hidden file behind, such as `.model.safetensors.` and six letters; [`tidy`]
//! removes those.
//!
//! Anything that is no regular file (`/dev/null`, `/dev/stdout`, a pipe) cannot be replaced, and gets the bytes directly.

use std::fs;
use std::io::{self, BufWriter, ErrorKind, Write};
use std::path::Path;

use atomic_write_file::AtomicWriteFile;

use crate::{Error, Result};

/// Letters behind the name of a temporary file.
const LETTERS: usize = 6;

/// A file being written; nobody sees it yet.
pub type File = BufWriter<Sink>;

/// The target of the bytes.
pub enum Sink {
    /// A temporary file next to the file that it will replace.
    Beside(AtomicWriteFile),
    /// An existing target that cannot be replaced.
    Into(fs::File),
}

impl Sink {
    fn open(path: &Path) -> io::Result<Sink> {
        let is_special = fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir());
        if is_special || is_name_of_open(path) {
            return fs::File::options().append(true).open(path).map(Sink::Into);
        }
        AtomicWriteFile::open(path).map(Sink::Beside)
    }

    fn commit(self) -> io::Result<()> {
        match self {
            Sink::Beside(file) => file.commit(),
            Sink::Into(_) => Ok(()),
        }
    }
}

impl Write for Sink {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Sink::Beside(file) => file.write(bytes),
            Sink::Into(file) => file.write(bytes),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Sink::Beside(file) => file.flush(),
            Sink::Into(file) => file.flush(),
        }
    }
}

/// Whether this names a file that is open, such as `/dev/stdout`. It may lead to a regular file, but its name must not be
/// replaced.
pub(crate) fn is_name_of_open(path: &Path) -> bool {
    ["/dev", "/dev/fd", "/proc/self/fd"].map(Path::new).contains(&path.parent().unwrap_or(path))
}

/// Writes a file with the content from `fill`, and returns what `fill` returns.
///
/// If `fill` fails, no file is left.
pub fn write<T>(path: &Path, fill: impl FnOnce(&mut File) -> Result<T>) -> Result<T> {
    let wrong = |error| Error::io(path, error);
    let mut file = BufWriter::new(Sink::open(path).map_err(wrong)?);
    let filled = fill(&mut file)?;
    file.into_inner().map_err(|error| wrong(error.into_error()))?.commit().map_err(wrong)?;
    Ok(filled)
}

/// Writes these bytes as a file.
pub fn write_bytes(path: &Path, bytes: &[u8]) -> Result<()> {
    write(path, |file| file.write_all(bytes).map_err(|error| Error::io(path, error)))
}

/// Makes a folder and its parents, so that they survive a power loss.
pub fn create_folder(path: &Path) -> Result<()> {
    let missing: Vec<&Path> = path.ancestors().take_while(|folder| !folder.exists()).collect();
    fs::create_dir_all(path).map_err(|error| Error::io(path, error))?;
    missing.into_iter().rev().filter_map(Path::parent).try_for_each(sync_folder)
}

/// Flushes a folder's file names to disk: new files in it survive a power loss.
pub fn sync_folder(path: &Path) -> Result<()> {
    // Other systems cannot open folders; their file systems take care of it.
    if cfg!(unix) {
        let here = if path.as_os_str().is_empty() { Path::new(".") } else { path };
        fs::File::open(here).and_then(|folder| folder.sync_all()).map_err(|error| Error::io(here, error))?;
    }
    Ok(())
}

/// Removes from a folder the temporary files that killed processes left; `wanted` are the final names of those files. Nobody
/// may be writing such files.
pub fn tidy(folder: &Path, wanted: impl Fn(&str) -> bool) -> Result<()> {
    let entries = match fs::read_dir(folder) {
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(()),
        entries => entries.map_err(|error| Error::io(folder, error))?,
    };
    for entry in entries {
        let entry = entry.map_err(|error| Error::io(folder, error))?;
        let name = entry.file_name();
        let parts = name.to_str().and_then(|name| name.strip_prefix('.')?.rsplit_once('.'));
        if parts.is_some_and(|(of, letters)| letters.len() == LETTERS && wanted(of)) {
            fs::remove_file(entry.path()).map_err(|error| Error::io(&entry.path(), error))?;
        }
    }
    Ok(())
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

    #[cfg(unix)]
    #[test]
    fn what_cannot_be_replaced_is_written_into() {
        use std::os::unix::fs::FileTypeExt;
        let null = Path::new("/dev/null");
        write_bytes(null, b"x").unwrap();
        assert!(fs::metadata(null).unwrap().file_type().is_char_device());
        let path = std::env::temp_dir().join(format!("accrue-pipe-{}", std::process::id()));
        assert!(std::process::Command::new("mkfifo").arg(&path).status().unwrap().success());
        let read = std::thread::spawn({
            let path = path.clone();
            move || fs::read(path).unwrap()
        });
        write_bytes(&path, b"through a pipe").unwrap();
        assert_eq!(read.join().unwrap(), b"through a pipe");
        assert!(fs::metadata(&path).unwrap().file_type().is_fifo());
        fs::remove_file(&path).unwrap();
    }

    #[test]
    fn what_a_killed_process_left_is_removed_and_nothing_else() {
        let folder = std::env::temp_dir().join(format!("accrue-tidy-{}", std::process::id()));
        create_folder(&folder.join("inner")).unwrap();
        let kept = [".lock", ".mine", ".notes.safetensors.abcdef", "model.safetensors", "model.safetensors.abcdef"];
        for name in kept.iter().chain(&[".model.safetensors.aB3dE9"]) {
            fs::write(folder.join(name), b"").unwrap();
        }
        tidy(&folder, |name| name == "model.safetensors").unwrap();
        let mut left: Vec<_> = fs::read_dir(&folder).unwrap().map(|e| e.unwrap().file_name()).collect();
        left.sort_unstable();
        let mut kept = [kept.as_slice(), &["inner"]].concat();
        kept.sort_unstable();
        assert_eq!(left, kept);
        // This looks for what a killed process leaves.
        let half = AtomicWriteFile::open(folder.join("model.safetensors")).unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), kept.len() + 1);
        std::mem::forget(half);
        tidy(&folder, |name| name == "model.safetensors").unwrap();
        assert_eq!(fs::read_dir(&folder).unwrap().count(), kept.len());
        tidy(&folder.join("no"), |_| true).unwrap();
        fs::remove_dir_all(&folder).unwrap();
    }
}
