//! Which files of a folder are images, and of which class each is.

use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};

use crate::quote::{line, shown};
use crate::{Error, Result};

/// The extensions of images, in lower case.
const EXTENSIONS: [&str; 3] = ["png", "jpg", "jpeg"];

/// One image.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Image {
    pub path: PathBuf,
    /// Its name from the folder on, as in `cats/1.png`.
    pub name: String,
    /// The name of the folder in which it is; `None` in no folder of a class.
    pub class: Option<String>,
}

/// The images of a folder.
pub(super) struct Listing {
    /// Those of the folder itself, and then those of its folders, in the order of their names.
    pub images: Vec<Image>,
    /// How many other files there are, and the first of them.
    pub left_out: Option<(usize, String)>,
}

impl Listing {
    /// Finds the images of a folder; with `classes`, each is in the folder of its class. A single image is a folder of one.
    pub fn of(folder: &Path, classes: bool) -> Result<Listing> {
        let mut listing = Listing { images: Vec::new(), left_out: None };
        if is_image(folder) {
            let wanted = "name the folder that has a folder for each class, as in photos/ for photos/cats/1.png";
            listing.add(folder, None);
            return if classes { Err(wrong(folder, format!("is a single image; {wanted}"))) } else { Ok(listing) };
        }
        for path in sorted(folder)? {
            match path.is_dir() {
                true => listing.add_class(&path, classes)?,
                false => listing.add(&path, None),
            }
        }
        let wanted = "put each in the folder of its class, as in cats/1.png";
        if listing.images.is_empty() {
            let wanted = if classes { wanted } else { "name a folder of images" };
            return Err(wrong(folder, format!("has no image (png, jpg, jpeg); {wanted}")));
        }
        match listing.images.iter().find(|image| classes && image.class.is_none()) {
            Some(image) => Err(wrong(&image.path, format!("is in the folder of no class; {wanted}"))),
            None => Ok(listing),
        }
    }

    fn add_class(&mut self, folder: &Path, classes: bool) -> Result<()> {
        let class = text(folder.file_name());
        for path in sorted(folder)? {
            match path.is_dir() {
                // What lies deeper would be left out silently.
                true if classes => {
                    let message = format!(
                        "is a folder in the folder of a class; put images right into {}, or name the folder that has the \
                         folders of classes",
                        shown(&class)
                    );
                    return Err(wrong(&path, message));
                }
                true => {}
                false => self.add(&path, Some(&class)),
            }
        }
        Ok(())
    }

    fn add(&mut self, path: &Path, class: Option<&str>) {
        let name = text(path.file_name());
        if is_image(path) {
            let name = class.map_or(name.clone(), |class| format!("{class}/{name}"));
            self.images.push(Image { path: path.to_owned(), name, class: class.map(str::to_owned) });
        } else {
            let (count, first) = self.left_out.take().unwrap_or((0, name));
            self.left_out = Some((count + 1, first));
        }
    }
}

/// Whether a path is a file that is called as images are.
pub(super) fn is_image(path: &Path) -> bool {
    // A pipe would wait for someone to write into it.
    EXTENSIONS.contains(&text(path.extension()).to_lowercase().as_str()) && path.is_file()
}

/// What a folder holds but hidden things, in the order of their names.
fn sorted(folder: &Path) -> Result<Vec<PathBuf>> {
    let io = |source| Error::io(folder, source);
    let mut paths = Vec::new();
    for entry in fs::read_dir(folder).map_err(io)? {
        let entry = entry.map_err(io)?;
        if !entry.file_name().as_encoded_bytes().starts_with(b".") {
            paths.push(entry.path());
        }
    }
    paths.sort();
    Ok(paths)
}

fn text(name: Option<&OsStr>) -> String {
    name.unwrap_or_default().to_string_lossy().into_owned()
}

/// An error about a path, on one line whatever it is called.
pub(super) fn wrong(path: &Path, message: String) -> Error {
    Error::data(line(&path.to_string_lossy()), message)
}
