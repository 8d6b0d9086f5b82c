//! The configuration that is proposed for a folder of images.

use std::path::Path;

use super::{Proposal, few, header, line, text};
use crate::data::images::{Survey, survey};
use crate::quote::shown;
use crate::{Error, Result};

/// Images are resized until the longer side has so many pixels.
const LONGEST: usize = 64;

/// The shorter side has so many at least.
const SHORTEST: usize = 8;

/// Poolings are stacked until the shorter side has so few pixels.
const POOLED: usize = 7;

/// Channels of the first convolution; each one behind has twice as many.
const CHANNELS: usize = 16;

/// Fewer images are a small folder, for which small batches and more epochs are proposed.
const FEW: usize = 2000;

/// Looks at a folder that has a folder of images for each class, and proposes a configuration that fits it. `path` is the path as it is
/// to be written.
///
/// # Errors
/// No image, one in the folder of no class, one class alone, or an image that cannot be read.
pub fn propose_images(folder: &Path, path: &Path) -> Result<Proposal> {
    let found = survey(folder)?;
    let images: usize = found.classes.iter().map(|(_, count)| count).sum();
    if let [(only, _)] = &found.classes[..] {
        let message = format!("has one class alone, {}; a network needs two to tell apart", shown(only));
        return Err(Error::data(shown(&folder.to_string_lossy()), message));
    }
    let size = resized(&found);
    let toml = [
        header(&format!("A folder of {images} images in {} classes", found.classes.len())),
        data(&found, path, size, if images < super::FEW { 0.0 } else { 0.2 }),
        model(size.unwrap_or(found.size)),
        training(images),
    ];
    Ok(Proposal { toml: toml.concat(), remarks: found.remarks })
}

/// The size that all are resized to, if they have several or are large.
fn resized(found: &Survey) -> Option<[usize; 2]> {
    let longest = found.size.into_iter().max().unwrap_or(1);
    if found.alike && longest <= LONGEST {
        return None;
    }
    let scale = (LONGEST as f64 / longest as f64).min(1.0);
    Some(found.size.map(|side| ((side as f64 * scale / 4.0).round() as usize * 4).max(SHORTEST)))
}

fn data(found: &Survey, path: &Path, size: Option<[usize; 2]>, held: f64) -> String {
    let names = few(found.classes.iter().map(|(name, _)| name.as_str()), 6);
    let [height, width] = found.size;
    let several = if found.alike { "all have" } else { "files have several sizes, in the middle" };
    let size = size.map(|[high, wide]| {
        line("size", format!("[{high}, {wide}]"), &format!("height and width; {several} [{height}, {width}]"))
    });
    [
        "[data]\n".to_owned(),
        line("path", text(&path.to_string_lossy()), &format!("classes: {names}")),
        size.unwrap_or_default(),
        line("validation", held, "share of the images held back to measure on, and to choose the best epoch by"),
        line("split", text("stratified"), "how they are chosen: the same share of each class"),
        line("standardize", true, "a first layer that knows mean and deviation of each channel"),
        line(
            "augment",
            "[\"flip\", { crop = 2 }]",
            "in training; without \"flip\" where left and right matter, as for digits",
        ),
    ]
    .concat()
}

/// Convolutions, with a pooling behind each until little is left.
fn model([height, width]: [usize; 2]) -> String {
    let mut layers = vec!["layers = [".to_owned()];
    let (mut side, mut channels) = (height.min(width), CHANNELS);
    loop {
        let conv = format!("{{ conv2d = {{ channels = {channels}, kernel = 3, padding = 1 }} }}");
        let pool = if side > 1 { " { max_pool = 2 }," } else { "" };
        layers.push(format!("    {conv}, {{ group_norm = {} }}, \"relu\",{pool}", channels / 4));
        (side, channels) = (side / 2, 2 * channels);
        if side <= POOLED {
            break;
        }
    }
    layers.push("    \"flatten\", { dropout = 0.25 },".to_owned());
    layers.push("]                         # the output layer follows from the classes".to_owned());
    format!("\n[model]\n{}\n{}", line("loss", text("cross_entropy"), ""), layers.join("\n") + "\n")
}

fn training(images: usize) -> String {
    let (epochs, batch) = if images < FEW { (40, 32) } else { (20, 64) };
    [
        "\n[train]\n".to_owned(),
        line("epochs", epochs, "passes over the training images; the best one is kept"),
        line("batch", batch, "images of an update; how many of them the GPU holds at once changes no bit"),
        line("seed", 0, "decides the split, the first weights, the order of the images and what augment draws"),
        "\n[optimizer]\n".to_owned(),
        line("type", text("adamw"), ""),
        line("lr", 0.003, "learning rate; `accrue lr-find` measures others"),
        line("weight_decay", 0.01, ""),
        line("schedule", text("cosine"), "the learning rate falls to 0"),
        line("warmup", 30, "after so many updates in which it rises"),
    ]
    .concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(size: [usize; 2], alike: bool) -> Survey {
        Survey { classes: vec![("a".to_owned(), 3), ("b".to_owned(), 4)], size, alike, remarks: Vec::new() }
    }

    #[test]
    fn images_keep_their_size_only_if_they_have_one_that_is_small() {
        assert_eq!(resized(&of([28, 28], true)), None);
        assert_eq!(resized(&of([28, 28], false)), Some([28, 28]));
        assert_eq!(resized(&of([480, 640], true)), Some([48, 64]));
        assert_eq!(resized(&of([10, 4000], true)), Some([8, 64]));
        assert_eq!(resized(&of([3, 5], false)), Some([8, 8]));
    }

    #[test]
    fn poolings_follow_from_the_size() {
        let poolings = |size| model(size).matches("max_pool").count();
        assert_eq!([[28, 28], [64, 48], [64, 8], [4, 4], [1, 20]].map(poolings), [2, 3, 1, 1, 0]);
    }
}
