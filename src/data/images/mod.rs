//! A folder of images: PNG and JPEG, each in the folder of its class.
//!
//! ```text
//! photos/cats/1.png
//! photos/cats/2.jpg
//! photos/dogs/1.png
//! ```
//!
//! A row is an image `[height, width, channels]` of whole numbers from 0 to 255. It is grey if all files are grey, and red, green
//! and blue otherwise; what can be seen through is dropped. The classes are the names of the folders, the rows go by the names
//! of folders and files, and the target is called `class` unless it has another name. Hidden files are left out, and so are
//! files that are no images, which a remark counts.
//!
//! All files have one size, or are resized to [`Spec::size`] by a triangle filter without regard for their proportions; what
//! a camera says of how it was held is heeded. A model and a second file take the size of the first: images of another size
//! are resized to it, and colours become grey for a model of grey images. Where features alone are read, images may lie in the
//! folder itself, too, and a single image is read as a folder of one.
//!
//! # Memory
//!
//! Some images for each core are decoded at once. An image may have 16 384 × 16 384 pixels in its file and take 512 MiB while it
//! is decoded, and 2²⁰ numbers as a row.

mod decode;
mod folder;
mod parallel;

use std::borrow::Cow;
use std::path::{Path, is_separator};

use self::decode::{Head, head, pixels};
use self::folder::{Image, Listing, is_image, wrong};
use self::parallel::{each, threads};
use super::pixels::{IMAGE, MOST, image_of, names};
use super::source::{Place, RowReader, Source};
use super::{FeatureNames, Field, Role, Spec, TargetKind};
use crate::quote::line;
use crate::tensor::Element;
use crate::{Error, Result};

/// Images of each core that are decoded at once.
const AT_ONCE: usize = 16;

/// A folder of images, as a source in the list.
pub struct Images;

impl Source for Images {
    fn name(&self) -> &'static str {
        "folder of images"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &[]
    }

    fn takes(&self, path: &Path) -> bool {
        path.to_string_lossy().ends_with(is_separator) || path.is_dir() || is_image(path)
    }

    fn target(&self) -> Option<&'static str> {
        Some("class")
    }

    fn resizes(&self) -> bool {
        true
    }

    fn numbering(&self) -> (usize, &'static str) {
        (1, "counted from 1 by the names of folders and files")
    }

    fn open(&self, path: &Path, spec: &Spec) -> Result<Box<dyn RowReader>> {
        check(path, spec)?;
        let Listing { images, left_out } = Listing::of(path, spec.kind != TargetKind::Unread)?;
        let dims = dims(path, &images, spec)?;
        let target = spec.target.first().cloned();
        let input = Field { role: Role::Input, name: IMAGE.to_owned(), dims: dims.to_vec(), element: Element::U8 };
        let label = target.map(|name| Field { role: Role::Target, name, dims: Vec::new(), element: Element::F32 });
        let fields = [input].into_iter().chain(label).collect();
        let (place, block) = (line(&path.to_string_lossy()), Vec::new().into_iter());
        Ok(Box::new(Rows { place, images, dims, fields, left_out, block, read: 0, present: Vec::new(), at: 0 }))
    }
}

/// What is seen of a folder of classes without decoding its images.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Survey {
    /// The classes, each with the number of its images.
    pub classes: Vec<(String, usize)>,
    /// Height and width of an image whose area is the median of all.
    pub size: [usize; 2],
    /// Whether all have that size.
    pub alike: bool,
    /// What should be told of the folder.
    pub remarks: Vec<String>,
}

/// Looks at a folder of classes.
///
/// # Errors
/// No image, one in the folder of no class, or one whose size cannot be read.
pub(crate) fn survey(folder: &Path) -> Result<Survey> {
    let Listing { images, left_out } = Listing::of(folder, true)?;
    let mut sizes = heads(&images).map(|head| Ok(head?.size)).collect::<Result<Vec<_>>>()?;
    sizes.sort_unstable_by_key(|[height, width]| (height * width, *height));
    let mut classes: Vec<(String, usize)> = Vec::new();
    for class in images.iter().filter_map(|image| image.class.as_deref()) {
        match classes.last_mut().filter(|(last, _)| last == class) {
            Some((_, count)) => *count += 1,
            None => classes.push((class.to_owned(), 1)),
        }
    }
    let remarks = left_out.iter().map(|left_out| remark(&line(&folder.to_string_lossy()), left_out)).collect();
    let size = sizes[sizes.len() / 2];
    Ok(Survey { classes, size, alike: sizes.iter().all(|other| *other == size), remarks })
}

/// What is said of files that are no images: how many there are, and the first.
fn remark(folder: &str, (count, first): &(usize, String)) -> String {
    let (files, first) = (if *count == 1 { "file is" } else { "files are" }, line(first));
    format!("{folder}: {count} {files} no image (png, jpg, jpeg) and left out, such as {first}")
}

/// What a folder of images has not.
fn check(path: &Path, spec: &Spec) -> Result<()> {
    let refusal = match spec {
        Spec { kind: TargetKind::Values, .. } => {
            "has classes, the names of its folders, but the loss is for numbers; use loss = \"cross_entropy\""
        }
        Spec { weight: Some(_), .. } => "has no weights; leave data.weight out",
        Spec { features: FeatureNames::Given(_), .. } => "has the image alone as a feature; leave data.features out",
        _ => return Ok(()),
    };
    Err(wrong(path, refusal.to_owned()))
}

/// The dimensions of every row: those of the model, those that are wanted, or those of all files.
fn dims(folder: &Path, images: &[Image], spec: &Spec) -> Result<[usize; 3]> {
    if let FeatureNames::Model(names) = &spec.features {
        return match image_of(names) {
            Some((IMAGE, dims)) if [1, 3].contains(&dims[2]) => Ok(dims),
            _ => {
                let message = "holds images, but the model was trained on something else; give it data of that kind";
                Err(wrong(folder, message.to_owned()))
            }
        };
    }
    let head = match spec.size {
        Some(size) => Head { size, channels: channels(images)? },
        None => alike(images)?,
    };
    let ([height, width], channels) = (head.size, head.channels);
    let numbers = height.saturating_mul(width).saturating_mul(channels);
    if numbers > MOST {
        let message = format!(
            "images of {height} × {width} pixels and {channels} channels are {numbers} numbers, and {MOST} are the most; \
             write a smaller one in [data], as in size = [224, 224]"
        );
        return Err(wrong(folder, message));
    }
    Ok([height, width, channels])
}

/// 3 if there is a colour in any of the images.
fn channels(images: &[Image]) -> Result<usize> {
    for some in images.chunks(AT_ONCE * threads()) {
        for head in heads(some) {
            if head?.channels == 3 {
                return Ok(3);
            }
        }
    }
    Ok(1)
}

/// The size of all images, and whether there is a colour in any.
fn alike(images: &[Image]) -> Result<Head> {
    let mut all: Option<Head> = None;
    for (image, head) in images.iter().zip(heads(images)) {
        let head = head?;
        let first = all.get_or_insert(head);
        if head.size != first.size {
            let ([height, width], [first_height, first_width]) = (head.size, first.size);
            let message = format!(
                "has {height} × {width} pixels (height × width), but {} has {first_height} × {first_width}; write the size for \
                 all in [data], as in size = [{first_height}, {first_width}]",
                line(&images[0].name),
            );
            return Err(wrong(&image.path, message));
        }
        first.channels = first.channels.max(head.channels);
    }
    all.ok_or_else(|| Error::Internal("no image was listed".to_owned()))
}

fn heads(images: &[Image]) -> impl Iterator<Item = Result<Head>> {
    let heads = each(images.len(), |at| head(&images[at].path));
    heads.into_iter().zip(images).map(|(head, image)| head.unwrap_or_else(|| Err(given_up(image))))
}

fn given_up(image: &Image) -> Error {
    wrong(&image.path, "cannot be decoded; replace the file or take it out".to_owned())
}

/// The images of a folder.
struct Rows {
    place: String,
    images: Vec<Image>,
    dims: [usize; 3],
    fields: Vec<Field>,
    left_out: Option<(usize, String)>,
    /// Images that were decoded and are to come.
    block: std::vec::IntoIter<Option<Result<Vec<u8>>>>,
    /// How many were decoded.
    read: usize,
    /// The pixels of the present image.
    present: Vec<u8>,
    /// Images up to and with the present one.
    at: usize,
}

impl Rows {
    fn image(&self) -> Option<&Image> {
        self.images.get(self.at.checked_sub(1)?)
    }

    /// Decodes the next images.
    fn decode(&mut self) {
        let end = self.images.len().min(self.read + AT_ONCE * threads());
        let some = &self.images[self.read..end];
        self.block = each(some.len(), |at| pixels(&some[at].path, self.dims)).into_iter();
        self.read = end;
    }
}

impl RowReader for Rows {
    fn fields(&self) -> &[Field] {
        &self.fields
    }

    fn columns(&self, role: Role) -> Vec<String> {
        match role {
            Role::Input => names(IMAGE, self.dims),
            _ => self.fields.iter().filter(|field| field.role == role).map(|field| field.name.clone()).collect(),
        }
    }

    fn progress(&self) -> Option<f64> {
        Some(self.at as f64 / self.images.len() as f64)
    }

    fn advance(&mut self) -> Result<bool> {
        if self.at == self.images.len() {
            return Ok(false);
        }
        if self.at == self.read {
            self.decode();
        }
        let made = self.block.next().flatten();
        self.present = made.unwrap_or_else(|| Err(given_up(&self.images[self.at])))?;
        self.at += 1;
        Ok(true)
    }

    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()> {
        if role != Role::Input {
            return Err(Error::Internal(format!("{}: no numbers are read as {role:?}", self.place)));
        }
        into.extend(self.present.iter().map(|&pixel| f32::from(pixel)));
        Ok(())
    }

    fn text(&self, role: Role) -> Result<Cow<'_, str>> {
        let class = self.image().filter(|_| role == Role::Target).and_then(|image| image.class.as_deref());
        class.map(Cow::Borrowed).ok_or_else(|| Error::Internal(format!("{}: no text is {role:?}", self.place)))
    }

    fn name(&self) -> Option<&str> {
        self.image().map(|image| image.name.as_str())
    }

    fn remarks(&self) -> Vec<String> {
        self.left_out.iter().map(|left_out| remark(&self.place, left_out)).collect()
    }

    fn wrong(&self, place: Place, message: String) -> Error {
        match (place, self.image()) {
            (Place::Row | Place::Cell(_), Some(image)) => wrong(&image.path, message),
            _ => Error::data(&self.place, message),
        }
    }
}

// They take a checksum from flate2.
#[cfg(all(test, feature = "idx"))]
mod tests;
