//! One image: its size, and its pixels in the size that is wanted.

use std::path::Path;

use image::imageops::{FilterType, resize};
use image::metadata::Orientation;
use image::{DynamicImage, ImageBuffer, ImageDecoder, ImageError, ImageReader, Limits, Pixel};

use super::folder::wrong;
use crate::quote::line;
use crate::{Error, Result};

/// The largest height and width of a file.
const MOST_SIDE: u32 = 16_384;

/// Bytes that one image may take while it is decoded.
const MOST_BYTES: u64 = 512 << 20;

/// What the first bytes of an image say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// Height and width.
    pub size: [usize; 2],
    /// 1 for grey and 3 for colours.
    pub channels: usize,
}

/// Reads the first bytes.
pub(super) fn head(path: &Path) -> Result<Head> {
    let (decoder, turned) = open(path)?;
    let (width, height) = decoder.dimensions();
    let (height, width) = if sides_swap(turned) { (width, height) } else { (height, width) };
    let channels = if decoder.color_type().has_color() { 3 } else { 1 };
    Ok(Head { size: [height as usize, width as usize], channels })
}

/// The pixels `(height, width, channels)` of an image, resized if it has another size; 1 channel is grey and 3 are red, green
/// and blue. What can be seen through is dropped.
pub(super) fn pixels(path: &Path, [height, width, channels]: [usize; 3]) -> Result<Vec<u8>> {
    let (decoder, turned) = open(path)?;
    if decoder.total_bytes() > MOST_BYTES {
        return Err(wrong(path, format!("takes {} bytes decoded; {MOST_BYTES} are the most", decoder.total_bytes())));
    }
    let mut image = DynamicImage::from_decoder(decoder).map_err(|error| damaged(path, error))?;
    image.apply_orientation(turned);
    let size = (width as u32, height as u32);
    Ok(match channels {
        1 => sized(image.into_luma8(), size),
        _ => sized(image.into_rgb8(), size),
    })
}

/// The pixels of an image in another size, or as they are.
///
/// The filter weighs the pixels under a triangle as wide as the step between two new ones: all of them count when an image
/// shrinks, and none overshoots as with Lanczos. It is + and × alone, so that every machine makes the same bits of it.
fn sized<P>(image: ImageBuffer<P, Vec<u8>>, (width, height): (u32, u32)) -> Vec<u8>
where
    P: Pixel<Subpixel = u8> + 'static,
{
    if image.dimensions() == (width, height) {
        return image.into_raw();
    }
    resize(&image, width, height, FilterType::Triangle).into_raw()
}

/// A decoder, and how the camera was held.
fn open(path: &Path) -> Result<(impl ImageDecoder, Orientation)> {
    let io = |source| Error::io(path, source);
    let mut reader = ImageReader::open(path).map_err(io)?.with_guessed_format().map_err(io)?;
    let mut limits = Limits::no_limits();
    (limits.max_image_width, limits.max_image_height) = (Some(MOST_SIDE), Some(MOST_SIDE));
    limits.max_alloc = Some(MOST_BYTES);
    reader.limits(limits);
    let mut decoder = reader.into_decoder().map_err(|error| damaged(path, error))?;
    // What a camera says of itself may be damaged where the image is not.
    let turned = decoder.orientation().unwrap_or(Orientation::NoTransforms);
    Ok((decoder, turned))
}

fn sides_swap(turned: Orientation) -> bool {
    use Orientation::{Rotate90, Rotate90FlipH, Rotate270, Rotate270FlipH};
    matches!(turned, Rotate90 | Rotate270 | Rotate90FlipH | Rotate270FlipH)
}

fn damaged(path: &Path, error: ImageError) -> Error {
    match error {
        ImageError::Limits(_) => {
            wrong(path, format!("is larger than {MOST_SIDE} × {MOST_SIDE} pixels; make it smaller"))
        }
        ImageError::Unsupported(_) => wrong(path, "is no PNG or JPEG; save it as one, or take it out".to_owned()),
        other => {
            wrong(path, format!("cannot be decoded ({}); replace the file or take it out", line(&other.to_string())))
        }
    }
}
