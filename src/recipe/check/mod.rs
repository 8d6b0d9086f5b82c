//! The checks that a configuration's types cannot express: ranges, names, and keys that depend on each other.

mod data;
mod model;
#[cfg(test)]
mod tests;

use std::path::Path;

pub(super) use self::data::data;
use super::config::{Config, Data, Model, Train, class_losses};
use super::keys::{listed, unusable};
use crate::data::Layout;
use crate::data::split::Split;
use crate::train::metrics::{Metric, Predicted};
use crate::{Error, Result};

impl Config {
    /// What the model predicts.
    pub fn predicts(&self) -> Predicted {
        match class_losses().contains(&self.model.loss.as_str()) {
            _ if self.data.is_text() => Predicted::Tokens,
            true => Predicted::Classes,
            false => Predicted::Numbers,
        }
    }

    /// Fails for a configuration that cannot be trained, with the key, its value, and the allowed values.
    pub fn check(&self) -> Result<()> {
        text(self)?;
        data(&self.data)?;
        model::model(&self.model, self.data.is_text())?;
        targets(&self.data, &self.model)?;
        kind(&self.train, self.predicts(), &self.model.loss)?;
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

/// What a text allows.
fn text(config: &Config) -> Result<()> {
    let Config { data, model, train, .. } = config;
    if !data.is_text() {
        let alone = [("data.tokens", data.tokens.is_some()), ("data.sequences", data.sequences.is_some())];
        return match alone.into_iter().find(|(_, given)| *given) {
            Some((key, _)) => {
                Err(Error::config(key, "is for a text; say with data.context how many tokens the model sees"))
            }
            None => Ok(()),
        };
    }
    let not_for_texts = [
        ("data.features", data.features.is_some()),
        ("data.weight", data.weight.is_some()),
        ("data.size", data.size.is_some()),
        ("data.target", ![&[][..], &["token".to_owned()]].contains(&data.target.names())),
        ("data.group", data.group.is_some()),
        ("data.layout", data.layout != Layout::default()),
        ("data.encoding", data.encoding.is_some()),
        ("data.augment", !data.augment.is_empty()),
        ("data.split", data.split.is_some_and(|split| split != Split::Last)),
        ("train.class_weight", train.class_weight.is_some()),
        ("train.refit", train.refit),
    ];
    if let Some((key, _)) = not_for_texts.into_iter().find(|(_, given)| *given) {
        return Err(Error::config(key, "is not for a text (data.context says that data.path is one); leave it out"));
    }
    if model.loss != "cross_entropy" && !model.loss.is_empty() {
        let message = format!("the next token is one of several; write \"cross_entropy\" instead of {:?}", model.loss);
        return Err(Error::config("model.loss", message));
    }
    Ok(())
}

/// What is for classes alone, or for numbers.
fn kind(train: &Train, predicted: Predicted, loss: &str) -> Result<()> {
    if !train.best.is_of(predicted) {
        let fitting = Metric::ALL.into_iter().filter(|metric| metric.is_of(predicted)).map(Metric::name);
        let fitting = listed(&fitting.collect::<Vec<_>>(), "or");
        let (name, own) = (train.best.name(), predicted.words());
        let message = format!("{name:?} does not measure {own}, which loss = {loss:?} is for; write {fitting}");
        return Err(Error::config("train.best", message));
    }
    let classes = predicted == Predicted::Classes;
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
