//! Fits a preparation to the training rows of a table.

use super::gather::{Gather, number, too_far};
use super::kept::Kept;
use super::roles::Columns;
use super::scale::moments;
use super::{
    Dialect, Found, FoundTarget, Kind, Learned, Missing, Open, Preparation, Scaling, Table, Use, Wanted, Weighing,
};
use crate::data::scale::Standardizer;
use crate::{Error, Result};

/// So many numbers of columns may be in memory at a time, or as many as take the memory that the training data itself will.
const ROOM: usize = 8 << 20;

impl Preparation {
    /// Fits fills, levels and scales to those rows of a table for which `train` says so; it has an answer for each row that can
    /// be used, of which there are `found.rows`.
    ///
    /// The table is read once, or a few times if its numbers would take more memory than the training data. A row of weight 0
    /// does not count, whatever it holds. Mean and deviation follow the weights; medians, quartiles and levels count rows.
    ///
    /// # Errors
    /// [`Error::Data`] for a table that is not the one that was looked at, a cell that does not fit its column, and numbers too
    /// large to be scaled.
    pub fn fit(open: &mut Open<'_>, found: &Found, wanted: &Wanted, train: &[bool]) -> Result<Preparation> {
        // A feature takes 4 bytes, a number of a column 8 while it is here.
        let room = ROOM.max(found.of(Use::Feature).count() * train.len() / 2);
        Preparation::fit_within(open, found, wanted, train, room)
    }

    /// As [`Preparation::fit`], with at most so many numbers of columns in memory, but at least those of one column.
    pub(super) fn fit_within(
        open: &mut Open<'_>,
        found: &Found,
        wanted: &Wanted,
        train: &[bool],
        room: usize,
    ) -> Result<Preparation> {
        if train.len() != found.rows {
            let message = format!("{} answers for {} rows; one for each is wanted", train.len(), found.rows);
            return Err(Error::data("rows", message));
        }
        let mut jobs = jobs(found);
        let count = train.iter().filter(|train| **train).count();
        let mut weights = None;
        let mut rest = &mut jobs[..];
        while !rest.is_empty() {
            let (now, later) = rest.split_at_mut(first(rest, room / count.max(1)));
            weights = pass(open, found, wanted, train, now)?;
            rest = later;
        }
        finish(jobs, found, wanted, weights.as_deref())
    }
}

/// The preparation of all that was gathered.
fn finish(jobs: Vec<Job<'_>>, found: &Found, wanted: &Wanted, weights: Option<&[f64]>) -> Result<Preparation> {
    let (targets, features): (Vec<_>, Vec<_>) = jobs.into_iter().partition(|job| job.target);
    let columns = features.into_iter().map(|job| job.gather.finish(job.name, job.kind, job.dialect, wanted, weights));
    let weight = found.of(Use::Weight).next();
    let preparation = Preparation {
        columns: columns.collect::<Result<_>>()?,
        target: match &found.target {
            FoundTarget::Nothing => None,
            FoundTarget::Classes { name, classes, .. } => {
                Some(Learned::Classes { name: name.clone(), classes: classes.clone() })
            }
            FoundTarget::Numbers { names, .. } => Some(Learned::Numbers {
                names: names.clone(),
                dialects: targets.iter().map(|job| job.dialect).collect(),
                scale: if wanted.scale == Scaling::None { None } else { Some(target_scale(&targets, weights)?) },
            }),
        },
        weight: weight.map(|column| Weighing { name: column.name.clone(), dialect: column.dialect }),
        missing: wanted.missing,
        missing_values: wanted.missing_values.clone(),
    };
    preparation.check().map_err(|message| Error::data("columns", message))?;
    Ok(preparation)
}

/// Mean and deviation of each target.
fn target_scale(targets: &[Job<'_>], weights: Option<&[f64]>) -> Result<Standardizer> {
    let mut scale = Standardizer { mean: Vec::new(), std: Vec::new() };
    for job in targets {
        let Gather::Numbers(values) = &job.gather else { continue };
        let (mean, std) = moments(values, weights);
        if !(mean.is_finite() && std.is_finite() && std > 0.0) {
            return Err(too_far(job.name));
        }
        scale.mean.push(mean);
        scale.std.push(std);
    }
    Ok(scale)
}

/// A column of which something is gathered.
struct Job<'a> {
    name: &'a str,
    kind: Kind,
    dialect: Dialect,
    gather: Gather,
    target: bool,
}

/// The features in the file's order, then targets that are numbers in theirs.
fn jobs(found: &Found) -> Vec<Job<'_>> {
    let features = found.of(Use::Feature).map(|column| Job {
        name: &column.name,
        kind: column.kind,
        dialect: column.dialect,
        gather: Gather::of(column.kind),
        target: false,
    });
    let names = match &found.target {
        FoundTarget::Numbers { names, .. } => &names[..],
        _ => &[],
    };
    let targets = names.iter().filter_map(|name| found.of(Use::Target).find(|column| column.name == *name));
    let targets = targets.map(|column| Job {
        name: &column.name,
        kind: Kind::Number,
        dialect: column.dialect,
        gather: Gather::of(Kind::Number),
        target: true,
    });
    features.chain(targets).collect()
}

/// How many of the first jobs can be done together: among them at most so many that grow with the rows, but at least one.
fn first(jobs: &[Job<'_>], most: usize) -> usize {
    let mut growing = 0;
    let fits = |job: &&Job<'_>| {
        growing += usize::from(job.gather.grows());
        growing <= most.max(1)
    };
    jobs.iter().take_while(fits).count()
}

/// Reads the table once for some of the jobs; gives the weights of the rows that count, if there are weights.
fn pass(
    open: &mut Open<'_>,
    found: &Found,
    wanted: &Wanted,
    train: &[bool],
    jobs: &mut [Job<'_>],
) -> Result<Option<Vec<f64>>> {
    let mut table = open()?;
    let columns = Columns::of(&*table);
    let places = jobs.iter().map(|job| columns.find(job.name, "found before")).collect::<Result<Vec<_>>>()?;
    let weight = found.of(Use::Weight).map(|column| Ok((columns.find(&column.name, "data.weight")?, column.dialect)));
    let weight = weight.collect::<Result<Vec<_>>>()?.pop();
    let targets = wanted.target.iter().map(|name| columns.find(name, "data.target")).collect::<Result<_>>()?;
    let complete = match wanted.missing {
        Missing::Drop => {
            let features = found.of(Use::Feature).filter(|column| column.missing > 0);
            features.map(|column| columns.find(&column.name, "found before")).collect::<Result<_>>()?
        }
        Missing::Fill | Missing::Error => Vec::new(),
    };
    drop(columns);
    let mut kept = Kept::new(&wanted.missing_values, targets, complete);
    let mut weights = weight.map(|_| Vec::new());
    let changed = || Error::data("rows", "the file changed while it was read; leave it as it is until it is read");
    let mut row = 0;
    let mut counting = 0;
    while kept.advance(&mut *table)? {
        let trains = train.get(row).copied().ok_or_else(changed)?;
        row += 1;
        if !trains || !counts(&*table, weight, &mut weights)? {
            continue;
        }
        counting += 1;
        for (job, column) in jobs.iter_mut().zip(&places) {
            let cell = table.cell(*column)?;
            let missing = kept.blanks.is_missing(&cell);
            if missing && wanted.missing == Missing::Error {
                return Err(table.wrong(Some(*column), MISSING.into()));
            }
            job.gather.add(&*table, *column, job.kind, &job.dialect, (!missing).then_some(&cell))?;
        }
    }
    if row != train.len() {
        return Err(changed());
    }
    if counting == 0 {
        return Err(Error::data("rows", "no row to train on has a weight above 0; give another share or train.seed"));
    }
    Ok(weights)
}

/// What is wrong with a missing cell where it is an error.
pub(super) const MISSING: &str = "the cell is missing; fill it in, remove the row, or set data.missing = \"fill\"";

/// Whether the present row counts; its weight is kept if it does.
fn counts(table: &dyn Table, weight: Option<(usize, Dialect)>, weights: &mut Option<Vec<f64>>) -> Result<bool> {
    let (Some((column, dialect)), Some(weights)) = (weight, weights) else { return Ok(true) };
    let value = weight_of(table, column, &dialect)?;
    if value > 0.0 {
        weights.push(value);
    }
    Ok(value > 0.0)
}

/// The weight of the present row.
pub(super) fn weight_of(table: &dyn Table, column: usize, dialect: &Dialect) -> Result<f64> {
    let cell = table.cell(column)?;
    match number(Kind::Number, dialect, &cell) {
        Ok(weight) if weight >= 0.0 => Ok(weight),
        Ok(weight) => Err(table.wrong(Some(column), format!("{weight} is negative; a weight must be 0 or more"))),
        Err(message) => Err(table.wrong(Some(column), format!("{message}; a weight must be a number of 0 or more"))),
    }
}
