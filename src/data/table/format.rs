//! Formats of tables, and the list of all of them.

use std::path::Path;

use super::{Reading, Table};
use crate::Result;
use crate::data::input::Input;

/// Every format. The extension of a file chooses; a file of any other extension is read as the first of them.
pub const FORMATS: &[&dyn Format] = &[
    &crate::data::csv::Delimited,
    &super::json_lines::JsonLines,
    #[cfg(feature = "parquet")]
    &super::parquet::Parquet,
];

/// A format of files that are tables.
pub trait Format: Sync {
    /// Returns the name, as in a message.
    fn name(&self) -> &'static str;

    /// Returns the extensions of its files, in lower case and without the dot.
    fn extensions(&self) -> &'static [&'static str];

    /// Opens a file and finds its columns. No row is read but to find them.
    ///
    /// # Errors
    /// [`Error::Io`](crate::Error::Io) when the file cannot be read, [`Error::Data`](crate::Error::Data) when it is none of this format, [`Error::Config`](crate::Error::Config) for a setting of
    /// `reading` that the format does not have.
    fn open(&self, input: &Input, reading: &Reading) -> Result<Box<dyn Table>>;
}

/// Opens the table in a file, in the format that its extension names; `.gz` after it says that gzip packed the file, and `-` is
/// delimited text from standard input.
///
/// What comes from standard input or another pipe is first written to a temporary file without a name, so that a second call gives
/// the same rows again.
///
/// # Errors
/// Those of [`Format::open`].
pub fn open(path: &Path, reading: &Reading) -> Result<Box<dyn Table>> {
    let input = Input::new(path);
    format_of(&input).open(&input, reading)
}

/// As [`open`], for a file like one that was read so before; it may be of another format.
///
/// # Errors
/// Those of [`Format::open`].
pub fn open_alike(path: &Path, reading: &Reading) -> Result<Box<dyn Table>> {
    let input = Input::new(path);
    let format = format_of(&input);
    let is_text = format.name() == FORMATS[0].name();
    format.open(&input, &if is_text { reading.clone() } else { reading.of_named_cells() })
}

fn format_of(input: &Input) -> &'static dyn Format {
    let extension = input.extension();
    let named = FORMATS.iter().find(|format| format.extensions().contains(&extension.as_str()));
    *named.unwrap_or(&FORMATS[0])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn extensions_are_in_lower_case_and_of_one_format() {
        let mut all: Vec<&str> = FORMATS.iter().flat_map(|format| format.extensions()).copied().collect();
        assert!(all.iter().all(|extension| *extension == extension.to_lowercase()));
        let count = all.len();
        all.sort_unstable();
        all.dedup();
        assert_eq!(all.len(), count);
    }

    #[test]
    fn the_extension_before_that_of_gzip_chooses_and_the_rest_is_text() {
        for (path, name) in [
            ("a.csv", "delimited text"),
            ("a.CSV.GZ", "delimited text"),
            ("a.dat", "delimited text"),
            ("-", "delimited text"),
            ("a.jsonl", "JSON lines"),
            ("a.ndjson.gz", "JSON lines"),
        ] {
            assert_eq!(format_of(&Input::new(Path::new(path))).name(), name, "{path}");
        }
    }
}
