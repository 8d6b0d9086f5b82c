//! The images that a model takes for another class, for the report.

use std::io::Cursor;

use image::imageops::{FilterType, resize};
use image::{DynamicImage, GrayImage, ImageFormat, RgbImage};

use crate::Result;
use crate::cli::report::{Gallery, Picture};
use crate::data::{Dataset, Targets};
use crate::nn::{ModelFile, probabilities};
use crate::train::metrics::class_of;

/// The most pictures.
const MOST: usize = 24;

/// The largest side of a picture.
const MOST_SIDE: u32 = 96;

/// The images of the rows whose class the outputs (rows, outputs) miss; `None` if rows are no images, or have no classes.
///
/// # Errors
/// Those of [`Standardizer::invert`](crate::data::scale::Standardizer::invert).
pub fn misjudged(saved: &ModelFile, rows: &Dataset, outputs: &[f32]) -> Result<Option<Gallery>> {
    let (&[height, width, channels], Targets::Classes { classes, labels, .. }) =
        (&rows.features.shape[..], &rows.targets)
    else {
        return Ok(None);
    };
    let of = saved.model.outputs();
    let counts = |row: usize| rows.weights.as_ref().is_none_or(|weights| weights[row] != 0.0);
    let said = |row: usize| {
        let logits = &outputs[row * of..][..of];
        let class = class_of(logits);
        (row, class, probabilities(logits)[class])
    };
    let mut missed: Vec<(usize, usize, f64)> = (0..rows.rows())
        .filter(|&row| counts(row))
        .map(said)
        .filter(|&(row, class, _)| labels[row] as usize != class)
        .collect();
    missed.sort_by(|one, other| other.2.total_cmp(&one.2).then(one.0.cmp(&other.0)));
    let all = missed.len();
    missed.truncate(MOST);
    let mut pictures = Vec::with_capacity(missed.len());
    for (row, class, probability) in missed {
        let numbers = height * width * channels;
        let range = row * numbers..(row + 1) * numbers;
        let mut pixels = rows.features.values.elements().range(range).to_f32().into_owned();
        if let Some(scale) = &saved.feature_scale {
            scale.invert(&mut pixels, numbers)?;
        }
        let Some(png) = png(&pixels, [height, width, channels]) else { continue };
        let name = |class: usize| classes[class].clone();
        pictures.push(Picture { png, class: name(labels[row] as usize), said: name(class), probability });
    }
    Ok(Some(Gallery { all, pictures }))
}

/// An image as a file: in colours if it has three channels, otherwise its first one in greys. Numbers that are no bytes go from the
/// least as black to the largest as white.
fn png(pixels: &[f32], [height, width, channels]: [usize; 3]) -> Option<Vec<u8>> {
    let (least, most) = pixels.iter().fold((f32::MAX, f32::MIN), |(least, most), &v| (least.min(v), most.max(v)));
    let are_bytes = least >= 0.0 && most <= 255.0 && most > 1.0;
    let (from, by) = if are_bytes { (0.0, 1.0) } else { (least, 255.0 / (most - least).max(f32::MIN_POSITIVE)) };
    let byte = |&v: &f32| ((v - from) * by).round() as u8;
    let (wide, high) = (u32::try_from(width).ok()?, u32::try_from(height).ok()?);
    let image = match channels {
        3 => RgbImage::from_raw(wide, high, pixels.iter().map(byte).collect())?.into(),
        _ => DynamicImage::from(GrayImage::from_raw(wide, high, pixels.iter().step_by(channels).map(byte).collect())?),
    };
    let small = match wide.max(high) {
        side if side > MOST_SIDE => {
            let scaled = |length: u32| (u64::from(length) * u64::from(MOST_SIDE) / u64::from(side)).max(1) as u32;
            match image {
                DynamicImage::ImageRgb8(image) => {
                    resize(&image, scaled(wide), scaled(high), FilterType::Triangle).into()
                }
                other => resize(&other.to_luma8(), scaled(wide), scaled(high), FilterType::Triangle).into(),
            }
        }
        _ => image,
    };
    let mut file = Cursor::new(Vec::new());
    small.write_to(&mut file, ImageFormat::Png).ok()?;
    Some(file.into_inner())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(png: &[u8]) -> DynamicImage {
        image::load_from_memory(png).unwrap()
    }

    #[test]
    fn bytes_stay_what_they_are_and_other_numbers_go_from_black_to_white() {
        let grey = read(&png(&[0.0, 7.0, 255.0, 9.0, 1.0, 2.0], [2, 3, 1]).unwrap());
        assert_eq!((grey.width(), grey.height(), grey.into_luma8().into_raw()), (3, 2, vec![0, 7, 255, 9, 1, 2]));
        let colours = read(&png(&[1.0, 2.0, 3.0], [1, 1, 3]).unwrap());
        assert_eq!(colours.into_rgb8().into_raw(), [1, 2, 3]);
        let scaled = read(&png(&[-1.0, 0.0, 1.0], [1, 3, 1]).unwrap());
        assert_eq!(scaled.into_luma8().into_raw(), [0, 128, 255]);
        let flat = read(&png(&[0.5; 8], [2, 2, 2]).unwrap());
        assert_eq!(flat.into_luma8().into_raw(), [0; 4]);
    }

    #[test]
    fn a_large_image_becomes_small() {
        let small = read(&png(&vec![9.0; 200 * 400 * 3], [200, 400, 3]).unwrap());
        assert_eq!((small.width(), small.height()), (96, 48));
    }
}
