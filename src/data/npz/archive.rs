//! Where arrays lie: the members of an `.npz` file, or the `.npy` files of a folder.

use std::fs::File;
use std::io::{self, BufReader, Read};
use std::ops::Range;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use flate2::bufread::DeflateDecoder;
use rawzip::{
    CompressionMethod, FileReader, RECOMMENDED_BUFFER_SIZE, RangeReader, ReaderAt, ZipArchive,
    ZipArchiveEntryWayfinder, ZipLocator,
};

use crate::quote::{line, shown};
use crate::{Error, Result};

/// More arrays than this are taken for a mistake.
const MOST_ARRAYS: usize = 65_536;

/// Deflate makes at most so many bytes of one; what claims more is not what it says.
const MOST_DEFLATED: u64 = 1032;

/// Bytes that can be read at any place.
pub(super) type Bytes = Arc<dyn ReaderAt + Send + Sync>;

/// Named arrays that no one has looked into.
pub(super) struct Archive {
    /// The file, as shown to the user.
    pub place: String,
    members: Vec<(String, Member)>,
    /// The array that a `.npy` file is by itself.
    pub own: Option<String>,
}

enum Member {
    Zip { archive: Arc<ZipArchive<Bytes>>, end: u64, at: ZipArchiveEntryWayfinder, method: CompressionMethod },
    Npy(PathBuf),
}

/// An array's bytes, header and all.
pub(super) struct Content {
    /// How many there are.
    pub size: u64,
    /// Where they lie, if they are not compressed.
    pub stored: Option<(Bytes, Range<u64>)>,
    /// All of them in order; the end of an `.npz` member is an error if the checksum is another.
    pub in_order: Box<dyn Read>,
}

impl Archive {
    /// What a file holds, by its first bytes.
    pub fn open(path: &Path) -> Result<Archive> {
        let wrong = |source| Error::io(path, source);
        let place = path.to_string_lossy().into_owned();
        let mut file = File::open(path).map_err(wrong)?;
        let size = file.metadata().map_err(wrong)?.len();
        let mut magic = Vec::new();
        (&mut file).take(MAGIC.len() as u64).read_to_end(&mut magic).map_err(wrong)?;
        if magic == MAGIC {
            return Archive::folder(path, place);
        }
        Archive::zip(Arc::new(FileReader::from(file)), size, place)
    }

    /// The arrays of an `.npz` file of so many bytes.
    pub fn zip(bytes: Bytes, size: u64, place: String) -> Result<Archive> {
        let mut buffer = vec![0; RECOMMENDED_BUFFER_SIZE];
        let archive = ZipLocator::new().locate_in_reader(bytes, &mut buffer, size);
        let archive = Arc::new(archive.map_err(|(_, error)| not_ours(&place, error))?);
        let mut members: Vec<(String, Member)> = Vec::new();
        let mut entries = archive.entries(&mut buffer);
        while let Some(entry) = entries.next_entry().map_err(|error| not_ours(&place, error))? {
            let name = entry.file_path();
            let name = String::from_utf8_lossy(name.as_bytes());
            let Some(name) = name.strip_suffix(".npy") else { continue };
            if members.len() == MOST_ARRAYS {
                return Err(Error::data(place, format!("more than {MOST_ARRAYS} arrays; split the file")));
            }
            let archive = Arc::clone(&archive);
            let (at, method) = (entry.wayfinder(), entry.compression_method());
            members.push((name.to_owned(), Member::Zip { archive, end: size, at, method }));
        }
        let mut names: Vec<_> = members.iter().map(|(name, _)| name).collect();
        names.sort_unstable();
        if let Some(twice) = names.windows(2).find(|two| two[0] == two[1]) {
            let message = format!("two arrays are both named {}; save it again", shown(twice[0]));
            return Err(Error::data(place, message));
        }
        if members.is_empty() {
            return Err(Error::data(place, "no array is in the file; write it with np.savez(path, x=x, y=y)"));
        }
        Ok(Archive { place, members, own: None })
    }

    /// The arrays beside a `.npy` file, itself among them.
    fn folder(path: &Path, place: String) -> Result<Archive> {
        let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty()).unwrap_or(Path::new("."));
        let own = path.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let mut members = vec![(own.clone(), Member::Npy(path.to_owned()))];
        let beside = std::fs::read_dir(folder).map_err(|source| Error::io(folder, source))?;
        for path in beside.filter_map(|entry| Some(entry.ok()?.path())) {
            let npy = path.extension().is_some_and(|extension| extension == "npy");
            match path.file_stem().and_then(|stem| stem.to_str()) {
                Some(name) if npy && name != own => members.push((name.to_owned(), Member::Npy(path))),
                _ => {}
            }
        }
        Ok(Archive { place, members, own: Some(own) })
    }

    /// The arrays, in the file's order.
    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.members.iter().map(|(name, _)| name.as_str())
    }

    /// The array of that place among [`Archive::names`].
    pub fn content(&self, index: usize) -> Result<Content> {
        let (name, member) = &self.members[index];
        match member {
            Member::Npy(path) => {
                let wrong = |source| Error::io(path, source);
                let file = File::open(path).map_err(wrong)?;
                let size = file.metadata().map_err(wrong)?.len();
                let bytes: Bytes = Arc::new(FileReader::from(file));
                let in_order = Box::new(BufReader::new(RangeReader::new(Arc::clone(&bytes), 0..size)));
                Ok(Content { size, stored: Some((bytes, 0..size)), in_order })
            }
            Member::Zip { archive, end, at, method } => {
                let wrong = |message: String| Error::data(format!("{}, array {}", self.place, shown(name)), message);
                unzipped(archive, *end, *at, *method).map_err(wrong)
            }
        }
    }
}

/// What every `.npy` file begins with.
pub(super) const MAGIC: &[u8] = b"\x93NUMPY";

/// The bytes of a member, if its sizes can be true.
fn unzipped(
    archive: &ZipArchive<Bytes>,
    end: u64,
    at: ZipArchiveEntryWayfinder,
    method: CompressionMethod,
) -> Result<Content, String> {
    let entry = archive.get_entry(at).map_err(|error| damaged(&error))?;
    let (range, size) = (entry.compressed_data_range(), at.uncompressed_size_hint());
    let packed = range.1.saturating_sub(range.0);
    let bytes = Arc::clone(archive.get_ref());
    let raw = BufReader::with_capacity(1 << 16, RangeReader::new(Arc::clone(&bytes), range.0..range.1));
    let deflated = method == CompressionMethod::DEFLATE;
    let most = if deflated { packed.saturating_mul(MOST_DEFLATED) } else { packed };
    if range.1 > end || size > most {
        return Err("is shorter than it says; take a copy that is whole".to_owned());
    }
    if deflated {
        let in_order = Box::new(entry.verifying_reader(DeflateDecoder::new(raw)));
        return Ok(Content { size, stored: None, in_order });
    }
    if method != CompressionMethod::STORE {
        return Err("is compressed in a way that NumPy does not write; use np.savez_compressed".to_owned());
    }
    let in_order = Box::new(entry.verifying_reader(raw));
    Ok(Content { size, stored: Some((bytes, range.0..range.1)), in_order })
}

/// The message about bytes that cannot be read.
pub(super) fn damaged(error: &impl std::fmt::Display) -> String {
    format!("is damaged or cut short ({}); take a copy that is whole", line(&error.to_string()))
}

fn not_ours(place: &str, error: rawzip::Error) -> Error {
    match error.into_kind() {
        rawzip::ErrorKind::IO(source) if source.kind() != io::ErrorKind::UnexpectedEof => {
            Error::io(Path::new(place), source)
        }
        kind => {
            let message =
                format!("is no .npz or .npy file that is whole ({}); np.savez writes one", line(&kind.to_string()));
            Error::data(place, message)
        }
    }
}
