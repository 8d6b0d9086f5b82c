//! The rows of a file, some at a time or all at once.

use std::path::Path;

use super::classes::Labels;
use super::source::{Place, RowReader, source_of};
use super::{Dataset, Features, Field, Role, Spec, TargetKind, Targets};
use crate::quote::shown;
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

    /// The rows of an open file.
    pub(super) fn new(rows: Box<dyn RowReader + 'a>, spec: &Spec) -> Self {
        let labels = match &spec.kind {
            TargetKind::Classes => Some(Labels::new()),
            TargetKind::KnownClasses(classes) => Some(Labels::fixed(classes)),
            TargetKind::Values | TargetKind::Unread => None,
        };
        let weighted = spec.weight.is_some();
        Chunks { rows, labels, weighted, count: 0, counts: !weighted }
    }

    /// The fields that are read: features in the model's order, then targets, then the weight.
    pub fn fields(&self) -> &[Field] {
        self.rows.fields()
    }

    /// Data without rows, to be filled.
    pub fn empty(&self) -> Dataset {
        let names = self.rows.columns(Role::Target);
        let targets = match &self.labels {
            Some(labels) => Targets::Classes {
                name: names.into_iter().next().unwrap_or_default(),
                classes: labels.known().to_vec(),
                labels: Vec::new(),
            },
            None => Targets::Values { names, values: Vec::new() },
        };
        let features = Features { names: self.rows.columns(Role::Input), values: Vec::new() };
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
        for_each(data, Vec::clear, Vec::clear);
        let mut count = 0;
        while count < most && self.next_row()? {
            self.add_row(data)?;
            count += 1;
        }
        Ok(count > 0)
    }

    /// All rows that are left.
    ///
    /// # Errors
    /// What is wrong with a row, or with the classes of all of them.
    pub fn rest(mut self) -> Result<Dataset> {
        let mut data = self.empty();
        while self.next_row()? {
            self.add_row(&mut data)?;
            if let (Some(share), ROWS_TO_GUESS) = (self.rows.progress(), self.count) {
                reserve(&mut data, 1.0 / share.clamp(1e-15, 1.0));
            }
        }
        if let (Some(labels), Targets::Classes { classes, labels: numbers, .. }) =
            (self.labels.take(), &mut data.targets)
        {
            *classes =
                labels.finish(numbers).map_err(|message| self.rows.wrong(Place::Column(Role::Target), message))?;
        }
        for_each(&mut data, |values| values.shrink_to_fit(), |labels| labels.shrink_to_fit());
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
        let names = data.features.names.len();
        push(&*self.rows, Role::Input, &mut data.features.values, names)?;
        match (&mut self.labels, &mut data.targets) {
            (Some(known), Targets::Classes { labels, .. }) => {
                let label = known.number(&self.rows.text(Role::Target)?);
                make_room(labels, 1);
                labels.push(label.map_err(|message| self.rows.wrong(Place::Cell(Role::Target), message))?);
            }
            (_, Targets::Values { values, names }) if !names.is_empty() => {
                push(&*self.rows, Role::Target, values, names.len())?;
            }
            _ => {}
        }
        let Some(weights) = &mut data.weights else { return Ok(()) };
        push(&*self.rows, Role::Weight, weights, 1)?;
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

/// Adds so many numbers of the present row.
fn push(rows: &dyn RowReader, role: Role, values: &mut Vec<f32>, count: usize) -> Result<()> {
    make_room(values, count);
    rows.numbers(role, values)
}

/// Makes room for more values. It grows by an eighth, where a vector by itself would double.
fn make_room<T>(values: &mut Vec<T>, more: usize) {
    if values.capacity() - values.len() < more {
        values.reserve_exact(more.max(values.len() / 8).max(256));
    }
}
