//! From a configuration to a model and its data.

use super::config::{self, Config, Validation};
use crate::data::scale::Standardizer;
use crate::data::split::held;
use crate::data::{Dataset, FeatureNames, Spec, Targets, read_file};
use crate::nn::{Arrays, Layer, Model, ModelFile, TargetNames, read_arrays};
use crate::{Error, Result};

/// Everything that training needs.
pub struct Prepared {
    /// The training rows, standardised if the configuration says so.
    pub train: Dataset,
    /// The validation rows, scaled in the same way.
    pub validation: Option<Dataset>,
    /// The weights to start from, if the configuration names a file; otherwise they come by seed.
    pub start: Option<Arrays>,
    /// The model and its description; its weights come from training.
    pub saved: ModelFile,
}

impl Prepared {
    /// Reads the data, splits and scales it, and derives the model.
    pub fn new(config: &Config) -> Result<Prepared> {
        let spec = spec(config);
        let mut train = read_file(&config.data.path, &spec).map_err(|error| from_key(error, "data.path"))?;
        let mut validation = match &config.data.validation {
            Validation::File(path) => {
                Some(read_file(path, &spec.like(&train)).map_err(|error| from_key(error, "data.validation"))?)
            }
            Validation::Share(share) => {
                let held = held(train.rows(), *share, config.train.seed)?;
                if held.contains(&true) { Some(train.split_off(&held)?) } else { None }
            }
        };
        check_weights(config, &train, "to train on")?;
        validation.iter().try_for_each(|data| check_weights(config, data, "to validate with"))?;
        let (mut feature_scale, mut target_scale) = (None, None);
        if config.data.standardize != config::Standardize::Switch(false) {
            let features = train.features.names.len();
            let scale = Standardizer::fit_weighted(train.features.values.floats(), features, train.weights.as_deref())?;
            for data in [Some(&mut train), validation.as_mut()].into_iter().flatten() {
                scale.apply(data.features.values.floats(), features)?;
            }
            feature_scale = Some(scale);
            target_scale = scale_targets(&mut train, validation.as_mut())?;
        }
        let model = model(config, &train)?;
        let start = config.model.init.as_deref().map(|path| read_arrays(path, &model)).transpose()?;
        let features = train.features.names.clone();
        let target = match &train.targets {
            Targets::Classes { name, classes, .. } => {
                TargetNames::Classes { name: name.clone(), classes: classes.clone() }
            }
            Targets::Values { names, .. } => TargetNames::Values { names: names.clone(), scale: target_scale },
        };
        let saved = ModelFile { model, arrays: Arrays::new(), features, feature_scale, preparation: None, target };
        saved.check_size(&config.data.path)?;
        Ok(Prepared { train, validation, start, saved })
    }

    /// For numbers: the size of each output's unit in the target's own unit.
    pub fn unit(&self) -> Option<&[f64]> {
        unit(&self.saved)
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

fn spec(config: &Config) -> Spec {
    let names = config.data.target.names();
    let spec = match names {
        [name] if config::class_losses().contains(&config.model.loss.as_str()) => Spec::classes(name),
        names => Spec::values(names),
    };
    let features = match &config.data.features {
        Some(names) => FeatureNames::Given(names.names().to_vec()),
        None => FeatureNames::Rest,
    };
    Spec { weight: config.data.weight.clone(), features, layout: config.data.layout, ..spec }
}

/// Some row of the file has weight, but after the split one part may have none.
fn check_weights(config: &Config, data: &Dataset, what: &str) -> Result<()> {
    let Some(weights) = data.weights.as_ref().filter(|weights| weights.iter().all(|&weight| weight == 0.0)) else {
        return Ok(());
    };
    let column = config.data.weight.as_deref().unwrap_or_default();
    let message = format!("all {} rows {what} have weight 0; give another share or train.seed", weights.len());
    Err(Error::data(format!("{}, column {column:?}", config.data.path.display()), message))
}

fn scale_targets(train: &mut Dataset, validation: Option<&mut Dataset>) -> Result<Option<Standardizer>> {
    let Targets::Values { names, values } = &mut train.targets else { return Ok(None) };
    let scale = Standardizer::fit_weighted(values, names.len(), train.weights.as_deref())?;
    scale.apply(values, names.len())?;
    if let Some(Dataset { targets: Targets::Values { names, values }, .. }) = validation {
        scale.apply(values, names.len())?;
    }
    Ok(Some(scale))
}

fn model(config: &Config, train: &Dataset) -> Result<Model> {
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
    let layers: Vec<Layer> = config.model.layers.iter().cloned().chain([Layer::Linear(outputs)]).collect();
    Model::new(train.features.names.len(), &layers, &config.model.loss)
}
