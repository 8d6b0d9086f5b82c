//! What a section `[data]` may say.

use std::collections::HashSet;
use std::mem::discriminant;

use super::not_empty;
use crate::data::split::Split;
use crate::quote::short;
use crate::recipe::config::{Augmentation, Data, Validation};
use crate::recipe::keys::{missing, unusable};
use crate::{Error, Result};

/// The largest height and width of an image.
const MOST_SIDE: usize = 16_384;

/// Pixels of an image: a row has no more numbers.
const MOST_PIXELS: usize = crate::data::pixels::MOST;

/// Fails for a section `[data]` that contradicts itself.
pub(in crate::recipe) fn data(data: &Data) -> Result<()> {
    if data.path.as_os_str().is_empty() {
        return Err(missing("data.path"));
    }
    if data.context == Some(0) {
        return Err(unusable("data.context", 0));
    }
    if data.sequences == Some(0) {
        return Err(unusable("data.sequences", 0));
    }
    let names = data.target.names();
    if names.is_empty() && data.path.extension().is_none() {
        let path = short(&data.path.to_string_lossy());
        let message = format!(
            "missing; a folder of images needs none, but there is no folder {path}: correct data.path, or name it"
        );
        return Err(Error::config("data.target", message));
    }
    let is = |extension: &str| data.path.to_string_lossy().trim_end_matches(".gz").ends_with(extension);
    if names.is_empty() && (is(".txt") || is(".md")) {
        let message = "missing; a table needs it, and a text data.context, the number of tokens that the model sees";
        return Err(Error::config("data.target", message));
    }
    if names.is_empty() {
        return Err(missing("data.target"));
    }
    once("data.target", names)?;
    if let Some(features) = &data.features {
        if features.names().is_empty() {
            return Err(unusable("data.features", "[]"));
        }
        once("data.features", features.names())?;
        if let Some(name) =
            features.names().iter().find(|name| names.contains(name) || data.weight.as_ref() == Some(name))
        {
            let message = format!("{:?} is target or weight too; a column has one use", short(name));
            return Err(Error::config("data.features", message));
        }
    }
    if let Some(weight) = &data.weight
        && (weight.is_empty() || names.contains(weight))
    {
        return Err(Error::config(
            "data.weight",
            format!("{:?} must be a column of its own; name another or leave it out", short(weight)),
        ));
    }
    table(data)?;
    if let Some(size @ [height, width]) = data.size
        && !(size.iter().all(|side| (1..=MOST_SIDE).contains(side)) && height * width <= MOST_PIXELS)
    {
        return Err(unusable("data.size", format!("[{height}, {width}]")));
    }
    augment(&data.augment)?;
    match &data.validation {
        Validation::Share(share) if !(0.0..1.0).contains(share) => Err(unusable("data.validation", share)),
        Validation::File(file) => not_empty("data.validation", file),
        Validation::Share(_) => Ok(()),
    }
}

/// Each of them once, and no crop that keeps nothing of the largest image.
fn augment(all: &[Augmentation]) -> Result<()> {
    let twice =
        |(at, one): (usize, &Augmentation)| all[..at].iter().any(|other| discriminant(other) == discriminant(one));
    if all.iter().enumerate().any(twice) {
        return Err(Error::config("data.augment", "has one of them twice; write it once"));
    }
    match all.iter().find(|one| matches!(one, Augmentation::Crop(by) if !(1..MOST_SIDE as u32).contains(by))) {
        Some(Augmentation::Crop(by)) => Err(unusable("data.augment", format!("{{ crop = {by} }}"))),
        _ => Ok(()),
    }
}

/// What is said of the columns of a table.
fn table(data: &Data) -> Result<()> {
    if let Some(ignored) = &data.ignore {
        once("data.ignore", ignored.names())?;
        let used = |name: &&String| {
            let features = data.features.iter().flat_map(|names| names.names());
            data.target.names().iter().chain(features).chain(&data.weight).any(|used| used == *name)
        };
        if let Some(name) = ignored.names().iter().find(used) {
            let message = format!("{:?} is used elsewhere; name it once", short(name));
            return Err(Error::config("data.ignore", message));
        }
    }
    match (&data.group, data.split) {
        (None, Some(Split::Group)) => {
            let message = "\"group\" needs the column whose equal cells stay together; name it in data.group";
            return Err(Error::config("data.split", message));
        }
        (Some(_), Some(split)) if split != Split::Group => {
            let message = "belongs to data.split = \"group\"; set that, or leave data.group out";
            return Err(Error::config("data.group", message));
        }
        (Some(name), _) if data.target.names().contains(name) => {
            return Err(Error::config(
                "data.group",
                format!("{:?} is the target too; name another column", short(name)),
            ));
        }
        _ => {}
    }
    match data.one_hot {
        Some(0) => Err(unusable("data.one_hot", 0)),
        _ => Ok(()),
    }
}

/// Every column has a name, and none has two uses.
fn once(field: &str, names: &[String]) -> Result<()> {
    let mut seen = HashSet::new();
    for name in names {
        if name.is_empty() {
            return Err(unusable(field, "\"\""));
        }
        if !seen.insert(name) {
            return Err(Error::config(field, format!("{:?} is named twice; name it once", short(name))));
        }
    }
    Ok(())
}
