//! From a configuration to a model and its data.

mod arrays;
mod channels;
mod start;
mod table;
mod text;

use std::path::Path;

use serde_json::json;

use self::start::Start;
use super::config::Config;
use super::folds::Fold;
use crate::data::scale::Standardizer;
use crate::data::source::source_of;
use crate::data::split::{By, Split, folds, held_by};
use crate::data::table::{Preparation, Reading};
use crate::data::{Dataset, Features, Targets, Tokenizer};
use crate::nn::{Arrays, Layer, Model, ModelFile, TargetNames};
use crate::ops::MOST_TABLES;
use crate::quote::shown;
use crate::{Error, Result};

/// Everything that training needs.
pub struct Prepared {
    /// The training rows, scaled as the configuration says.
    pub train: Dataset,
    /// The validation rows, scaled in the same way.
    pub validation: Option<Dataset>,
    /// The weights to start from, if the configuration names a file; otherwise they come by seed.
    pub start: Option<Arrays>,
    /// The model and its description; its weights come from training.
    pub saved: ModelFile,
    /// What should be told of the data, a line each: columns and rows that are left out, and what looks like a mistake.
    pub remarks: Vec<String>,
    /// Per row of the file that can be used, whether it is held back for validation; `None` where no row is, or where rows without
    /// a number are left out.
    held: Option<Vec<bool>>,
}

/// What reading the data gives.
struct Parts {
    train: Dataset,
    validation: Option<Dataset>,
    feature_scale: Option<Standardizer>,
    /// The scale of images.
    first: Option<Layer>,
    preparation: Option<Preparation>,
    reading: Reading,
    /// For numbers.
    target_scale: Option<Standardizer>,
    remarks: Vec<String>,
    held: Option<Vec<bool>>,
}

impl Prepared {
    /// Reads the data, splits and scales it, and derives the model.
    pub fn new(config: &Config) -> Result<Prepared> {
        Prepared::of(config, None)
    }

    /// As [`Prepared::new`], but if a fold is given its rows are the validation rows.
    pub fn of(config: &Config, fold: Option<Fold>) -> Result<Prepared> {
        fold.iter().try_for_each(|fold| fold.check(config))?;
        let start = Start::of(config.model.init.as_deref())?;
        if config.data.is_text() {
            let (parts, tokenizer) = text::read(config, &start)?;
            let model = text::model(config, tokenizer.count())?;
            return Prepared::finish(config, &start, parts, (model, Some(tokenizer)));
        }
        let source = source_of(&config.data.path)?;
        if config.data.size.is_some() && !source.resizes() {
            let path = config.data.path.display();
            let message = format!("is for a folder of images, but {path} is {}; leave it out", source.name());
            return Err(Error::config("data.size", message));
        }
        let mut parts =
            if source.is_table() { table::read(config, &start, fold)? } else { arrays::read(config, &start, fold)? };
        check_weights(config, &parts.train, "to train on")?;
        parts.validation.iter().try_for_each(|data| check_weights(config, data, "to validate with"))?;
        config.train.class_weight.iter().try_for_each(|weight| weight.apply(&mut parts.train))?;
        let model = model(config, &parts.train, parts.preparation.as_ref(), parts.first.take())?;
        check_augment(config, &model)?;
        Prepared::finish(config, &start, parts, (model, None))
    }

    /// The model's description, and the weights to start from.
    fn finish(
        config: &Config,
        start: &Start,
        parts: Parts,
        (model, tokenizer): (Model, Option<Tokenizer>),
    ) -> Result<Prepared> {
        let Parts { train, validation, feature_scale, preparation, reading, target_scale, remarks, held, .. } = parts;
        let target = match &train.targets {
            Targets::Classes { name, classes, .. } => {
                TargetNames::Classes { name: name.clone(), classes: classes.clone() }
            }
            Targets::Values { names, .. } => TargetNames::Values { names: names.clone(), scale: target_scale },
            Targets::Next { tokens, .. } => TargetNames::Classes { name: "token".to_owned(), classes: tokens.clone() },
        };
        let features = train.features.names.clone();
        let arrays = Arrays::new();
        let epoch = None;
        let saved =
            ModelFile { model, arrays, features, feature_scale, preparation, reading, target, tokenizer, epoch };
        saved.check_size(&config.data.path)?;
        let start = start.arrays(&saved.model)?;
        Ok(Prepared { train, validation, start, saved, remarks, held })
    }

    /// For numbers: the size of each output's unit in the target's own unit.
    pub fn unit(&self) -> Option<&[f64]> {
        unit(&self.saved)
    }

    /// The scale of images in the model, as text: nothing of it is in the data, unlike other scales.
    pub fn scale_of_images(&self) -> Option<String> {
        let first = self.saved.model.layers.first().filter(|layer| channels::normalizes(layer))?;
        serde_json::to_string(first).ok()
    }

    /// The row of `data.path`, counted from 0, of a row of the training data; `None` where nobody knows.
    pub fn row_of_file(&self, sample: usize) -> Option<usize> {
        match &self.held {
            Some(held) => (0..held.len()).filter(|&row| !held[row]).nth(sample),
            None => None,
        }
    }
}

/// For standardised numbers: the size of each output's unit in the target's own unit.
pub fn unit(saved: &ModelFile) -> Option<&[f64]> {
    match &saved.target {
        TargetNames::Values { scale: Some(scale), .. } => Some(&scale.std),
        _ => None,
    }
}

/// The error for an unreadable file, with the key that names the file.
fn from_key(error: Error, key: &str) -> Error {
    match error {
        Error::Io { path, source } => {
            let source = std::io::Error::new(source.kind(), format!("{source}; it is named in {key}"));
            Error::Io { path, source }
        }
        other => other,
    }
}

/// How the rows for validation are chosen.
fn by<'a>(config: &Config, labels: Option<&'a [u32]>, groups: Option<&'a [u32]>) -> Result<By<'a>> {
    match (config.data.split, labels, groups) {
        (None | Some(Split::Group), _, Some(groups)) => Ok(By::Groups(groups)),
        (None | Some(Split::Stratified), Some(labels), _) => Ok(By::Classes(labels)),
        (Some(Split::Stratified), None, _) => {
            let message = "\"stratified\" is for classes, but the target is a number; take \"random\"";
            Err(Error::config("data.split", message))
        }
        (Some(Split::Last), ..) => Ok(By::Last),
        _ => Ok(By::Seed),
    }
}

/// Per row, whether it is held back for validation: those of a fold, or a share.
fn held(by: By, rows: usize, (share, fold): (f64, Option<Fold>), seed: u64) -> Result<Vec<bool>> {
    match fold {
        Some(Fold { at, of }) => Ok(folds(by, rows, of, seed)?.into_iter().map(|fold| fold == at).collect()),
        None => held_by(by, rows, share, seed),
    }
}

/// Classes of which no row trains, and those of which none is held back, as remarks.
fn unsplit(classes: &[String], labels: &[u32], held: &[bool]) -> Vec<String> {
    let mut seen = vec![[false; 2]; classes.len()];
    labels.iter().zip(held).for_each(|(&label, &held)| seen[label as usize][usize::from(held)] = true);
    let without = |side: usize| -> Vec<&str> {
        let names = classes.iter().zip(&seen);
        names.filter(|(_, seen)| !seen[side] && seen[1 - side]).map(|(name, _)| name.as_str()).collect()
    };
    let line = |names: Vec<&str>, what: &str| match names.len() {
        0 => None,
        count => {
            let some: Vec<String> = names.iter().take(3).map(|name| shown(name)).collect();
            let rest = if count > 3 { format!(" and {} more", count - 3) } else { String::new() };
            Some(format!("{} of the target: no row to {what}", some.join(", ") + &rest))
        }
    };
    line(without(0), "train on").into_iter().chain(line(without(1), "validate with")).collect()
}

/// Some row of the file has weight, but after the split one part may have none.
fn check_weights(config: &Config, data: &Dataset, what: &str) -> Result<()> {
    let Some(weights) = data.weights.as_ref().filter(|weights| weights.iter().all(|&weight| weight == 0.0)) else {
        return Ok(());
    };
    let column = config.data.weight.as_deref().unwrap_or_default();
    let message = format!("all {} rows {what} have weight 0; give another share or train.seed", weights.len());
    Err(Error::data(place(&config.data.path, column), message))
}

/// What is done to images at random needs a model that sees images, and leaves something of them.
fn check_augment(config: &Config, model: &Model) -> Result<()> {
    let crop = config.data.augments().crop as usize;
    match model.shape[..] {
        _ if config.data.augment.is_empty() => Ok(()),
        [height, width, _] if crop < height.min(width) => Ok(()),
        [height, width, _] => {
            let message = format!("crop = {crop} may leave nothing of images of {height} × {width} pixels; give less");
            Err(Error::config("data.augment", message))
        }
        _ => {
            let message = "is for images, but the model sees columns of numbers; begin with a layer such as conv2d, or leave it out";
            Err(Error::config("data.augment", message))
        }
    }
}

fn place(path: &Path, column: &str) -> String {
    format!("{}, column {column:?}", path.display())
}

/// The model of a configuration for this data; the layer `first` leads, unless the configuration has one of its kind there.
fn model(config: &Config, train: &Dataset, preparation: Option<&Preparation>, first: Option<Layer>) -> Result<Model> {
    let outputs = match &train.targets {
        Targets::Classes { classes, name, .. } if config.model.loss == "bce" => match classes.len() {
            2 => 1,
            n => {
                let message = format!("\"bce\" is for two classes, but {name} has {n}; use \"cross_entropy\"");
                return Err(Error::config("model.loss", message));
            }
        },
        targets => targets.outputs(),
    };
    let tables = preparation.map_or(0, |preparation| preparation.embedded().len());
    if tables > MOST_TABLES {
        let message = format!(
            "{tables} categories have more levels than that and take learned tables, {MOST_TABLES} at most; raise it, or name \
             some of the columns in data.ignore"
        );
        return Err(Error::config("data.one_hot", message));
    }
    let hidden = config.model.layers.iter().cloned();
    let first = first.filter(|_| !config.model.layers.first().is_some_and(channels::normalizes));
    let layers = preparation
        .and_then(embedding)
        .into_iter()
        .chain(first)
        .chain(hidden)
        .chain([config.model.output.layer(outputs)]);
    let layers: Vec<Layer> = layers.collect();
    seeing(&train.features, &layers, &config.model.loss)
}

/// The model of these layers, which sees images as such if a layer needs them, and otherwise all their numbers as columns:
/// `[64, "relu"]` is a network of pixels, as of any other columns, and a convolution, which columns do not fit, makes one of
/// images. A series is always seen as such.
fn seeing(features: &Features, layers: &[Layer], loss: &str) -> Result<Model> {
    let columns = Model::new(features.names.len(), layers, loss)?;
    if features.shape.len() != 2 && (features.shape.is_empty() || columns.network(false).is_ok()) {
        return Ok(columns);
    }
    let model = Model::of_shape(&features.shape, layers, loss)?;
    if model.network(false).is_ok() && model.positions() > 1 {
        let message = format!(
            "the last layer makes {}, but a row of the data has one target; end with \"flatten\", or with \"global_avg_pool\", the mean of all",
            model.output()
        );
        return Err(Error::config("model.layers", message));
    }
    Ok(model)
}

/// The first layer where some features are indices: it takes each from a table of its own.
fn embedding(preparation: &Preparation) -> Option<Layer> {
    let tables: Vec<[u32; 2]> = preparation.embedded().iter().map(|table| [table.rows, table.width]).collect();
    (!tables.is_empty()).then(|| Layer::With([("embedding".to_owned(), json!(tables))].into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::{Values, pixels};

    #[test]
    fn an_image_is_seen_as_such_where_its_numbers_do_not_fit_as_columns() {
        let dims = [2, 2, 1];
        let names = pixels::names("image", dims);
        let features = Features { names, shape: dims.to_vec(), values: Values::U8(vec![0; 4]) };
        let columns = seeing(&features, &[Layer::Linear(8), "relu".into(), Layer::Linear(2)], "cross_entropy").unwrap();
        assert!(columns.inputs == 4 && columns.shape.is_empty());
        // Five tables want five columns at least.
        let tables = Layer::With([("embedding".to_owned(), json!([[2, 1], [2, 1], [2, 1], [2, 1], [2, 1]]))].into());
        let image = seeing(&features, &[tables.clone(), Layer::Linear(2)], "cross_entropy").unwrap();
        assert_eq!((image.inputs, image.shape), (4, dims.to_vec()));
        let plain = Features { shape: vec![], ..features };
        assert!(seeing(&plain, &[tables, Layer::Linear(2)], "cross_entropy").unwrap().shape.is_empty());
    }
}
