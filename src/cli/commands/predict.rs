//! `accrue predict`: a saved model's outputs for new data, as a CSV file.

use super::{open, predictor};
use crate::cli::args::Predict;
use crate::cli::exit::Stop;
use crate::cli::progress::say;
use crate::cli::run_folder::RunFolder;
use crate::data::csv::read_features_file;
use crate::durable;
use crate::nn::{Saved, TargetNames};
use crate::train::metrics::class_of;
use crate::{Error, Result};

/// Writes one line for each row of a CSV file: the class and each class's probability, or the numbers.
pub fn predict(arguments: &Predict) -> Result<(), Stop> {
    let saved = Saved::read(&RunFolder::model_of(&arguments.run))?;
    let mut features = read_features_file(&arguments.data, &saved.features)?;
    if let Some(scale) = &saved.feature_scale {
        scale.apply(&mut features.values, saved.features.len())?;
    }
    let gpu = open(&arguments.common)?;
    let predictor = predictor(&gpu, &saved, features.rows())?;
    let outputs = predictor.predict(&features.values)?;
    durable::write_bytes(&arguments.out, table(&saved, outputs)?.as_bytes())?;
    if !arguments.common.quiet {
        say(&format!("{} predictions in {}", features.rows(), arguments.out.display()));
    }
    Ok(())
}

fn table(saved: &Saved, mut outputs: Vec<f32>) -> Result<String> {
    let mut csv = csv::Writer::from_writer(Vec::new());
    let wrong = |error: csv::Error| Error::Internal(format!("predictions: {error}"));
    let columns = saved.model.outputs();
    match &saved.target {
        TargetNames::Classes { name, classes } => {
            let probabilities = classes.iter().map(|class| format!("p_{class}"));
            csv.write_record(std::iter::once(name.clone()).chain(probabilities)).map_err(wrong)?;
            for row in outputs.chunks(columns) {
                let class = classes.get(class_of(row)).cloned().unwrap_or_default();
                let shares = probabilities_of(row).into_iter().map(|p| (p as f32).to_string());
                csv.write_record(std::iter::once(class).chain(shares)).map_err(wrong)?;
            }
        }
        TargetNames::Values { names, scale } => {
            if let Some(scale) = scale {
                scale.invert(&mut outputs, columns)?;
            }
            csv.write_record(names).map_err(wrong)?;
            for row in outputs.chunks(columns) {
                csv.write_record(row.iter().map(f32::to_string)).map_err(wrong)?;
            }
        }
    }
    let bytes = csv.into_inner().map_err(|error| Error::Internal(format!("predictions: {error}")))?;
    String::from_utf8(bytes).map_err(|error| Error::Internal(format!("predictions: {error}")))
}

/// Softmax of the logits; with one logit, the shares of no and yes.
fn probabilities_of(logits: &[f32]) -> Vec<f64> {
    if let [logit] = logits {
        let yes = 1.0 / (1.0 + (-f64::from(*logit)).exp());
        return vec![1.0 - yes, yes];
    }
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &logit| most.max(f64::from(logit)));
    let powers: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
