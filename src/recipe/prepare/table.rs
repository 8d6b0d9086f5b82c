//! Data whose features are made of the columns of a table.

use std::collections::HashSet;
use std::path::Path;

use super::start::Start;
use super::{Parts, by, from_key, place, unsplit};
use crate::data::table::{
    Found, FoundTarget, Learned, Preparation, Reading, Reads, Table, Use, Wanted, Weighing, look, open, open_alike,
};
use crate::data::{Chunks, Dataset};
use crate::quote::shown;
use crate::recipe::config::{Config, Validation, class_losses};
use crate::recipe::folds::Fold;
use crate::{Error, Result};

/// Looks at the table, splits its rows, fits the preparation to the training rows and prepares all of them.
pub(super) fn read(config: &Config, start: &Start, fold: Option<Fold>) -> Result<Parts> {
    let reading = config.data.reading();
    let mut table = || opened(&config.data.path, &reading, "data.path");
    let first = table()?;
    let alike = first.found().unwrap_or_else(|| reading.clone());
    start.preparation().map_or(Ok(()), |preparation| has_columns(&*first, preparation, config))?;
    drop(first);
    let wanted = wanted(config, start);
    let found = look(&mut table, &wanted)?;
    let mut remarks = found.remarks.clone();
    let held = held(config, &found, fold, &mut remarks)?;
    let preparation = match start.preparation() {
        Some(preparation) => weighed(preparation, &found, &wanted)?,
        None => {
            let train: Vec<bool> = held.iter().map(|held| !held).collect();
            Preparation::fit(&mut table, &found, &wanted, &train)
                .map_err(|error| no_weight(error, config, &found, train.iter().filter(|train| **train).count()))?
        }
    };
    let mut train = prepared(table()?, &preparation)?;
    let validation = match &config.data.validation {
        Validation::File(path) => {
            let table = open_alike(path, &alike).map_err(|error| from_key(error, "data.validation"))?;
            Some(prepared(table, &preparation)?)
        }
        Validation::Share(_) if held.contains(&true) => Some(train.split_off(&held)?),
        Validation::Share(_) => None,
    };
    let target_scale = match &preparation.target {
        Some(Learned::Numbers { scale, .. }) => scale.clone(),
        Some(Learned::Classes { .. }) | None => None,
    };
    // What rows weigh is of the training, not of the model.
    let preparation = Preparation { weight: None, ..preparation };
    let complete = found.without_target + found.incomplete == 0;
    let (held, preparation) = (complete.then_some(held), Some(preparation));
    let (feature_scale, first, reading) = (None, None, alike);
    Ok(Parts { train, validation, feature_scale, first, preparation, reading, target_scale, remarks, held })
}

/// Fails for a table that lacks a feature of the model that training starts from.
fn has_columns(table: &dyn Table, preparation: &Preparation, config: &Config) -> Result<()> {
    let names: HashSet<&String> = table.names().iter().collect();
    let missing: Vec<String> = preparation
        .columns
        .iter()
        .map(|column| &column.name)
        .filter(|name| !names.contains(name))
        .map(|name| shown(name))
        .collect();
    if missing.is_empty() {
        return Ok(());
    }
    let columns = if missing.len() == 1 { "a feature" } else { "features" };
    let message = format!(
        "the model has {columns} that {} lacks: {}; add or rename them, or leave model.init out",
        config.data.path.display(),
        missing.join(", ")
    );
    Err(Error::config("model.init", message))
}

/// The error of a fit to rows of which none counts, with the file and the column that says so.
fn no_weight(error: Error, config: &Config, found: &Found, rows: usize) -> Error {
    let Error::Data { place: of, message } = error else { return error };
    let Some(weight) = found.of(Use::Weight).next().filter(|_| of == "rows") else { return Error::data(of, message) };
    let message = match weight.range {
        Some((_, 0.0)) => "every weight is 0; at least one row must count".to_owned(),
        _ => format!("all {rows} rows to train on have weight 0; give another share or train.seed"),
    };
    Error::data(place(&config.data.path, &weight.name), message)
}

fn opened(path: &Path, reading: &Reading, key: &str) -> Result<Box<dyn Table>> {
    open(path, reading).map_err(|error| from_key(error, key))
}

fn prepared(table: Box<dyn Table>, preparation: &Preparation) -> Result<Dataset> {
    Chunks::prepared(table, preparation, Reads::Everything)?.0.rest()
}

/// What the configuration wants of the table. A model to start from has columns of its own.
fn wanted(config: &Config, start: &Start) -> Wanted {
    let classes = class_losses().contains(&config.model.loss.as_str());
    let wanted = config.data.wanted(Some(classes));
    let Some(preparation) = start.preparation() else { return wanted };
    let columns = preparation.columns.iter();
    Wanted {
        features: Some(columns.clone().map(|column| column.name.clone()).collect()),
        ignore: Vec::new(),
        kinds: columns.map(|column| (column.name.clone(), column.kind)).collect(),
        missing: preparation.missing,
        missing_values: preparation.missing_values.clone(),
        ..wanted
    }
}

/// Per row of the table that can be used, whether it is held back for validation.
fn held(config: &Config, found: &Found, fold: Option<Fold>, remarks: &mut Vec<String>) -> Result<Vec<bool>> {
    let Validation::Share(share) = config.data.validation else { return Ok(vec![false; found.rows]) };
    let classes = match &found.target {
        FoundTarget::Classes { labels, classes, .. } => Some((&labels[..], &classes[..])),
        FoundTarget::Nothing | FoundTarget::Numbers { .. } => None,
    };
    let by = by(config, classes.map(|(labels, _)| labels), found.groups.as_deref())?;
    let held = super::held(by, found.rows, (share, fold), config.train.seed)?;
    if held.contains(&true) {
        remarks.extend(classes.map(|(labels, classes)| unsplit(classes, labels, &held)).unwrap_or_default());
    }
    Ok(held)
}

/// The preparation of the model that training starts from, with the weights of this table.
fn weighed(preparation: &Preparation, found: &Found, wanted: &Wanted) -> Result<Preparation> {
    let learned = preparation.target.as_ref().map(Learned::names).unwrap_or_default();
    if learned != wanted.target {
        let message = format!(
            "learned {}, but data.target is {}; leave one of them out",
            learned.join(", "),
            wanted.target.join(", ")
        );
        return Err(Error::config("model.init", message));
    }
    let weight = found.of(Use::Weight).next();
    let weight = weight.map(|column| Weighing { name: column.name.clone(), dialect: column.dialect });
    Ok(Preparation { weight, ..preparation.clone() })
}
