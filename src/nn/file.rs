//! A model as one safetensors file: weights under PyTorch's names, and a description to use it by.

use std::io::Read;
use std::path::Path;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::container::{self, Container, MOST_HEADER, damaged};
use super::grammar::UNKNOWN;
use super::{Arrays, Model};
use crate::data::scale::Standardizer;
use crate::data::table::{Preparation, Reading};
use crate::data::{Tokenizer, pixels};
use crate::graph::{Op, TargetKind};
use crate::quote::{line, shown};
use crate::{Error, Result};

/// The one metadata key: one JSON text, so that equal models make equal files.
const KEY: &str = "accrue";

/// A model and the description to use it on new data.
#[derive(Clone, Debug, PartialEq)]
pub struct ModelFile {
    /// The network.
    pub model: Model,
    /// Its weights.
    pub arrays: Arrays,
    /// The names of its features, in order.
    pub features: Vec<String>,
    /// The standardisation of features that are columns of numbers; of the channels where the model sees images.
    pub feature_scale: Option<Standardizer>,
    /// From the columns of a table to the features; `None` where each feature is a column, or a number of an array, of its own.
    pub preparation: Option<Preparation>,
    /// How such a table's file is read.
    pub reading: Reading,
    /// The meaning of its outputs.
    pub target: TargetNames,
    /// The tokens of the texts that it reads, which are its outputs too; `None` for anything else.
    pub tokenizer: Option<Tokenizer>,
    /// The epoch after which these are its weights, counted from 1, if they are those of a run's best epoch.
    pub epoch: Option<u32>,
}

/// The meaning of a model's outputs.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetNames {
    /// One of these classes.
    Classes {
        /// The column.
        name: String,
        /// The classes in the order of the outputs; with the loss `bce` there is one output, for the second class.
        classes: Vec<String>,
    },
    /// Numbers.
    Values {
        /// One name per output.
        names: Vec<String>,
        /// The scale from outputs to the target's own unit.
        scale: Option<Standardizer>,
    },
}

/// The names of the features, in order.
#[derive(Serialize, Deserialize)]
#[serde(untagged)]
enum FeatureNames {
    /// Those of all numbers of an image, which is called so: `image.0.0.0` and so on.
    Image { image: String, dims: [usize; 3] },
    /// Any others.
    Listed(Vec<String>),
}

impl FeatureNames {
    /// Thousands of names say no more than the dimensions of the image that the model sees.
    fn of(saved: &ModelFile) -> FeatureNames {
        match pixels::image_of(&saved.features) {
            Some((image, dims)) if saved.model.shape == dims => FeatureNames::Image { image: image.to_owned(), dims },
            _ => FeatureNames::Listed(saved.features.clone()),
        }
    }

    /// The names; an error is the message about the file.
    fn list(self) -> Result<Vec<String>, String> {
        match self {
            FeatureNames::Listed(names) => Ok(names),
            FeatureNames::Image { image, dims } => {
                let numbers = dims.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
                if numbers > pixels::MOST {
                    return Err(format!("has images of {numbers} numbers; {} are the most", pixels::MOST));
                }
                Ok(pixels::names(&image, dims))
            }
        }
    }
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    version: u32,
    model: Model,
    features: FeatureNames,
    feature_scale: Option<Standardizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    preparation: Option<Preparation>,
    #[serde(default, skip_serializing_if = "Reading::is_default")]
    reading: Reading,
    target: TargetNames,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    tokenizer: Option<Tokenizer>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    epoch: Option<u32>,
}

/// The newest version of [`Metadata`], in which it is written if it has a preparation.
const VERSION: u32 = 2;

/// The version of [`Metadata`] without a preparation, which older programs read.
const PLAIN: u32 = 1;

impl ModelFile {
    /// A model without weights or scales, whose features and outputs are named by numbers.
    pub fn unnamed(model: &Model) -> ModelFile {
        let names = |count: usize| (0..count).map(|at| at.to_string()).collect();
        let target = match (model.reads(), model.outputs()) {
            (TargetKind::Class, outputs) => TargetNames::Classes { name: "class".to_owned(), classes: names(outputs) },
            (TargetKind::Values | TargetKind::Flags, outputs) => {
                TargetNames::Values { names: names(outputs), scale: None }
            }
        };
        let features = names(model.inputs);
        ModelFile {
            model: model.clone(),
            arrays: Arrays::new(),
            features,
            feature_scale: None,
            preparation: None,
            reading: Reading::default(),
            target,
            tokenizer: None,
            epoch: None,
        }
    }

    /// Writes the file completely or not at all; equal models give equal files.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be written, [`Error::ModelFile`] if [`ModelFile::check_size`] refuses it.
    pub fn write(&self, path: &Path) -> Result<()> {
        container::write(path, Some((KEY, &self.description(path)?)), &self.arrays)
    }

    /// Reads a model that [`ModelFile::write`] wrote, and checks that all of it fits together.
    ///
    /// It trusts nothing: it reads the numbers only if the description makes sense, and if the file's names, shapes and size
    /// are those of the described model. It compares the checksum if the file has one.
    ///
    /// # Errors
    /// [`Error::Io`] if it cannot be read, [`Error::ModelFile`] if it is damaged or no model of ours.
    pub fn read(path: &Path) -> Result<ModelFile> {
        ModelFile::read_with(path, Vec::new())
    }

    /// As [`ModelFile::read`], for a model with ops that are not of this crate: see [`Model::with_ops`].
    ///
    /// # Errors
    /// Those of [`ModelFile::read`].
    pub fn read_with(path: &Path, ops: Vec<Arc<dyn Op>>) -> Result<ModelFile> {
        ModelFile::from_container(Container::open(path, KEY)?, path, ops)
    }

    /// As [`ModelFile::read`], from the bytes of a file that errors call `place`.
    ///
    /// # Errors
    /// [`Error::ModelFile`] if they are damaged or no model of ours.
    pub fn from_bytes(bytes: &[u8], place: &Path) -> Result<ModelFile> {
        ModelFile::from_bytes_with(bytes, place, Vec::new())
    }

    /// As [`ModelFile::from_bytes`], for a model with ops that are not of this crate: see [`Model::with_ops`].
    ///
    /// # Errors
    /// Those of [`ModelFile::from_bytes`].
    pub fn from_bytes_with(bytes: &[u8], place: &Path, ops: Vec<Arc<dyn Op>>) -> Result<ModelFile> {
        ModelFile::from_container(Container::read(bytes, bytes.len() as u64, place, KEY)?, place, ops)
    }

    fn from_container(container: Container<impl Read>, path: &Path, ops: Vec<Arc<dyn Op>>) -> Result<ModelFile> {
        let wrong = |message: String| damaged(path, message);
        if container.is_checkpoint() {
            return Err(wrong("is a checkpoint; give the folder of its run, or a model of it".to_owned()));
        }
        let text = container.description().ok_or_else(|| {
            wrong(
                "holds weights but no description of a model; accrue did not write it (start from it by model.init)"
                    .into(),
            )
        })?;
        let metadata: Metadata =
            serde_json::from_str(text).map_err(|e| wrong(format!("its description is damaged ({e})")))?;
        if !(PLAIN..=VERSION).contains(&metadata.version) {
            return Err(wrong(format!("its version is {}, this program reads {PLAIN} to {VERSION}", metadata.version)));
        }
        let Metadata { model, features, feature_scale, preparation, reading, target, tokenizer, epoch, .. } = metadata;
        let model = model.with_ops(ops);
        let features = features.list().map_err(wrong)?;
        let arrays = Arrays::new();
        let mut saved =
            ModelFile { model, arrays, features, feature_scale, preparation, reading, target, tokenizer, epoch };
        saved.check().and_then(|()| fits(&saved.model, container.shapes())).map_err(wrong)?;
        saved.arrays = container.arrays()?;
        Ok(saved)
    }

    /// Whether the description fits into a file; this can be checked before training.
    ///
    /// # Errors
    /// [`Error::ModelFile`] if names and scales are more than [`ModelFile::read`] would take.
    pub fn check_size(&self, path: &Path) -> Result<()> {
        self.description(path).map(drop)
    }

    fn description(&self, path: &Path) -> Result<String> {
        let metadata = Metadata {
            version: if self.preparation.is_some() { VERSION } else { PLAIN },
            model: self.model.clone(),
            features: FeatureNames::of(self),
            feature_scale: self.feature_scale.clone(),
            preparation: self.preparation.clone(),
            reading: self.reading.clone(),
            target: self.target.clone(),
            tokenizer: self.tokenizer.clone(),
            epoch: self.epoch,
        };
        let text = serde_json::to_string(&metadata).map_err(|e| Error::Internal(format!("metadata: {e}")))?;
        // Its length in the header: JSON in a JSON text. Each array then takes less than 100 bytes; 1024 layers have 2048. Arrays in
        // layers of layers have longer names.
        let names: usize = self.model.parameters().keys().map(|name| 80 + name.len()).sum();
        let arrays = names.max(100 * 2048) as u64;
        let bytes = serde_json::Value::from(text.as_str()).to_string().len() as u64 + arrays;
        if bytes > MOST_HEADER {
            let message = format!(
                "the names and scales of {} features and the names of the target make {bytes} bytes, but {MOST_HEADER} are \
                 the most in a model file; give fewer columns or classes, or shorter names",
                self.features.len()
            );
            return Err(damaged(path, message));
        }
        Ok(text)
    }

    fn check(&self) -> Result<(), String> {
        self.model.network(false).map_err(|e| own_op(e.to_string()))?;
        let features = self.features.len();
        if features != self.model.inputs {
            return Err(format!("names {features} features, but the model takes {}", self.model.inputs));
        }
        // Of an image, each channel has its scale.
        let scaled = self.feature_scale.as_ref().map(Standardizer::columns);
        let channels = self.model.shape.last().copied().filter(|&channels| scaled == Some(channels));
        check_scale(self.feature_scale.as_ref(), channels.unwrap_or(features), "features")?;
        if let Some(preparation) = &self.preparation {
            preparation.check()?;
            if preparation.names() != self.features {
                return Err("its preparation makes other features than it names".to_owned());
            }
        }
        if let Some(tokenizer) = &self.tokenizer {
            tokenizer.check()?;
            let named = matches!(&self.target, TargetNames::Classes { classes, .. } if *classes == tokenizer.names());
            if !named {
                return Err("its outputs are not its tokens".to_owned());
            }
        }
        let outputs = match &self.target {
            TargetNames::Classes { classes, .. } if self.model.loss == "bce" && classes.len() == 2 => 1,
            TargetNames::Classes { classes, .. } => classes.len(),
            TargetNames::Values { names, scale } => {
                check_scale(scale.as_ref(), names.len(), "targets")?;
                names.len()
            }
        };
        if outputs != self.model.outputs() {
            return Err(format!("names {outputs} outputs, but the model gives {}", self.model.outputs()));
        }
        match (&self.target, self.model.reads()) {
            (TargetNames::Classes { .. }, TargetKind::Values) | (TargetNames::Values { .. }, TargetKind::Class) => {
                Err(format!("its loss {} does not fit its target", self.model.loss))
            }
            _ => Ok(()),
        }
    }
}

/// A refusal of a model; a name that is not known may be that of an op of somebody's own.
fn own_op(refusal: String) -> String {
    match refusal.contains(UNKNOWN) {
        true => format!("{refusal}; an op of your own is given to ModelFile::read_with"),
        false => refusal,
    }
}

/// Checks that each column has a finite mean and a deviation above 0.
fn check_scale(scale: Option<&Standardizer>, columns: usize, what: &str) -> Result<(), String> {
    let Some(Standardizer { mean, std }) = scale else { return Ok(()) };
    if (mean.len(), std.len()) != (columns, columns) {
        return Err(format!("scales {} and {} {what} of {columns}", mean.len(), std.len()));
    }
    let bad = mean.iter().zip(std).position(|(mean, std)| !(mean.is_finite() && std.is_finite() && *std > 0.0));
    bad.map_or(Ok(()), |at| Err(format!("the scale of number {at} of its {what} cannot be used; take a copy of it")))
}

/// Checks that weights are exactly those of the model's layers.
fn fits<'a>(model: &Model, shapes: impl Iterator<Item = (&'a str, &'a [usize])>) -> Result<(), String> {
    let mut wanted = model.parameters();
    for (name, found) in shapes {
        match wanted.remove(name) {
            None => return Err(format!("holds {}, which the model does not have", shown(name))),
            Some(shape) if shape != found => {
                return Err(format!("{name} is {}, but the model takes {shape:?}", line(&format!("{found:?}"))));
            }
            Some(_) => {}
        }
    }
    wanted.first_key_value().map_or(Ok(()), |(name, shape)| Err(format!("lacks {name} {shape:?}")))
}

/// Writes weights alone.
///
/// # Errors
/// [`Error::Io`] if the file cannot be written.
pub fn write_arrays(path: &Path, arrays: &Arrays) -> Result<()> {
    container::write(path, None, arrays)
}

/// Reads only the weights that a model takes; a description in the file is ignored.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is damaged, [`Error::Config`] if its weights are those
/// of another model: then none of them is read.
pub fn read_arrays(path: &Path, model: &Model) -> Result<Arrays> {
    arrays_of(Container::open(path, KEY)?, path, model)
}

/// Whether a file of weights says itself what model they are of, in this version of ours or another.
///
/// # Errors
/// [`Error::Io`] if the file cannot be read, [`Error::ModelFile`] if it is no safetensors file.
pub fn is_described(path: &Path) -> Result<bool> {
    let container = Container::open(path, KEY)?;
    Ok(container.description().is_some() && !container.is_checkpoint())
}

/// As [`read_arrays`], from the bytes of a file that errors call `place`.
///
/// # Errors
/// Those of [`read_arrays`], but for [`Error::Io`].
pub fn arrays_from_bytes(bytes: &[u8], place: &Path, model: &Model) -> Result<Arrays> {
    arrays_of(Container::read(bytes, bytes.len() as u64, place, KEY)?, place, model)
}

fn arrays_of(container: Container<impl Read>, path: &Path, model: &Model) -> Result<Arrays> {
    model.check()?;
    if container.is_checkpoint() {
        let message =
            format!("{} is a checkpoint; name a model of its run, such as its best.safetensors", path.display());
        return Err(Error::config("model.init", message));
    }
    fits(model, container.shapes()).map_err(|message| {
        let message = format!("{} {message}; take a file of this model, or leave model.init out", path.display());
        Error::config("model.init", message)
    })?;
    container.arrays()
}

#[cfg(test)]
mod tests;
