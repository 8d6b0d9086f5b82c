//! IDX files, the format of MNIST: `train-images-idx3-ubyte`, packed by gzip or not.
//!
//! `path` is the file of images. The labels are in a file beside it: with the target `labels`, which is the default, the one that
//! has `labels` and `idx1` where the images' has `images` and `idx3`, packed or not; any other target is the name of a file.
//!
//! | shape | a row is | its columns are called |
//! |---|---|---|
//! | `(rows,)` | one number | `x` |
//! | `(rows, n)` | n numbers | `x.0`, `x.1`, … |
//! | `(rows, height, width)` | a grey image | `image.0.0.0`, … |
//! | `(rows, height, width, channels)` | an image | `image.0.0.0`, … |
//!
//! Elements are whole numbers of 8 bits without sign, which stay what they are, or of 8 to 32 bits with sign, `float32` or
//! `float64`, which are rounded once, to `f32`. Rows are read in blocks of 64 KiB. What a header claims is compared with the size
//! of the file, if it is not packed, before anything is reserved for it.

mod array;

use std::borrow::Cow;
use std::fs::File;
use std::io::{BufRead, BufReader, Cursor, Read};
use std::path::{Path, PathBuf};

use flate2::bufread::MultiGzDecoder;

use self::array::{Array, Kind};
use super::pixels::{IMAGE, MOST, names};
use super::source::{Place, RowReader, Source};
use super::{Chunks, FeatureNames, Field, Role, Spec, TargetKind};
use crate::quote::line;
use crate::tensor::Element;
use crate::{Error, Result};

/// The target whose file is found by the name of the images' file.
const LABELS: &str = "labels";

/// IDX, as a source in the list.
pub struct Idx;

impl Source for Idx {
    fn name(&self) -> &'static str {
        "IDX"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["idx"]
    }

    fn takes(&self, path: &Path) -> bool {
        let name = name_of(path).to_lowercase();
        let name = name.strip_suffix(".gz").unwrap_or(&name);
        let (_, last) = name.trim_end_matches("-ubyte").rsplit_once(['.', '-']).unwrap_or_default();
        name.ends_with(".idx") || ["idx1", "idx2", "idx3", "idx4"].contains(&last)
    }

    fn target(&self) -> Option<&'static str> {
        Some(LABELS)
    }

    fn numbering(&self) -> (usize, &'static str) {
        (0, "counted from 0")
    }

    fn open(&self, path: &Path, spec: &Spec) -> Result<Box<dyn RowReader>> {
        let images = array(path)?;
        let labels = match &spec.target[..] {
            [] => None,
            [target] => Some(array(&labels_of(path, target)?)?),
            _ => return Err(Error::config("data.target", "an IDX file has one file of labels; name one target")),
        };
        Ok(Box::new(Rows::new(images, labels, spec)?))
    }
}

/// The rows of the bytes of an IDX file and of that of its labels, some at a time; `place` stands for it in messages.
///
/// # Errors
/// [`Error::Config`] for a specification that contradicts itself, [`Error::Data`] for bytes that are no IDX file.
pub fn chunks(bytes: Vec<u8>, labels: Option<Vec<u8>>, place: &str, spec: &Spec) -> Result<Chunks<'static>> {
    spec.check()?;
    let of = |bytes: Vec<u8>, place: String| {
        let size = bytes.len() as u64;
        opened(Box::new(Cursor::new(bytes)), size, place)
    };
    let images = of(bytes, place.to_owned())?;
    let labels = labels.map(|bytes| of(bytes, format!("{place}, {LABELS}"))).transpose()?;
    Ok(Chunks::new(Box::new(Rows::new(images, labels, spec)?), spec))
}

fn name_of(path: &Path) -> Cow<'_, str> {
    path.file_name().unwrap_or_default().to_string_lossy()
}

/// The file of the labels, beside that of the images.
fn labels_of(path: &Path, target: &str) -> Result<PathBuf> {
    let images = name_of(path);
    let own = images.replace("images", LABELS).replace("idx3", "idx1").replace("idx4", "idx1");
    let plain = own.trim_end_matches(".gz").to_owned();
    let wanted = match target {
        LABELS if own != images => vec![own.clone(), format!("{plain}.gz"), plain],
        _ => vec![target.to_owned()],
    };
    let beside = wanted.iter().map(|name| path.with_file_name(name)).find(|path| path.is_file());
    beside.ok_or_else(|| {
        let (name, images) = (line(&wanted[0]), line(&images));
        let message = format!("there is no file {name} beside {images}; name the file of its labels in data.target");
        Error::data(line(&path.to_string_lossy()), message)
    })
}

fn array(path: &Path) -> Result<Array> {
    let io = |source| Error::io(path, source);
    let file = File::open(path).map_err(io)?;
    let size = file.metadata().map_err(io)?.len();
    opened(Box::new(BufReader::new(file)), size, line(&path.to_string_lossy()))
}

/// An array of bytes, which may be packed whatever the file is called.
fn opened(mut bytes: Box<dyn BufRead>, size: u64, place: String) -> Result<Array> {
    let wrong = |message: String| Error::data(&place, message);
    let first = bytes.fill_buf().map_err(|error| wrong(format!("cannot be read ({})", line(&error.to_string()))))?;
    let packed = first.starts_with(&[0x1f, 0x8b]);
    let reader: Box<dyn Read> = if packed { Box::new(MultiGzDecoder::new(bytes)) } else { bytes };
    Array::open(place.clone(), reader, (!packed).then_some(size), MOST).map_err(wrong)
}

/// The rows of images and their labels.
struct Rows {
    images: Array,
    labels: Option<Array>,
    /// `[height, width, channels]`, if a row is an image.
    image: Option<[usize; 3]>,
    fields: Vec<Field>,
    /// Rows up to and with the present one.
    at: u64,
}

impl Rows {
    fn new(images: Array, labels: Option<Array>, spec: &Spec) -> Result<Rows> {
        let wrong = |message: String| Err(Error::data(&images.place, message));
        let image = match images.dims[..] {
            [height, width] => Some([height, width, 1]),
            [height, width, channels] => Some([height, width, channels]),
            _ => None,
        };
        if spec.weight.is_some() {
            return wrong("has no weights; leave data.weight out".to_owned());
        }
        match &spec.features {
            FeatureNames::Given(_) => return wrong("has no columns with names; leave data.features out".to_owned()),
            FeatureNames::Model(names) if *names != columns(&images, image) => {
                let dims = &images.dims;
                return wrong(format!("has rows of shape {dims:?}, which are not those that the model was trained on"));
            }
            _ => {}
        }
        if let Some(labels) = &labels {
            check(labels, &images, spec)?;
        }
        let dims = image.map_or(images.dims.clone(), Vec::from);
        let element = if images.kind == Kind::U8 { Element::U8 } else { Element::F32 };
        let name = if image.is_some() { IMAGE } else { PLAIN }.to_owned();
        let input = Field { role: Role::Input, name, dims, element };
        let (role, dims, element) = (Role::Target, Vec::new(), Element::F32);
        let label = spec.target.first().filter(|_| labels.is_some());
        let label = label.map(|name| Field { role, name: name.clone(), dims, element });
        Ok(Rows { images, labels, image, fields: [input].into_iter().chain(label).collect(), at: 0 })
    }

    fn array(&self, role: Role) -> Result<&Array> {
        let array = match role {
            Role::Input => Some(&self.images),
            Role::Target => self.labels.as_ref(),
            Role::Weight => None,
        };
        array.ok_or_else(|| Error::Internal(format!("{}: nothing is read as {role:?}", self.images.place)))
    }

    fn cell(&self, array: &Array, message: &str) -> Error {
        Error::data(format!("{}, row {}", array.place, self.at.saturating_sub(1)), message)
    }
}

/// What rows of numbers are called.
const PLAIN: &str = "x";

/// The names of the numbers of a row.
fn columns(images: &Array, image: Option<[usize; 3]>) -> Vec<String> {
    match (image, images.columns()) {
        (Some(dims), _) => names(IMAGE, dims),
        (None, 1) => vec![PLAIN.to_owned()],
        (None, count) => (0..count).map(|at| format!("{PLAIN}.{at}")).collect(),
    }
}

/// A label for each row, and one number each.
fn check(labels: &Array, images: &Array, spec: &Spec) -> Result<()> {
    let message = if labels.columns() > 1 {
        let dims = &labels.dims;
        format!("has rows of shape {dims:?}, but a label is one number; name the file of labels in data.target")
    } else if labels.rows != images.rows {
        let (labels, rows, place) = (labels.rows, images.rows, &images.place);
        format!("has {labels} labels, but {place} has {rows} rows; take files that belong together")
    } else if spec.kind != TargetKind::Values && matches!(labels.kind, Kind::F32 | Kind::F64) {
        "has fractions, but class labels are whole numbers; use loss = \"mse\"".to_owned()
    } else {
        return Ok(());
    };
    Err(Error::data(&labels.place, message))
}

impl RowReader for Rows {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn columns(&self, role: Role) -> Vec<String> {
        match role {
            Role::Input => columns(&self.images, self.image),
            _ => self.fields.iter().filter(|field| field.role == role).map(|field| field.name.clone()).collect(),
        }
    }

    fn progress(&self) -> Option<f64> {
        Some(self.at as f64 / self.images.rows as f64)
    }

    fn advance(&mut self) -> Result<bool> {
        if self.at == self.images.rows {
            return Ok(false);
        }
        for array in [&mut self.images].into_iter().chain(&mut self.labels) {
            array.advance().map_err(|message| Error::data(&array.place, message))?;
        }
        self.at += 1;
        Ok(true)
    }

    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()> {
        let array = self.array(role)?;
        for column in 0..array.columns() {
            let number = array.number(column) as f32;
            if !number.is_finite() {
                let message =
                    format!("number {column} is {}, which is no finite f32; correct it", array.number(column));
                return Err(self.cell(array, &message));
            }
            into.push(number);
        }
        Ok(())
    }

    fn text(&self, role: Role) -> Result<Cow<'_, str>> {
        Ok(Cow::Owned(self.array(role)?.number(0).to_string()))
    }

    fn wrong(&self, place: Place, message: String) -> Error {
        let array = match place {
            Place::Cell(role) | Place::Column(role) => self.array(role).unwrap_or(&self.images),
            Place::Row => &self.images,
        };
        match place {
            Place::Column(_) => Error::data(&array.place, message),
            _ => self.cell(array, &message),
        }
    }
}

#[cfg(test)]
mod tests;
