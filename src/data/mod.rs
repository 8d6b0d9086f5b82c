//! What is trained on: files read into memory, in the formats of a [list](source::SOURCES), standardisation, splits by seed.

mod batch;
mod chunks;
mod classes;
#[cfg(feature = "csv")]
pub mod csv;
pub(crate) mod elements;
mod field;
#[cfg(feature = "idx")]
pub mod idx;
#[cfg(feature = "images")]
pub mod images;
#[cfg(feature = "csv")]
mod input;
#[cfg(feature = "npz")]
pub mod npz;
pub(crate) mod pixels;
mod quantity;
pub mod scale;
mod sequences;
pub mod source;
mod spec;
pub mod split;
pub mod table;
#[cfg(feature = "csv")]
pub mod text;
mod tokenizer;
pub mod tokens;

pub use batch::{Batch, Target};
pub use chunks::Chunks;
pub use elements::{Elements, Values};
pub use field::{Field, Role};
pub use sequences::Sequences;
pub use source::Source;
pub use spec::{FeatureNames, Layout, Spec, TargetKind};
pub use tokenizer::Tokenizer;

use std::path::Path;

use crate::{Error, Result};

/// Reads features, targets and weights from a file, row by row, in the format that its extension names.
///
/// # Errors
/// [`Error::Io`] when it cannot be read, [`Error::Config`] for a specification that contradicts itself, [`Error::Data`] with
/// the place in the file for everything else.
pub fn read_file(path: &Path, spec: &Spec) -> Result<Dataset> {
    Chunks::open(path, spec)?.rest()
}

/// Reads features alone from a file, row by row: these columns in this order; all others are left unread.
///
/// # Errors
/// Those of [`read_file`].
pub fn read_features_file(path: &Path, names: &[String]) -> Result<Features> {
    Ok(Chunks::open(path, &Spec::features(names))?.rest()?.features)
}

/// What is trained on: rows of features, the target of each row and, if wanted, its weight.
///
/// The fields are open, so that a host can fill them from any source; [`check`](Dataset::check) says whether they fit.
#[derive(Debug, Clone, PartialEq)]
pub struct Dataset {
    /// What the model sees.
    pub features: Features,
    /// What the model is to say.
    pub targets: Targets,
    /// How much each row counts; `None` where all count 1.
    pub weights: Option<Vec<f32>>,
}

/// The features of all rows.
#[derive(Debug, Clone, PartialEq)]
pub struct Features {
    /// One name per column.
    pub names: Vec<String>,
    /// The dimensions of a sample, channels last: `[height, width, channels]` of images; empty for columns.
    pub shape: Vec<usize>,
    /// `(rows, names.len())`, row-major, in the type in which the file has them.
    pub values: Values,
}

/// The targets of all rows.
#[derive(Debug, Clone, PartialEq)]
pub enum Targets {
    /// One of several classes per row.
    Classes {
        /// The column.
        name: String,
        /// The classes, in the order of the model's outputs.
        classes: Vec<String>,
        /// Per row, the place of its class in `classes`.
        labels: Vec<u32>,
    },
    /// One or more numbers per row.
    Values {
        /// One name per column.
        names: Vec<String>,
        /// `(rows, names.len())`, row-major.
        values: Vec<f32>,
    },
    /// For each token of a sequence the one that follows it; the features are one line of tokens.
    Next {
        /// The tokens by name, in the order of the model's outputs.
        tokens: Vec<String>,
        /// The rows.
        sequences: Sequences,
    },
}

impl Features {
    /// How many rows there are; 0 where there is no column.
    pub fn rows(&self) -> usize {
        self.values.len().checked_div(self.names.len()).unwrap_or(0)
    }

    /// The same columns without a row.
    fn like(&self) -> Features {
        let values = Values::empty(self.values.elements().element());
        Features { names: self.names.clone(), shape: self.shape.clone(), values }
    }
}

impl Targets {
    /// How many rows there are; 0 where there is no column.
    pub fn rows(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Values { names, values } => values.len().checked_div(names.len()).unwrap_or(0),
            Targets::Next { sequences, .. } => sequences.count,
        }
    }

    /// How many numbers a model must put out for one row: one per class, or one per column.
    pub fn outputs(&self) -> usize {
        match self {
            Targets::Classes { classes, .. } => classes.len(),
            Targets::Values { names, .. } => names.len(),
            Targets::Next { tokens, .. } => tokens.len(),
        }
    }
}

impl Dataset {
    /// How many rows there are.
    pub fn rows(&self) -> usize {
        match &self.targets {
            Targets::Next { sequences, .. } => sequences.count,
            Targets::Values { .. } | Targets::Classes { .. } => self.features.rows(),
        }
    }

    /// How many of them an epoch has: all, unless they are those of a text.
    pub fn epoch(&self) -> usize {
        match &self.targets {
            Targets::Next { sequences, .. } => sequences.epoch,
            Targets::Values { .. } | Targets::Classes { .. } => self.rows(),
        }
    }

    /// Says whether everything fits: lengths, labels, weights, and that every number is finite.
    ///
    /// What [`read_file`] gives always does.
    pub fn check(&self) -> Result<()> {
        self.check_shape()?;
        if let Values::F32(values) = &self.features.values {
            check_finite("features", &self.features.names, values)?;
        }
        match &self.targets {
            Targets::Values { names, values } => check_finite("targets", names, values)?,
            Targets::Classes { classes, labels, .. } => {
                let unknown = labels.iter().position(|label| *label as usize >= classes.len());
                if let Some(row) = unknown {
                    let message =
                        format!("label {} of row {row}, but there are {} classes", labels[row], classes.len());
                    return Err(Error::data("targets", message));
                }
            }
            Targets::Next { tokens, sequences } => {
                let all = self.features.values.elements();
                let known = |token| (token as usize) < tokens.len() || Some(token) == sequences.ignore;
                if let Some(at) = all.whole().position(|token| !known(token)) {
                    let message = format!("token {at} of the text is none of {}", tokens.len());
                    return Err(Error::data("targets", message));
                }
            }
        }
        let bad = |weight: &f32| !weight.is_finite() || *weight < 0.0;
        match self.weights.iter().flatten().position(bad) {
            Some(row) => Err(Error::data("weights", format!("row {row} needs a finite weight of 0 or more"))),
            None => Ok(()),
        }
    }

    /// The named rows, in the order given; a row may be named more than once.
    ///
    /// # Errors
    /// [`Error::Data`] for a row that does not exist, for sequences of a text, and for data that does not have the same number of
    /// rows everywhere.
    pub fn select(&self, rows: &[usize]) -> Result<Dataset> {
        self.check_shape()?;
        if let Some(row) = rows.iter().find(|row| **row >= self.rows()) {
            let message = format!("row {row} does not exist; the data has {} rows, counted from 0", self.rows());
            return Err(Error::data("rows", message));
        }
        let width = self.features.names.len();
        let features = match &self.features.values {
            Values::F32(values) => Values::F32(gather(values, width, rows)),
            Values::U8(values) => Values::U8(gather(values, width, rows)),
            Values::U16(values) => Values::U16(gather(values, width, rows)),
        };
        let targets = match &self.targets {
            Targets::Classes { name, classes, labels } => {
                Targets::Classes { name: name.clone(), classes: classes.clone(), labels: gather(labels, 1, rows) }
            }
            Targets::Values { names, values } => {
                Targets::Values { names: names.clone(), values: gather(values, names.len(), rows) }
            }
            Targets::Next { .. } => return Err(overlap()),
        };
        Ok(Dataset {
            features: Features { values: features, ..self.features.like() },
            targets,
            weights: self.weights.as_ref().map(|weights| gather(weights, 1, rows)),
        })
    }

    /// Takes the rows for which `held` says so out of this data, in their order; the others stay in theirs.
    ///
    /// Beside the data, whose memory they leave, only the fewer of the two are in memory a second time while they move.
    ///
    /// # Errors
    /// [`Error::Data`] when there is not one answer for each row, or the data itself does not have the same number of rows
    /// everywhere.
    pub fn split_off(&mut self, held: &[bool]) -> Result<Dataset> {
        self.check_shape()?;
        if held.len() != self.rows() {
            let message = format!("{} answers for {} rows; one for each is wanted", held.len(), self.rows());
            return Err(Error::data("rows", message));
        }
        let width = self.features.names.len();
        let features = match &mut self.features.values {
            Values::F32(values) => Values::F32(part(values, width, held)),
            Values::U8(values) => Values::U8(part(values, width, held)),
            Values::U16(values) => Values::U16(part(values, width, held)),
        };
        let targets = match &mut self.targets {
            Targets::Classes { name, classes, labels } => {
                Targets::Classes { name: name.clone(), classes: classes.clone(), labels: part(labels, 1, held) }
            }
            Targets::Values { names, values } => {
                Targets::Values { names: names.clone(), values: part(values, names.len(), held) }
            }
            Targets::Next { .. } => return Err(overlap()),
        };
        Ok(Dataset {
            features: Features { values: features, ..self.features.like() },
            targets,
            weights: self.weights.as_mut().map(|weights| part(weights, 1, held)),
        })
    }

    /// The same number of rows everywhere, and no row cut short.
    fn check_shape(&self) -> Result<()> {
        if let Targets::Next { sequences, .. } = &self.targets {
            return match sequences.fits(self.features.values.len()) {
                true => Ok(()),
                false => Err(Error::data("targets", "the sequences do not lie in the text")),
            };
        }
        let rows = self.rows();
        let fits = |what: &str, found: usize, columns: usize| match rows.checked_mul(columns) {
            Some(wanted) if wanted == found && columns > 0 => Ok(()),
            _ => Err(Error::data(what, format!("{found} values do not make {rows} rows of {columns} columns"))),
        };
        fits("features", self.features.values.len(), self.features.names.len())?;
        match &self.targets {
            Targets::Classes { labels, .. } => fits("targets", labels.len(), 1)?,
            Targets::Values { names, values } => fits("targets", values.len(), names.len())?,
            Targets::Next { .. } => {}
        }
        match &self.weights {
            Some(weights) => fits("weights", weights.len(), 1),
            None => Ok(()),
        }
    }
}

/// The refusal to take some sequences out of a text.
fn overlap() -> Error {
    Error::data("rows", "the sequences of a text overlap; cut the text itself")
}

/// The first number that is not finite, if any, is an error that names its row and column.
fn check_finite(what: &str, names: &[String], values: &[f32]) -> Result<()> {
    let Some(place) = values.iter().position(|value| !value.is_finite()) else { return Ok(()) };
    let (row, column) = (place / names.len(), &names[place % names.len()]);
    Err(Error::data(what, format!("row {row}, column {column:?}: {} is not finite", values[place])))
}

/// The named rows of a `(rows, width)` matrix.
fn gather<T: Copy>(values: &[T], width: usize, rows: &[usize]) -> Vec<T> {
    rows.iter().flat_map(|row| &values[row * width..(row + 1) * width]).copied().collect()
}

/// Takes rows out of a `(rows, width)` matrix.
fn part<T: Copy>(values: &mut Vec<T>, width: usize, held: &[bool]) -> Vec<T> {
    let count = held.iter().filter(|held| **held).count();
    // The fewer are copied, whichever they are.
    let copied = count <= held.len() - count;
    let mut copy = Vec::with_capacity(width * count.min(held.len() - count));
    let mut to = 0;
    for (row, &held) in held.iter().enumerate() {
        let cells = row * width..(row + 1) * width;
        if held == copied {
            copy.extend_from_slice(&values[cells]);
        } else {
            values.copy_within(cells, to);
            to += width;
        }
    }
    values.truncate(to);
    values.shrink_to_fit();
    if copied { copy } else { std::mem::replace(values, copy) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn three_rows() -> Dataset {
        Dataset {
            features: Features {
                names: vec!["a".into(), "b".into()],
                shape: vec![],
                values: vec![0.0, 1.0, 2.0, 3.0, 4.0, 5.0].into(),
            },
            targets: Targets::Classes {
                name: "y".into(),
                classes: vec!["no".into(), "yes".into()],
                labels: vec![0, 1, 0],
            },
            weights: Some(vec![1.0, 0.0, 2.0]),
        }
    }

    #[test]
    fn selected_rows_come_in_the_order_asked_for() {
        let picked = three_rows().select(&[2, 1, 2]).unwrap();
        assert_eq!(picked.rows(), 3);
        assert_eq!(picked.features.values, vec![4.0, 5.0, 2.0, 3.0, 4.0, 5.0].into());
        assert!(matches!(&picked.targets, Targets::Classes { labels, .. } if labels == &[0, 1, 0]));
        assert_eq!(picked.weights, Some(vec![2.0, 0.0, 2.0]));
        assert_eq!(three_rows().select(&[]).unwrap().rows(), 0);
    }

    #[test]
    fn rows_are_split_off_as_they_are_selected() {
        for held in 0..8u32 {
            let held: Vec<bool> = (0..3).map(|row| held >> row & 1 == 1).collect();
            let rows = |wanted| (0..3).filter(|&row| held[row] == wanted).collect::<Vec<_>>();
            let mut data = three_rows();
            let taken = data.split_off(&held).unwrap();
            assert_eq!(taken, three_rows().select(&rows(true)).unwrap());
            assert_eq!(data, three_rows().select(&rows(false)).unwrap());
        }
        assert!(three_rows().split_off(&[true]).is_err());
    }

    #[test]
    fn a_row_that_does_not_exist_is_an_error() {
        let message = three_rows().select(&[0, 3]).unwrap_err().to_string();
        assert_eq!(message, "rows: row 3 does not exist; the data has 3 rows, counted from 0");
    }

    #[test]
    fn what_does_not_fit_is_found_by_check() {
        three_rows().check().unwrap();
        let mut data = three_rows();
        data.features.values.floats()[3] = f32::NAN;
        assert_eq!(data.check().unwrap_err().to_string(), "features: row 1, column \"b\": NaN is not finite");
        let mut data = three_rows();
        data.features.values.floats().pop();
        assert!(data.check().is_err() && data.select(&[0]).is_err());
        let mut data = three_rows();
        data.targets = Targets::Values { names: vec![], values: vec![] };
        assert!(data.check().is_err());
        let mut data = three_rows();
        data.targets = Targets::Classes { name: "y".into(), classes: vec!["no".into()], labels: vec![0, 0, 1] };
        assert_eq!(data.check().unwrap_err().to_string(), "targets: label 1 of row 2, but there are 1 classes");
        for weights in [vec![1.0], vec![1.0, -1.0, 1.0], vec![1.0, 1.0, f32::INFINITY]] {
            let data = Dataset { weights: Some(weights), ..three_rows() };
            assert!(data.check().is_err());
        }
    }
}
