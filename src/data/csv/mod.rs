//! Delimited text: CSV and its relatives, as a table of cells ([`Delimited`]) or as numbers ([`Csv`]).
//!
//! The first row names the columns; where most of its cells are numbers, it is data, and the columns are `column1` and so on. Cells
//! are separated by `,` `;` tab, `|` or blanks, whichever gives the first rows the same number of cells; they may be quoted with
//! `"` and lose the white space around them. Lines end with LF, CR LF or CR, blank ones are skipped, and so are lines at the top that
//! begin with `#`; `sep=;` in the first line says what separates. Text is UTF-8, or UTF-16 with a byte order mark. A first column
//! without a name and empty columns at the end are left out. What is found by looking is overruled by a [`Reading`]. A message about
//! a cell names file, line, column and what was found.
//!
//! As a [`Csv`], every number must be finite and is rounded once, from its text to `f32`.
//!
//! # Memory
//!
//! A file may be far larger than the memory. [`Chunks`] hold some rows at a time, in memory that does not depend on how many
//! there are. [`read_file`](super::read_file) holds every number of the columns that are used once, as `f32`: 4 bytes for what
//! is some 9 in the file; room for them is made once, from the size of the file, and what was too much of it is given back.
//! [`Dataset::split_off`] moves rows within that memory. A row may have 16 MiB, and is held some times over while it is read;
//! a class may have a name of 1 KiB and there may be 65 536 of them.

mod cells;
mod columns;
mod delimited;
mod dialect;
mod header;
mod preamble;
mod records;

pub use self::delimited::Delimited;

use std::io::Read;
use std::path::Path;

use self::cells::Rows;
use self::columns::CsvRows;
use super::input::Input;
use super::source::{RowReader, Source};
use super::table::Reading;
use super::{Chunks, Dataset, Features, Spec};
use crate::Result;

/// CSV files, as a source in the list.
pub struct Csv;

impl Source for Csv {
    fn name(&self) -> &'static str {
        "CSV"
    }

    fn extensions(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn is_table(&self) -> bool {
        true
    }

    fn numbering(&self) -> (usize, &'static str) {
        (1, "counted from 1 below its header")
    }

    fn open(&self, path: &Path, spec: &Spec) -> Result<Box<dyn RowReader>> {
        let input = Input::new(path);
        let stream = input.open()?;
        let progress = Box::new(stream.progress());
        let rows = Rows::open(stream, &input.place(), &Reading::default())?;
        for remark in rows.remarks() {
            log::warn!("{}: {remark}", input.place());
        }
        Ok(Box::new(CsvRows::new(rows, progress, spec)?))
    }
}

/// The rows of a reader, some at a time; `place` stands for it in messages.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) for a specification that contradicts itself, [`Error::Data`](crate::Error::Data) for a header that is none or lacks a column,
/// [`Error::Io`](crate::Error::Io) when the reader fails.
pub fn chunks<'a>(reader: impl Read + 'a, place: &str, spec: &Spec) -> Result<Chunks<'a>> {
    spec.check()?;
    let rows = Rows::open(reader, place, &Reading::default())?;
    Ok(Chunks::new(Box::new(CsvRows::new(rows, Box::new(|_| None), spec)?), spec))
}

/// [`read_file`](super::read_file) from any reader; `place` stands for it in messages.
///
/// # Errors
/// Those of [`chunks`], and [`Error::Data`](crate::Error::Data) with line and column for what is wrong with a row.
pub fn read(reader: impl Read, place: &str, spec: &Spec) -> Result<Dataset> {
    chunks(reader, place, spec)?.rest()
}

/// [`read_features_file`](super::read_features_file) from any reader; `place` stands for it in messages.
///
/// # Errors
/// Those of [`read`].
pub fn read_features(reader: impl Read, place: &str, names: &[String]) -> Result<Features> {
    Ok(chunks(reader, place, &Spec::features(names))?.rest()?.features)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Error;
    use crate::data::{Targets, read_features_file, read_file};
    use crate::random::{Purpose, stream};
    use rand::Rng;

    fn text(text: &str, spec: &Spec) -> Result<Dataset> {
        read(text.as_bytes(), "x.csv", spec)
    }

    fn message(csv: &str, spec: &Spec) -> String {
        let message = text(csv, spec).unwrap_err().to_string();
        assert!(!message.contains('\n'), "one line: {message}");
        message
    }

    fn weighted(spec: Spec) -> Spec {
        Spec { weight: Some("w".into()), ..spec }
    }

    #[test]
    fn every_other_column_is_a_feature() {
        let data = text("w,a,digit,b\n1,2,9,3\n0.5,4,10,5\n2,6,9,7\n", &weighted(Spec::classes("digit"))).unwrap();
        assert_eq!(
            data.features,
            Features {
                names: vec!["a".into(), "b".into()],
                shape: vec![],
                values: vec![2., 3., 4., 5., 6., 7.].into()
            }
        );
        let classes = vec!["9".into(), "10".into()];
        assert_eq!(data.targets, Targets::Classes { name: "digit".into(), classes, labels: vec![0, 1, 0] });
        assert_eq!((data.weights.as_deref(), data.targets.outputs()), (Some(&[1.0, 0.5, 2.0][..]), 2));
        data.check().unwrap();
    }

    #[test]
    fn several_values_come_in_the_order_they_are_named() {
        let data = text("y,x,z\n1,2,3\n4,5,6\n", &Spec::values(["z", "y"])).unwrap();
        let names = vec!["z".into(), "y".into()];
        assert_eq!(data.targets, Targets::Values { names, values: vec![3.0, 1.0, 6.0, 4.0] });
        assert_eq!((data.rows(), data.targets.rows(), data.weights), (2, 2, None));
    }

    #[test]
    fn a_second_file_is_read_like_the_first() {
        let spec = Spec::classes("y");
        let first = text("a,b,y\n1,2,no\n3,4,yes\n", &spec).unwrap();
        let second = text("note,b,y,a\nhi,6,yes,5\n", &spec.like(&first)).unwrap();
        assert_eq!((&second.features.names, &second.features.values), (&first.features.names, &vec![5.0, 6.0].into()));
        assert!(matches!(&second.targets, Targets::Classes { labels, .. } if labels == &[1]));
        let unknown = message("a,b,y\n1,2,maybe\n", &spec.like(&first));
        assert!(unknown.starts_with("x.csv, line 2, column \"y\": \"maybe\" is not a class of the model"), "{unknown}");
        let missing = message("a,y\n1,no\n", &spec.like(&first));
        assert!(missing.contains("no column \"b\" (a feature of the model)"), "{missing}");
    }

    #[test]
    fn features_are_read_without_the_target() {
        let names = ["b".to_owned(), "a".into()];
        let features = read_features(&b"a,text,b\n1,x,2\n3,,4\n"[..], "x.csv", &names).unwrap();
        assert_eq!(
            features,
            Features { names: names.to_vec(), shape: vec![], values: vec![2.0, 1.0, 4.0, 3.0].into() }
        );
        assert!(read_features(&b"a\n1\n"[..], "x.csv", &names).is_err());
        assert!(read_features(&b"a,b\n"[..], "x.csv", &names).is_err());
        assert!(read_features(&b"a,b\n1,2\n"[..], "x.csv", &[]).is_err());
    }

    #[test]
    fn a_missing_target_names_the_nearest_column() {
        let near = message("a,digit\n1,2\n", &Spec::classes("digt"));
        assert_eq!(
            near,
            "x.csv, line 1: there is no column \"digt\" (data.target); did you mean \"digit\"? \
             The file has \"a\", \"digit\""
        );
        let many: String = (0..30).map(|column| format!("pix{column},")).collect();
        let far = message(&format!("{many}digit\n"), &Spec::classes("price"));
        assert!(far.ends_with("add it. The file has 31 columns from \"pix0\" to \"digit\""), "{far}");
    }

    #[test]
    fn text_in_a_feature_column_says_what_to_do() {
        let expected = "x.csv, line 2, column \"pix3\": \"abc\" is not a number; \
                        every feature column must be numeric (name it in data.target or remove it)";
        assert_eq!(message("pix3,y\nabc,1\n", &Spec::classes("y")), expected);
        assert!(message("x,y\n1,one\n", &Spec::values(["y"])).contains("use loss = \"cross_entropy\""));
    }

    #[test]
    fn what_leaves_nothing_to_train_on_is_refused() {
        assert!(message("x,y\n", &Spec::classes("y")).starts_with("x.csv, line 1: no row follows the header"));
        assert!(message("y\n1\n", &Spec::classes("y")).contains("no column is left to be a feature"));
        let one = message("x,y\n1,a\n2,a\n", &Spec::classes("y"));
        assert!(one.starts_with("x.csv, column \"y\": every row has the class \"a\""), "{one}");
        let weights = message("x,y,w\n1,a,0\n2,b,0\n", &weighted(Spec::classes("y")));
        assert_eq!(weights, "x.csv, column \"w\": every weight is 0; at least one row must count");
    }

    #[test]
    fn a_weight_below_zero_or_not_finite_is_refused() {
        let spec = weighted(Spec::values(["y"]));
        let negative = message("x,y,w\n1,2,-1e-3\n", &spec);
        assert_eq!(negative, "x.csv, line 2, column \"w\": \"-1e-3\" is negative; a weight must be 0 or more");
        assert!(message("x,y,w\n1,2,inf\n", &spec).contains("is not finite"));
    }

    #[test]
    fn a_file_that_is_not_there_is_an_error_of_the_file_system() {
        let error = read_file(Path::new("no/such.csv"), &Spec::classes("y")).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
        let error = read_features_file(Path::new("no/such.csv"), &["a".into()]).unwrap_err();
        assert!(matches!(error, Error::Io { .. }));
    }

    #[test]
    fn damaged_files_never_panic() {
        let mut random = stream(0, Purpose::Shuffle, 0);
        for _ in 0..2000 {
            let mut bytes = b"\xef\xbb\xbfa,y,w\r\n1,\"b\",1\r\n-2.5e3,c,0\r\n".to_vec();
            for _ in 0..3 {
                let place = random.next_u32() as usize % bytes.len();
                bytes[place] = b"\0\n\r,\"9 \xff"[random.next_u32() as usize % 8];
            }
            if let Ok(data) = read(&bytes[..], "x.csv", &weighted(Spec::classes("y"))) {
                data.check().unwrap();
            }
        }
    }
}
