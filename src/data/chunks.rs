//! The rows of a CSV file, some at a time or all at once.

use std::io::Read;

use super::cells::Rows;
use super::classes::Labels;
use super::spec::{CsvSpec, TargetKind};
use super::{Dataset, Features, Targets};
use crate::quote::shown;
use crate::{Error, Result};

/// The rows of a CSV file, some at a time: the memory that this takes does not depend on how many there are.
///
/// ```
/// use accrue::data::csv::{Chunks, CsvSpec};
/// let csv = "x,y\n1,2\n3,4\n5,6\n";
/// let mut chunks = Chunks::open(csv.as_bytes(), "x.csv", &CsvSpec::values(["y"]))?;
/// let (mut data, mut rows) = (chunks.empty(), Vec::new());
/// while chunks.fill(&mut data, 2)? {
///     rows.push(data.rows());
/// }
/// assert_eq!(rows, [2, 1]);
/// # Ok::<(), accrue::Error>(())
/// ```
pub struct Chunks<'a, R> {
    rows: Rows<'a, R>,
    columns: Columns,
    /// The name of the target of a classification, and its classes.
    labels: Option<(String, Labels)>,
    /// The names of the targets of a regression.
    targets: Vec<String>,
    count: u32,
    /// Some row has a weight above 0, or there are no weights.
    counts: bool,
}

impl<'a, R: Read> Chunks<'a, R> {
    /// Reads the header; `place` stands for the file in messages.
    ///
    /// # Errors
    /// [`Error::Config`] for a specification that contradicts itself, [`Error::Data`] for a header that is none or lacks a column,
    /// [`Error::Io`] when the reader fails.
    pub fn open(reader: R, place: &'a str, spec: &CsvSpec) -> Result<Self> {
        spec.check()?;
        let rows = Rows::open(reader, place)?;
        let columns = Columns::find(&rows, spec)?;
        let labels = match &spec.kind {
            TargetKind::Classes => Some(Labels::new()),
            TargetKind::KnownClasses(classes) => Some(Labels::fixed(classes)),
            TargetKind::Values => None,
        };
        let labels = labels.map(|labels| (spec.target[0].clone(), labels));
        let targets = if labels.is_none() { spec.target.clone() } else { Vec::new() };
        Ok(Chunks { rows, counts: columns.weight.is_none(), columns, labels, targets, count: 0 })
    }

    /// Features alone, these columns in this order; the data that they come in has no target.
    ///
    /// # Errors
    /// [`Error::Config`] when no column is named, [`Error::Data`] for a header that is none or lacks one, [`Error::Io`] when the
    /// reader fails.
    pub fn features(reader: R, place: &'a str, names: &[String]) -> Result<Self> {
        let rows = Rows::open(reader, place)?;
        let columns = Columns { features: find_features(&rows, names)?, ..Columns::of_a_model() };
        Ok(Chunks { rows, columns, labels: None, targets: Vec::new(), count: 0, counts: true })
    }

    /// Data without rows, to be filled.
    pub fn empty(&self) -> Dataset {
        let names = self.columns.features.iter().map(|column| self.rows.names[*column].clone()).collect();
        let targets = match &self.labels {
            Some((name, labels)) => {
                Targets::Classes { name: name.clone(), classes: labels.known().to_vec(), labels: Vec::new() }
            }
            None => Targets::Values { names: self.targets.clone(), values: Vec::new() },
        };
        let weights = self.columns.weight.map(|_| Vec::new());
        Dataset { features: Features { names, values: Vec::new() }, targets, weights }
    }

    /// Puts the next rows, at most so many, in the place of those in `data`, which is [`Chunks::empty`] at first; `false` when
    /// there are no more.
    ///
    /// # Errors
    /// What is wrong with a row. [`Error::Config`] for classes that are not known before: what their order is, all rows say
    /// together.
    pub fn fill(&mut self, data: &mut Dataset, most: usize) -> Result<bool> {
        if self.labels.as_ref().is_some_and(|(_, labels)| !labels.is_fixed()) {
            let message =
                "classes that are not known before cannot be read in parts; name them, or read the whole file";
            return Err(Error::config("data.target", message));
        }
        data.features.values.clear();
        match &mut data.targets {
            Targets::Classes { labels, .. } => labels.clear(),
            Targets::Values { values, .. } => values.clear(),
        }
        data.weights.iter_mut().for_each(Vec::clear);
        let mut count = 0;
        while count < most && self.next_row()? {
            self.add_row(data)?;
            count += 1;
        }
        Ok(count > 0)
    }

    /// All rows that are left, from a file of so many bytes.
    pub(super) fn rest(mut self, bytes: Option<u64>) -> Result<Dataset> {
        let mut data = self.empty();
        while self.next_row()? {
            self.add_row(&mut data)?;
            if let (Some(bytes), ROWS_TO_GUESS) = (bytes, self.count) {
                reserve(&mut data, bytes as f64 / self.rows.bytes().max(1) as f64);
            }
        }
        if let (Some((name, labels)), Targets::Classes { classes, labels: numbers, .. }) =
            (self.labels.take(), &mut data.targets)
        {
            *classes = labels.finish(numbers).map_err(|message| self.rows.column_error(&name, message))?;
        }
        for_each(&mut data, |values| values.shrink_to_fit(), |labels| labels.shrink_to_fit());
        Ok(data)
    }

    /// Goes to the next row and counts it; a file without one, or with more than can be numbered, is an error, and so is
    /// one in which no row has a weight.
    fn next_row(&mut self) -> Result<bool> {
        if self.rows.advance()? {
            let more = || self.rows.line_error(format!("more than {} rows; split the file", u32::MAX));
            self.count = self.count.checked_add(1).ok_or_else(more)?;
            return Ok(true);
        }
        if self.count == 0 {
            return Err(self.rows.line_error("no row follows the header; at least one is needed".into()));
        }
        match self.columns.weight {
            Some(column) if !self.counts => {
                let message = "every weight is 0; at least one row must count".to_owned();
                Err(self.rows.column_error(&self.rows.names[column], message))
            }
            _ => Ok(false),
        }
    }

    /// Adds the present row.
    fn add_row(&mut self, data: &mut Dataset) -> Result<()> {
        let Columns { features, advice, targets, weight } = &self.columns;
        push_numbers(&mut data.features.values, &self.rows, features, advice)?;
        match (&mut self.labels, &mut data.targets) {
            (Some((_, known)), Targets::Classes { labels, .. }) => {
                let label = known.number(self.rows.text(targets[0])?);
                make_room(labels, 1);
                labels.push(label.map_err(|message| self.rows.cell_error(targets[0], message))?);
            }
            (_, Targets::Values { values, .. }) => push_numbers(values, &self.rows, targets, TARGET_ADVICE)?,
            _ => {}
        }
        if let (Some(column), Some(weights)) = (weight, &mut data.weights) {
            let weight = read_weight(&self.rows, *column)?;
            self.counts |= weight > 0.0;
            make_room(weights, 1);
            weights.push(weight);
        }
        Ok(())
    }
}

/// After so many rows, the size of the file says how many there will be.
const ROWS_TO_GUESS: u32 = 1024;

/// Makes room for `times` what is there and a little more, once. Where the guess is too large for the memory it is not kept.
fn reserve(data: &mut Dataset, times: f64) {
    fn times_of<T>(values: &mut Vec<T>, times: f64) {
        let wanted = (values.len() as f64 * times * 1.02) as usize;
        // A refusal is no error yet: the file may end sooner.
        let _ = values.try_reserve_exact(wanted.saturating_sub(values.len()));
    }
    for_each(data, |values| times_of(values, times), |labels| times_of(labels, times));
}

/// Changes each array that grows with the rows.
fn for_each(data: &mut Dataset, values: impl Fn(&mut Vec<f32>), labels: impl Fn(&mut Vec<u32>)) {
    values(&mut data.features.values);
    match &mut data.targets {
        Targets::Classes { labels: numbers, .. } => labels(numbers),
        Targets::Values { values: numbers, .. } => values(numbers),
    }
    data.weights.iter_mut().for_each(values);
}

/// Makes room for more values. It grows by an eighth, where a vector by itself would double.
fn make_room<T>(values: &mut Vec<T>, more: usize) {
    if values.capacity() - values.len() < more {
        values.reserve_exact(more.max(values.len() / 8).max(256));
    }
}

const FEATURE_ADVICE: &str = "every feature column must be numeric (name it in data.target or remove it)";
const TARGET_ADVICE: &str = "a quantity must be numeric (for classes use loss = \"cross_entropy\")";
const MODEL_ADVICE: &str = "the model was trained on numbers in this column";

/// Where in a row to find what.
struct Columns {
    features: Vec<usize>,
    /// What to say about text in a feature column.
    advice: &'static str,
    targets: Vec<usize>,
    weight: Option<usize>,
}

impl Columns {
    fn of_a_model() -> Columns {
        Columns { features: Vec::new(), advice: MODEL_ADVICE, targets: Vec::new(), weight: None }
    }

    fn find<R: Read>(rows: &Rows<R>, spec: &CsvSpec) -> Result<Self> {
        let places = rows.places();
        let target = |name: &String| rows.find(&places, name, "data.target");
        let targets = spec.target.iter().map(target).collect::<Result<Vec<_>>>()?;
        let weight = spec.weight.as_ref().map(|name| rows.find(&places, name, "data.weight")).transpose()?;
        if let Some(names) = &spec.features {
            return Ok(Columns { features: find_features(rows, names)?, targets, weight, ..Columns::of_a_model() });
        }
        let mut used = vec![false; rows.names.len()];
        targets.iter().chain(&weight).for_each(|column| used[*column] = true);
        let features: Vec<usize> = (0..used.len()).filter(|column| !used[*column]).collect();
        if features.is_empty() {
            return Err(rows.line_error("no column is left to be a feature; add one beside the target".into()));
        }
        Ok(Columns { features, advice: FEATURE_ADVICE, targets, weight })
    }
}

/// The columns of a saved model's features.
fn find_features<R: Read>(rows: &Rows<R>, names: &[String]) -> Result<Vec<usize>> {
    if names.is_empty() {
        return Err(Error::config("features", "no column is named; a model has at least one feature"));
    }
    let places = rows.places();
    names.iter().map(|name| rows.find(&places, name, "a feature of the model")).collect()
}

/// Adds the numbers of some columns of the present row.
fn push_numbers<R: Read>(values: &mut Vec<f32>, rows: &Rows<R>, columns: &[usize], advice: &str) -> Result<()> {
    make_room(values, columns.len());
    for column in columns {
        values.push(rows.number(*column, advice)?);
    }
    Ok(())
}

/// The weight of the present row.
fn read_weight<R: Read>(rows: &Rows<R>, column: usize) -> Result<f32> {
    let weight = rows.number(column, "a weight must be a number of 0 or more")?;
    if weight < 0.0 {
        let text = shown(rows.text(column)?);
        return Err(rows.cell_error(column, format!("{text} is negative; a weight must be 0 or more")));
    }
    Ok(weight)
}
