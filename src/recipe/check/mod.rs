//! The checks that a configuration's types cannot express: ranges, names, and keys that depend on each other.

mod data;
mod model;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(super) use self::data::data;
use super::config::{Config, Data, Model, Train, class_losses};
use super::keys::{listed, unusable};
use crate::train::metrics::Metric;
use crate::{Error, Result};

impl Config {
    /// Fails for a configuration that cannot be trained, with the key, its value, and the allowed values.
    pub fn check(&self) -> Result<()> {
        data(&self.data)?;
        model::model(&self.model)?;
        targets(&self.data, &self.model)?;
        kind(&self.train, &self.model.loss)?;
        train(&self.train)?;
        self.optimizer.check()
    }
}

fn targets(data: &Data, model: &Model) -> Result<()> {
    let columns = data.target.names().len();
    if columns > 1 && class_losses().contains(&model.loss.as_str()) {
        let loss = &model.loss;
        let message =
            format!("{columns} columns, but loss = {loss:?} takes one column of labels; name one, or use \"mse\"");
        return Err(Error::config("data.target", message));
    }
    Ok(())
}

/// What is for classes alone, or for numbers.
fn kind(train: &Train, loss: &str) -> Result<()> {
    let classes = class_losses().contains(&loss);
    let (own, other) = if classes { ("classes", "numbers") } else { ("numbers", "classes") };
    if !train.best.is_of(classes) {
        let fitting = Metric::ALL.into_iter().filter(|metric| metric.is_of(classes)).map(Metric::name);
        let fitting = listed(&fitting.collect::<Vec<_>>(), "or");
        let name = train.best.name();
        let message = format!("{name:?} is for {other}, but loss = {loss:?} is for {own}; write {fitting}");
        return Err(Error::config("train.best", message));
    }
    if train.class_weight.is_some() && !classes {
        let message =
            format!("loss = {loss:?} is for numbers, which have no classes; leave it out, or use data.weight");
        return Err(Error::config("train.class_weight", message));
    }
    Ok(())
}

fn train(train: &Train) -> Result<()> {
    if train.patience == Some(0) {
        return Err(unusable("train.patience", 0));
    }
    if train.epochs == 0 {
        return Err(unusable("train.epochs", 0));
    }
    match train.stop_after {
        Some(0) => return Err(unusable("train.stop_after", 0)),
        Some(after) if after > train.epochs => {
            let message =
                format!("{after} is more than the {} of train.epochs; leave one of the two out", train.epochs);
            return Err(Error::config("train.stop_after", message));
        }
        _ => {}
    }
    if i64::try_from(train.seed).is_err() {
        return Err(unusable("train.seed", train.seed));
    }
    train.memory_bytes()?;
    train.checkpoint.every()?;
    train.cut().map(drop)
}

fn not_empty(field: &str, path: &Path) -> Result<()> {
    if path.as_os_str().is_empty() { Err(unusable(field, "\"\"")) } else { Ok(()) }
}
