//! The rows of a file, some at a time or all at once.

use std::path::Path;

use super::classes::Labels;
use super::elements::Resize;
use super::source::{Place, RowReader, source_of};
use super::table::{Counted, Preparation, PreparedRows, Reads, Table};
use super::{Dataset, Features, Field, Role, Spec, TargetKind, Targets, Values};
use crate::quote::shown;
use crate::tensor::Element;
use crate::{Error, Result};

/// The rows of a file, some at a time: the memory that this takes does not depend on how many there are.
///
/// ```
/// # #[cfg(feature = "csv")] {
/// use accrue::data::{Spec, csv};
/// let table = "x,y\n1,2\n3,4\n5,6\n";
/// let mut chunks = csv::chunks(table.as_bytes(), "x.csv", &Spec::values(["y"]))?;
/// let (mut data, mut rows) = (chunks.empty(), Vec::new());
/// while chunks.fill(&mut data, 2)? {
///     rows.push(data.rows());
/// }
/// assert_eq!(rows, [2, 1]);
/// # }
/// # Ok::<(), accrue::Error>(())
/// ```
pub struct Chunks<'a> {
    rows: Box<dyn RowReader + 'a>,
    /// The classes of a classification.
    labels: Option<Labels>,
    weighted: bool,
    /// The features of one row.
    row: Vec<f32>,
    /// What the rows are called that were read last.
    names: Vec<String>,
    count: u32,
    /// Some row has a weight above 0, or there are no weights.
    counts: bool,
}

impl<'a> Chunks<'a> {
    /// Opens a file, in the format that its extension names.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::Config`] for a specification that contradicts itself, [`Error::Data`] when
    /// the file is not of its format or lacks what is named.
    pub fn open(path: &Path, spec: &Spec) -> Result<Chunks<'static>> {
        spec.check()?;
        Ok(Chunks::new(source_of(path)?.open(path, spec)?, spec))
    }

    /// The rows of a table, as a preparation makes features, targets and weights of them, and what is noticed on the way.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that lacks a column.
    pub fn prepared(table: Box<dyn Table + 'a>, preparation: &Preparation, reads: Reads) -> Result<(Self, Counted)> {
        let rows = PreparedRows::new(table, preparation, reads)?;
        let (spec, counted) = (rows.spec(), rows.counted());
        Ok((Chunks::new(Box::new(rows), &spec), counted))
    }

    /// The rows of an open file.
    pub(super) fn new(rows: Box<dyn RowReader + 'a>, spec: &Spec) -> Self {
        let labels = match &spec.kind {
            TargetKind::Classes => Some(Labels::new()),
            TargetKind::KnownClasses(classes) => Some(Labels::fixed(classes)),
            TargetKind::Values | TargetKind::Unread => None,
        };
        let weighted = spec.weight.is_some();
        Chunks { rows, labels, weighted, row: Vec::new(), names: Vec::new(), count: 0, counts: !weighted }
    }

    /// The fields that are read: features in the model's order, then targets, then the weight.
    pub fn fields(&self) -> &[Field] {
        self.rows.fields()
    }

    /// The dimensions of a sample, where it is one image.
    fn shape(&self) -> Vec<usize> {
        let mut inputs = self.rows.fields().iter().filter(|field| field.role == Role::Input);
        match (inputs.next(), inputs.next()) {
            (Some(field), None) if field.dims.len() > 1 => field.dims.clone(),
            _ => Vec::new(),
        }
    }

    /// What should be told of the file, a line each.
    pub fn remarks(&self) -> Vec<String> {
        self.rows.remarks()
    }

    /// What the rows that were read last are called, such as their files; empty where a row has no name.
    pub fn names(&self) -> &[String] {
        &self.names
    }

    /// Data without rows, to be filled; its features are floats.
    pub fn empty(&self) -> Dataset {
        self.empty_of(Element::F32)
    }

    fn empty_of(&self, element: Element) -> Dataset {
        let names = self.rows.columns(Role::Target);
        let targets = match &self.labels {
            Some(labels) => Targets::Classes {
                name: names.into_iter().next().unwrap_or_default(),
                classes: labels.known().to_vec(),
                labels: Vec::new(),
            },
            None => Targets::Values { names, values: Vec::new() },
        };
        let (names, shape) = (self.rows.columns(Role::Input), self.shape());
        let features = Features { names, shape, values: Values::empty(element) };
        Dataset { features, targets, weights: self.weighted.then(Vec::new) }
    }

    /// Puts the next rows, at most so many, in the place of those in `data`, which is [`Chunks::empty`] at first; `false` when
    /// there are no more.
    ///
    /// # Errors
    /// What is wrong with a row. [`Error::Config`] for classes that are not known before: what their order is, all rows say
    /// together.
    pub fn fill(&mut self, data: &mut Dataset, most: usize) -> Result<bool> {
        if self.labels.as_ref().is_some_and(|labels| !labels.is_fixed()) {
            let message =
                "classes that are not known before cannot be read in parts; name them, or read the whole file";
            return Err(Error::config("data.target", message));
        }
        resize(data, Resize::Clear);
        self.names.clear();
        let mut count = 0;
        while count < most && self.next_row()? {
            self.add_row(data)?;
            self.names.extend(self.rows.name().map(str::to_owned));
            count += 1;
        }
        Ok(count > 0)
    }

    /// All rows that are left; features are kept in the type that the file has for all of them, if one holds them as they are.
    ///
    /// # Errors
    /// What is wrong with a row, or with the classes of all of them.
    pub fn rest(mut self) -> Result<Dataset> {
        let inputs = self.rows.fields().iter().filter(|field| field.role == Role::Input);
        let element = inputs.map(|field| field.element).max().unwrap_or(Element::F32);
        let mut data = self.empty_of(element);
        while self.next_row()? {
            self.add_row(&mut data)?;
            if let (Some(share), ROWS_TO_GUESS) = (self.rows.progress(), self.count) {
                resize(&mut data, Resize::Guess(1.0 / share.clamp(1e-15, 1.0)));
            }
        }
        if let (Some(labels), Targets::Classes { classes, labels: numbers, .. }) =
            (self.labels.take(), &mut data.targets)
        {
            *classes =
                labels.finish(numbers).map_err(|message| self.rows.wrong(Place::Column(Role::Target), message))?;
        }
        resize(&mut data, Resize::Fit);
        Ok(data)
    }

    /// Goes to the next row and counts it. More rows than can be numbered are an error, and so are rows of which none has a
    /// weight.
    fn next_row(&mut self) -> Result<bool> {
        if self.rows.advance()? {
            let more = || self.rows.wrong(Place::Row, format!("more than {} rows; split the file", u32::MAX));
            self.count = self.count.checked_add(1).ok_or_else(more)?;
            return Ok(true);
        }
        if !self.counts {
            let message = "every weight is 0; at least one row must count".to_owned();
            return Err(self.rows.wrong(Place::Column(Role::Weight), message));
        }
        Ok(false)
    }

    /// Adds the present row.
    fn add_row(&mut self, data: &mut Dataset) -> Result<()> {
        data.features.values.resize(Resize::Room(data.features.names.len()));
        if let Values::F32(values) = &mut data.features.values {
            self.rows.numbers(Role::Input, values)?;
        } else {
            self.row.clear();
            self.rows.numbers(Role::Input, &mut self.row)?;
            data.features.values.extend(self.row.iter().copied());
        }
        match (&mut self.labels, &mut data.targets) {
            (Some(known), Targets::Classes { labels, .. }) => {
                let label = known.number(&self.rows.text(Role::Target)?);
                Resize::Room(1).of(labels);
                labels.push(label.map_err(|message| self.rows.wrong(Place::Cell(Role::Target), message))?);
            }
            (_, Targets::Values { values, names }) if !names.is_empty() => {
                Resize::Room(names.len()).of(values);
                self.rows.numbers(Role::Target, values)?;
            }
            _ => {}
        }
        let Some(weights) = &mut data.weights else { return Ok(()) };
        Resize::Room(1).of(weights);
        self.rows.numbers(Role::Weight, weights)?;
        let weight = weights.last().copied().unwrap_or_default();
        if weight < 0.0 {
            let message = format!("{} is negative; a weight must be 0 or more", shown(&self.rows.text(Role::Weight)?));
            return Err(self.rows.wrong(Place::Cell(Role::Weight), message));
        }
        self.counts |= weight > 0.0;
        Ok(())
    }
}

/// After so many rows, the part of the file that they were says how many there will be.
const ROWS_TO_GUESS: u32 = 1024;

/// Changes the memory of each array that grows with the rows.
fn resize(data: &mut Dataset, size: Resize) {
    data.features.values.resize(size);
    match &mut data.targets {
        Targets::Classes { labels, .. } => size.of(labels),
        Targets::Values { values, .. } => size.of(values),
        Targets::Next { .. } => {}
    }
    data.weights.iter_mut().for_each(|weights| size.of(weights));
}
