//! Data whose features are numbers already: arrays, and the columns of a model without a preparation.

use std::path::Path;

use super::start::Start;
use super::{Parts, by, channels, from_key, held, model, unsplit};
use crate::data::scale::Standardizer;
use crate::data::table::Reading;
use crate::data::{Chunks, Dataset, FeatureNames, Layout, Spec, TargetKind, Targets};
use crate::nn::{Layer, TargetNames};
use crate::recipe::config::{Config, Standardize, Validation, class_losses};
use crate::recipe::folds::Fold;
use crate::{Error, Result};

/// Reads the features as they are, splits and scales them.
pub(super) fn read(config: &Config, start: &Start, fold: Option<Fold>) -> Result<Parts> {
    if start.preparation().is_some() {
        let message = "was trained on the columns of a table, but data.path has arrays; give a table, or leave it out";
        return Err(Error::config("model.init", message));
    }
    let path = &config.data.path;
    let spec = spec(config, start);
    let mut remarks = Vec::new();
    let mut file = |path: &Path, spec: &Spec, key| {
        let chunks = Chunks::open(path, spec).map_err(|error| from_key(error, key))?;
        remarks.extend(chunks.remarks());
        chunks.rest()
    };
    let mut train = file(path, &spec, "data.path")?;
    let mut kept = vec![false; train.rows()];
    let mut validation = match &config.data.validation {
        Validation::File(path) => Some(file(path, &Spec { size: None, ..spec.like(&train) }, "data.validation")?),
        Validation::Share(share) => {
            let labels = match &train.targets {
                Targets::Classes { labels, classes, .. } => Some((labels, classes)),
                Targets::Values { .. } | Targets::Next { .. } => None,
            };
            let by = by(config, labels.map(|(labels, _)| &labels[..]), None)?;
            kept = held(by, train.rows(), (*share, fold), config.train.seed)?;
            remarks.extend(labels.map(|(labels, classes)| unsplit(classes, labels, &kept)).unwrap_or_default());
            if kept.contains(&true) { Some(train.split_off(&kept)?) } else { None }
        }
    };
    check_series(config, &train)?;
    let Scales { features: feature_scale, first, targets: target_scale } =
        scale(config, start, &mut train, validation.as_mut())?;
    let (preparation, reading, held) = (None, Reading::default(), Some(kept));
    Ok(Parts { train, validation, feature_scale, first, preparation, reading, target_scale, remarks, held })
}

/// A series has time and channels.
fn check_series(config: &Config, train: &Dataset) -> Result<()> {
    if config.data.layout != Layout::Series || train.features.shape.len() == 2 {
        return Ok(());
    }
    let message = "\"series\" is for one array of features, (rows, time) or (rows, time, channels); name it in data.features, or leave this out";
    Err(Error::config("data.layout", message))
}

fn spec(config: &Config, start: &Start) -> Spec {
    let names = config.data.target.names();
    let spec = match names {
        [name] if class_losses().contains(&config.model.loss.as_str()) => match start.classes() {
            Some(classes) => Spec { kind: TargetKind::KnownClasses(classes.to_vec()), ..Spec::classes(name) },
            None => Spec::classes(name),
        },
        names => Spec::values(names),
    };
    let features = match (start.model(), &config.data.features) {
        (Some(saved), _) => FeatureNames::Model(saved.features.clone()),
        (None, Some(names)) => FeatureNames::Given(names.names().to_vec()),
        (None, None) => FeatureNames::Rest,
    };
    Spec { weight: config.data.weight.clone(), features, layout: config.data.layout, size: config.data.size, ..spec }
}

/// How numbers are scaled.
#[derive(Default)]
struct Scales {
    /// Features, before they go to the GPU.
    features: Option<Standardizer>,
    /// Images, whose numbers stay what they are: the model's first layer.
    first: Option<Layer>,
    /// The targets of a regression.
    targets: Option<Standardizer>,
}

/// Scales features, and the targets of a regression; by the scales of the model that training starts from, if it has any.
fn scale(config: &Config, start: &Start, train: &mut Dataset, validation: Option<&mut Dataset>) -> Result<Scales> {
    let mut parts: Vec<&mut Dataset> = [train].into_iter().chain(validation).collect();
    let scales = match (start.model(), config.data.standardize) {
        (Some(saved), _) => {
            let targets = match &saved.target {
                TargetNames::Values { scale, .. } => scale.clone(),
                TargetNames::Classes { .. } => None,
            };
            Scales { features: saved.feature_scale.clone(), first: start.normalize(), targets }
        }
        (None, Standardize::Switch(false)) => Scales::default(),
        (None, Standardize::By(_)) => {
            let message = "\"robust\" is for the columns of a table; write true or false";
            return Err(Error::config("data.standardize", message));
        }
        (None, Standardize::Switch(true)) => fit(config, parts[0])?,
    };
    for data in &mut parts {
        if let Some(scale) = &scales.features {
            let columns = data.features.names.len();
            scale.apply(data.features.values.floats(), columns)?;
        }
        if let (Some(scale), Targets::Values { names, values }) = (&scales.targets, &mut data.targets) {
            scale.apply(values, names.len())?;
        }
    }
    Ok(scales)
}

/// One scale for each column; for each channel of images that the model sees as such, since a pixel that hardly varies says no more
/// than the others.
fn fit(config: &Config, train: &mut Dataset) -> Result<Scales> {
    let targets = match &train.targets {
        Targets::Values { names, values } => {
            Some(Standardizer::fit_weighted(values, names.len(), train.weights.as_deref())?)
        }
        Targets::Classes { .. } | Targets::Next { .. } => None,
    };
    let model = model(config, train, None, None)?;
    // What is refused here is refused with the places of the layers in the configuration, where the scale is not.
    model.network(false)?;
    let columns = train.features.names.len();
    let Some(&channels) = model.shape.last() else {
        let values = train.features.values.floats();
        let features = Standardizer::fit_weighted(values, columns, train.weights.as_deref())?;
        return Ok(Scales { features: Some(features), first: None, targets });
    };
    let (values, positions) = (train.features.values.elements(), columns / channels);
    let scale = Standardizer::fit_positions(values, channels, positions, train.weights.as_deref())?;
    Ok(match channels::layer(&scale) {
        first @ Some(_) => Scales { features: None, first, targets },
        None => Scales { features: Some(scale), first: None, targets },
    })
}
