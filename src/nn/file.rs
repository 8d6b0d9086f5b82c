//! A model as one safetensors file: weights under PyTorch's names, and beside them what is needed to use it.

use std::collections::{BTreeMap, HashMap};
use std::path::Path;

use safetensors::{Dtype, SafeTensors, View};
use serde::{Deserialize, Serialize};

use super::{Arrays, Layer, Model};
use crate::data::scale::Standardizer;
use crate::plan::Array;
use crate::{Error, Result};

/// The one metadata key: one JSON text, so that equal models make equal files.
const KEY: &str = "accrue";

/// A model and what is needed to use it on new data.
#[derive(Clone, Debug, PartialEq)]
pub struct Saved {
    /// The network.
    pub model: Model,
    /// Its weights.
    pub arrays: Arrays,
    /// The names of its features, in order.
    pub features: Vec<String>,
    /// How features are standardised before they go in.
    pub feature_scale: Option<Standardizer>,
    /// What comes out.
    pub target: TargetNames,
}

/// What a model's outputs are.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetNames {
    /// One of these classes.
    Classes {
        /// The column.
        name: String,
        /// In the order of the outputs; with the loss `bce` there is one output, for the second.
        classes: Vec<String>,
    },
    /// Numbers.
    Values {
        /// One name for each output.
        names: Vec<String>,
        /// How outputs are brought back to the target's own unit.
        scale: Option<Standardizer>,
    },
}

#[derive(Serialize, Deserialize)]
struct Metadata {
    version: u32,
    model: Model,
    features: Vec<String>,
    feature_scale: Option<Standardizer>,
    target: TargetNames,
}

/// The version of [`Metadata`] that this code writes and reads.
const VERSION: u32 = 1;

impl Saved {
    /// Writes the file in one go; a reader never sees half of it.
    pub fn write(&self, path: &Path) -> Result<()> {
        let metadata = Metadata {
            version: VERSION,
            model: self.model.clone(),
            features: self.features.clone(),
            feature_scale: self.feature_scale.clone(),
            target: self.target.clone(),
        };
        let text = serde_json::to_string(&metadata).map_err(|e| Error::Internal(format!("metadata: {e}")))?;
        write(path, &self.arrays, Some(HashMap::from([(KEY.to_owned(), text)])))
    }

    /// Reads a model that [`Saved::write`] wrote, and checks that all of it fits together.
    ///
    /// # Errors
    /// [`Error::Io`] when it cannot be read, [`Error::ModelFile`] when it is damaged or no model of ours.
    pub fn read(path: &Path) -> Result<Saved> {
        let wrong = |message: String| Error::ModelFile { path: path.to_owned(), message };
        let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
        let (_, header) = SafeTensors::read_metadata(&bytes).map_err(|e| wrong(format!("damaged ({e})")))?;
        let text = header.metadata().as_ref().and_then(|metadata| metadata.get(KEY));
        let text =
            text.ok_or_else(|| wrong("holds weights but no description of a model; accrue did not write it".into()))?;
        let metadata: Metadata =
            serde_json::from_str(text).map_err(|e| wrong(format!("its description is damaged ({e})")))?;
        if metadata.version != VERSION {
            return Err(wrong(format!("its version is {}, this program reads {VERSION}", metadata.version)));
        }
        let Metadata { model, features, feature_scale, target, .. } = metadata;
        let saved = Saved { model, arrays: arrays(path, &bytes)?, features, feature_scale, target };
        saved.check().map_err(wrong)?;
        Ok(saved)
    }

    fn check(&self) -> Result<(), String> {
        self.model.check().map_err(|e| e.to_string())?;
        let features = self.features.len();
        if features != self.model.inputs {
            return Err(format!("names {features} features, but the model takes {}", self.model.inputs));
        }
        if let Some(scale) = &self.feature_scale
            && scale.columns() != features
        {
            return Err(format!("scales {} features of {features}", scale.columns()));
        }
        let outputs = match &self.target {
            TargetNames::Classes { classes, .. } if self.model.loss == "bce" && classes.len() == 2 => 1,
            TargetNames::Classes { classes, .. } => classes.len(),
            TargetNames::Values { names, .. } => names.len(),
        };
        if outputs != self.model.outputs() {
            return Err(format!("names {outputs} outputs, but the model gives {}", self.model.outputs()));
        }
        self.check_arrays()
    }

    /// Whether the weights are those of the model's layers, no more and no less.
    fn check_arrays(&self) -> Result<(), String> {
        let mut wanted = BTreeMap::new();
        let mut inputs = self.model.inputs;
        for (at, layer) in self.model.layers.iter().enumerate() {
            let Layer::Linear(outputs) = *layer else { continue };
            wanted.insert(format!("{at}.weight"), vec![outputs, inputs]);
            wanted.insert(format!("{at}.bias"), vec![outputs]);
            inputs = outputs;
        }
        if let Some(name) = self.arrays.keys().find(|name| !wanted.contains_key(*name)) {
            return Err(format!("holds {name}, which the model does not have"));
        }
        for (name, shape) in wanted {
            match self.arrays.get(&name) {
                None => return Err(format!("lacks {name} {shape:?}")),
                Some(array) if array.shape != shape => {
                    return Err(format!("{name} is {:?}, but the model takes {shape:?}", array.shape));
                }
                Some(_) => {}
            }
        }
        Ok(())
    }
}

/// Writes weights alone.
pub fn write_arrays(path: &Path, arrays: &Arrays) -> Result<()> {
    write(path, arrays, None)
}

/// Reads weights alone; a description that stands beside them is left aside.
pub fn read_arrays(path: &Path) -> Result<Arrays> {
    let bytes = std::fs::read(path).map_err(|e| Error::io(path, e))?;
    arrays(path, &bytes)
}

fn arrays(path: &Path, bytes: &[u8]) -> Result<Arrays> {
    let wrong = |message: String| Error::ModelFile { path: path.to_owned(), message };
    let tensors =
        SafeTensors::deserialize(bytes).map_err(|e| wrong(format!("damaged or no safetensors file ({e})")))?;
    let mut arrays = Arrays::new();
    for (name, view) in tensors.tensors() {
        if view.dtype() != Dtype::F32 {
            return Err(wrong(format!("{name} is of type {:?}; F32 is wanted", view.dtype())));
        }
        let values: Vec<f32> = bytemuck::pod_collect_to_vec(view.data());
        if let Some(at) = values.iter().position(|value| !value.is_finite()) {
            return Err(wrong(format!("{name} has {} at element {at}; weights must be finite", values[at])));
        }
        arrays.insert(name, Array { shape: view.shape().to_vec(), values });
    }
    Ok(arrays)
}

struct Bytes<'a>(&'a Array);

impl View for Bytes<'_> {
    fn dtype(&self) -> Dtype {
        Dtype::F32
    }

    fn shape(&self) -> &[usize] {
        &self.0.shape
    }

    fn data(&self) -> std::borrow::Cow<'_, [u8]> {
        bytemuck::cast_slice(&self.0.values).into()
    }

    fn data_len(&self) -> usize {
        4 * self.0.values.len()
    }
}

fn write(path: &Path, arrays: &Arrays, metadata: Option<HashMap<String, String>>) -> Result<()> {
    let views = arrays.iter().map(|(name, array)| (name, Bytes(array)));
    let bytes = safetensors::serialize(views, metadata).map_err(|e| Error::Internal(format!("weights: {e}")))?;
    // Beside the file and then renamed over it.
    let aside = path.with_extension("safetensors.new");
    std::fs::write(&aside, bytes).map_err(|e| Error::io(&aside, e))?;
    std::fs::rename(&aside, path).map_err(|e| Error::io(path, e))
}
