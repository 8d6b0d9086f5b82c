//! The weights that training starts from.

use std::path::{Path, PathBuf};

use super::channels::normalizes;
use crate::data::Tokenizer;
use crate::data::table::Preparation;
use crate::nn::{Arrays, Layer, Model, ModelFile, TargetNames, is_described, read_arrays};
use crate::run::RunFolder;
use crate::{Error, Result};

/// The weights that training starts from, and what they were trained on.
pub(super) enum Start {
    /// By seed.
    Seed,
    /// From a file of weights alone, such as PyTorch's.
    Weights(PathBuf),
    /// From a model that says what its features, classes and scales are; all of them stay.
    Model(PathBuf, Box<ModelFile>),
}

impl Start {
    /// Reads what `model.init` names: a file of weights, a model, or the folder of a run.
    pub fn of(init: Option<&Path>) -> Result<Start> {
        let Some(init) = init else { return Ok(Start::Seed) };
        let path = RunFolder::start_of(init);
        match ModelFile::read(&path) {
            Ok(saved) => Ok(Start::Model(path, Box::new(saved))),
            Err(Error::ModelFile { .. }) if !is_described(&path)? => Ok(Start::Weights(path)),
            Err(error) => Err(error),
        }
    }

    /// The model, where it is one of ours.
    pub fn model(&self) -> Option<&ModelFile> {
        match self {
            Start::Model(_, saved) => Some(saved),
            Start::Seed | Start::Weights(_) => None,
        }
    }

    /// The preparation of the model's data, where it has one.
    pub fn preparation(&self) -> Option<&Preparation> {
        self.model().and_then(|saved| saved.preparation.as_ref())
    }

    /// The tokens of the model, if it reads texts.
    pub fn tokenizer(&self) -> Option<&Tokenizer> {
        self.model().and_then(|saved| saved.tokenizer.as_ref())
    }

    /// The first layer of the model, if it has the scale of images in it.
    pub fn normalize(&self) -> Option<Layer> {
        self.model()?.model.layers.first().filter(|layer| normalizes(layer)).cloned()
    }

    /// The classes of the model.
    pub fn classes(&self) -> Option<&[String]> {
        match &self.model()?.target {
            TargetNames::Classes { classes, .. } => Some(classes),
            TargetNames::Values { .. } => None,
        }
    }

    /// The weights, for this model.
    pub fn arrays(&self, model: &Model) -> Result<Option<Arrays>> {
        match self {
            Start::Seed => Ok(None),
            Start::Weights(path) | Start::Model(path, _) => read_arrays(path, model).map(Some),
        }
    }
}
