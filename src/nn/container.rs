//! Named arrays in a safetensors file. Reading trusts nothing: sizes are checked by arithmetic before anything is allocated.

use std::collections::{BTreeSet, HashMap};
use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use safetensors::tensor::{Metadata, TensorInfo};
use safetensors::{Dtype, View};
use serde::de::{Deserialize, Deserializer, Error as _, MapAccess, Visitor};

use super::{Arrays, checksum};
use crate::quote::{line, shown};
use crate::tensor::Array;
use crate::{Error, Result, durable};

/// Most bytes of a header, the one part whose size nothing else bounds. The largest parts of our headers are the names and
/// scales of features, about 50 bytes each: there is room for 160 000 of them. A parsed header takes a few times its bytes.
pub(crate) const MOST_HEADER: u64 = 8 << 20;

/// A file whose header was read and matches its size; its numbers were not read yet.
pub(crate) struct Container<'a, R> {
    path: &'a Path,
    reader: R,
    /// The checksum stored in the description.
    checksum: Option<String>,
    description: Option<String>,
    /// Names and shapes as in the file.
    tensors: Vec<(String, Vec<usize>)>,
}

impl<'a> Container<'a, File> {
    /// Reads the header of a file; the description is stored under `key`.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::ModelFile`] if it is damaged or of another kind.
    pub fn open(path: &'a Path, key: &str) -> Result<Self> {
        let file = File::open(path).map_err(|e| Error::io(path, e))?;
        let len = file.metadata().map_err(|e| Error::io(path, e))?.len();
        Container::read(file, len, path, key)
    }
}

impl<'a, R: Read> Container<'a, R> {
    /// As [`Container::open`], from a reader of `len` bytes that errors call `path`.
    pub fn read(mut reader: R, len: u64, path: &'a Path, key: &str) -> Result<Self> {
        let wrong = |message: String| damaged(path, message);
        let mut size = [0; 8];
        if len < 8 {
            return Err(wrong(format!("has {len} bytes, too few for a safetensors file; is it whole?")));
        }
        reader.read_exact(&mut size).map_err(|e| Error::io(path, e))?;
        let size = u64::from_le_bytes(size);
        if size > MOST_HEADER || size > len - 8 {
            let most = MOST_HEADER.min(len - 8);
            return Err(wrong(format!(
                "no safetensors file: its header would have {size} bytes, but {most} are the most; is it whole?"
            )));
        }
        let mut header = vec![0; size as usize];
        reader.read_exact(&mut header).map_err(|e| Error::io(path, e))?;
        let Header(metadata) =
            serde_json::from_slice(&header).map_err(|e| wrong(format!("its header is damaged ({e})")))?;
        let data = metadata.data_len() as u64;
        if (8 + size).checked_add(data) != Some(len) {
            let message = format!("has {len} bytes, but its header describes 8 + {size} + {data}; is it whole?");
            return Err(wrong(message));
        }
        let tensors = tensors(&metadata).map_err(wrong)?;
        let sealed = metadata.metadata().as_ref().and_then(|texts| texts.get(key));
        let (checksum, description) = match sealed.map(|text| checksum::unseal(text)) {
            Some((checksum, description)) => (checksum.map(str::to_owned), Some(description)),
            None => (None, None),
        };
        Ok(Container { path, reader, checksum, description, tensors })
    }

    /// Whether the description has a checksum over all of it.
    pub fn is_sealed(&self) -> bool {
        self.checksum.is_some()
    }

    /// Whether these are the arrays of a checkpoint.
    pub fn is_checkpoint(&self) -> bool {
        self.shapes().any(|(name, _)| name.starts_with("parameters/"))
    }

    /// The description, if there is one.
    pub fn description(&self) -> Option<&str> {
        self.description.as_deref()
    }

    /// Names and shapes of the arrays.
    pub fn shapes(&self) -> impl Iterator<Item = (&str, &[usize])> {
        self.tensors.iter().map(|(name, shape)| (name.as_str(), shape.as_slice()))
    }

    /// Reads the numbers. The header gave their size and the file has it; a caller that expects a smaller size has checked
    /// [`Container::shapes`] before.
    pub fn arrays(self) -> Result<Arrays> {
        self.arrays_finite_where(|_| true)
    }

    /// As [`Container::arrays`]; only arrays with such names must be finite.
    pub fn arrays_finite_where(mut self, finite: impl Fn(&str) -> bool) -> Result<Arrays> {
        let mut arrays = Arrays::new();
        for (name, shape) in self.tensors {
            let count = shape.iter().product();
            let mut values: Vec<f32> = Vec::new();
            values.try_reserve_exact(count).map_err(|_| {
                damaged(self.path, format!("{} has {count} numbers, more than the memory holds", shown(&name)))
            })?;
            values.resize(count, 0.0);
            self.reader.read_exact(bytemuck::cast_slice_mut(&mut values)).map_err(|e| Error::io(self.path, e))?;
            let odd = values.iter().position(|value| !value.is_finite());
            if let Some(at) = odd.filter(|_| finite(&name)) {
                let message = format!(
                    "{} has {} at element {at}; weights must be finite: take a file from before, or train again",
                    shown(&name),
                    values[at]
                );
                return Err(damaged(self.path, message));
            }
            arrays.insert(name, Array { shape, values });
        }
        if let (Some(said), Some(description)) = (&self.checksum, &self.description) {
            let found = checksum::checksum(description, &arrays);
            if *said != found {
                let message =
                    format!("damaged: its checksum is {said}, but what it holds has {found}; take a copy of it");
                return Err(damaged(self.path, message));
            }
        }
        Ok(arrays)
    }
}

/// Writes arrays and, under `key`, their description with a checksum over all of it.
pub(crate) fn write(path: &Path, description: Option<(&str, &str)>, arrays: &Arrays) -> Result<()> {
    let metadata =
        description.map(|(key, description)| HashMap::from([(key.to_owned(), checksum::seal(description, arrays))]));
    let views = arrays.iter().map(|(name, array)| (name, Bytes(array)));
    let bytes = safetensors::serialize(views, metadata).map_err(|e| Error::Internal(format!("weights: {e}")))?;
    durable::write_bytes(path, &bytes)
}

/// The error for a file, quoting it safely.
pub(crate) fn damaged(path: &Path, message: impl AsRef<str>) -> Error {
    Error::ModelFile { path: path.to_owned(), message: line(message.as_ref()) }
}

/// Names and shapes in the order of the file.
fn tensors(metadata: &Metadata) -> Result<Vec<(String, Vec<usize>)>, String> {
    let mut tensors = Vec::new();
    for name in metadata.offset_keys() {
        let Some(info) = metadata.info(&name) else { continue };
        if info.dtype != Dtype::F32 {
            let advice = "F32 is wanted: convert it, in PyTorch by `.float()`";
            return Err(format!("{} is of type {:?}; {advice}", shown(&name), info.dtype));
        }
        tensors.push((name, info.shape.clone()));
    }
    Ok(tensors)
}

/// The header of a safetensors file. The crate's own parser would first copy it into a tree.
struct Header(Metadata);

impl<'de> Deserialize<'de> for Header {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_map(Fields)
    }
}

struct Fields;

impl<'de> Visitor<'de> for Fields {
    type Value = Header;

    fn expecting(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str("the header of a safetensors file")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Header, A::Error> {
        let (mut metadata, mut tensors) = (None, Vec::<(String, TensorInfo)>::new());
        let mut names = BTreeSet::new();
        while let Some(name) = map.next_key::<String>()? {
            if !names.insert(name.clone()) {
                return Err(A::Error::custom(format!("{} is there twice", shown(&name))));
            }
            match name.as_str() {
                "__metadata__" => metadata = Some(map.next_value::<HashMap<String, String>>()?),
                _ => tensors.push((name, map.next_value()?)),
            }
        }
        tensors.sort_by_key(|(_, info)| info.data_offsets);
        Metadata::new(metadata, tensors).map(Header).map_err(A::Error::custom)
    }
}

struct Bytes<'a>(&'a Array);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        bytemuck::cast_slice(&self.0.values).into()
    }

    fn data_len(&self) -> usize {
        4 * self.0.values.len()
    }
}
