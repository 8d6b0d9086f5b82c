//! Formats of files: what a source of rows must know, and the list of all of them.

use std::borrow::Cow;
use std::path::Path;

use super::{Field, Role, Spec};
use crate::{Error, Result};

/// Every format. A path chooses by what [`Source::takes`], and then by its extension; a file of any other extension is read
/// as the first of them.
pub const SOURCES: &[&dyn Source] = &[
    #[cfg(feature = "csv")]
    &super::csv::Csv,
    #[cfg(feature = "npz")]
    &super::npz::Npz,
    #[cfg(feature = "images")]
    &super::images::Images,
    #[cfg(feature = "idx")]
    &super::idx::Idx,
];

/// A format of files that hold rows.
pub trait Source: Sync {
    /// The name, as in a message.
    fn name(&self) -> &'static str;

    /// The extensions of its files, in lower case and without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Whether a path is of this format although its extension does not say so, such as a folder.
    fn takes(&self, _path: &Path) -> bool {
        false
    }

    /// The name of the target, where a file has one target alone, which then needs no name.
    fn target(&self) -> Option<&'static str> {
        None
    }

    /// Whether its images are resized to [`Spec::size`].
    fn resizes(&self) -> bool {
        false
    }

    /// Whether its files are tables, whose cells [`table`](super::table) reads too, whatever they hold.
    fn is_table(&self) -> bool {
        false
    }

    /// The number of the first row in messages, and how rows are counted.
    fn numbering(&self) -> (usize, &'static str);

    /// Opens a file, and finds in it what the specification names. No row is read.
    ///
    /// # Errors
    /// [`Error::Io`] when the file cannot be read, [`Error::Data`] when it is none of this format or lacks what is named.
    fn open(&self, path: &Path, spec: &Spec) -> Result<Box<dyn RowReader>>;
}

/// An open file: one row after the other, in memory that does not depend on how many there are.
pub trait RowReader {
    /// The fields that are read: features in the model's order, then targets, then the weight.
    fn fields(&self) -> &[Field];

    /// The names of the columns of a role: one for each number of a row.
    fn columns(&self, role: Role) -> Vec<String>;

    /// The share of the file that was read, from 0 to 1; `None` where nobody knows.
    fn progress(&self) -> Option<f64>;

    /// Goes to the next row; `false` at the end.
    ///
    /// # Errors
    /// What is wrong with the file or with the row as a whole.
    fn advance(&mut self) -> Result<bool>;

    /// Appends the numbers of a role of the present row. All of them are finite.
    ///
    /// # Errors
    /// The first cell that is no finite number, with its place.
    fn numbers(&self, role: Role, into: &mut Vec<f32>) -> Result<()>;

    /// The first cell of a role of the present row as text.
    ///
    /// # Errors
    /// When it is none, with its place.
    fn text(&self, role: Role) -> Result<Cow<'_, str>>;

    /// What the present row is called, where each has a name of its own, such as that of its file.
    fn name(&self) -> Option<&str> {
        None
    }

    /// What should be told of the file, a line each.
    fn remarks(&self) -> Vec<String> {
        Vec::new()
    }

    /// What is wrong at a place, as an error that names it.
    fn wrong(&self, place: Place, message: String) -> Error;
}

/// A place in an open file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// The present row.
    Row,
    /// The first cell of a role in the present row.
    Cell(Role),
    /// The whole column, or array, of a role.
    Column(Role),
}

/// The format of a path: a folder, or a file by its name.
///
/// # Errors
/// [`Error::Config`] when the library was built without any.
pub fn source_of(path: &Path) -> Result<&'static dyn Source> {
    let extension = path.extension().map(|extension| extension.to_string_lossy().to_lowercase()).unwrap_or_default();
    let taken = SOURCES.iter().find(|source| source.takes(path));
    let named = taken.or_else(|| SOURCES.iter().find(|source| source.extensions().contains(&extension.as_str())));
    named.or(SOURCES.first()).copied().ok_or_else(|| {
        Error::config("data.path", "no format of files is built in; build with the feature \"csv\" or another")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_in_lower_case_and_of_one_format() {
        let mut all: Vec<&str> = SOURCES.iter().flat_map(|source| source.extensions()).copied().collect();
        assert!(all.iter().all(|extension| *extension == extension.to_lowercase()));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[cfg(all(feature = "images", feature = "idx"))]
    #[test]
    fn folders_and_the_names_of_mnist_are_known_without_an_extension() {
        for (path, name) in [
            (env!("CARGO_MANIFEST_DIR"), "folder of images"),
            ("not/there/", "folder of images"),
            ("train-images-idx3-ubyte", "IDX"),
            ("t10k-images.idx3-ubyte.gz", "IDX"),
            ("a.idx", "IDX"),
            ("a.idx.gz", "IDX"),
            ("idx3.csv.gz", "CSV"),
            ("a-idx", "CSV"),
        ] {
            assert_eq!(source_of(Path::new(path)).unwrap().name(), name, "{path}");
        }
    }

    #[cfg(feature = "csv")]
    #[test]
    fn the_extension_chooses_and_the_rest_is_csv() {
        for path in ["a.csv", "A.CSV", "a.txt", "a", "/dev/stdin"] {
            assert_eq!(source_of(Path::new(path)).unwrap().name(), "CSV", "{path}");
        }
    }
}
