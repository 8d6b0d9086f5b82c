//! `accrue eval`: loss and metrics of a saved model.

use super::{open, predictor};
use crate::cli::args::Eval;
use crate::cli::exit::Stop;
use crate::cli::prepare::unit;
use crate::cli::progress::{metric, print};
use crate::cli::run_folder::RunFolder;
use crate::data::csv::{CsvSpec, TargetKind, read_file};
use crate::data::{Dataset, Targets};
use crate::nn::{Saved, TargetNames};
use crate::train::metrics::evaluate;

/// Measures a saved model on a CSV file. The result is printed also with `--quiet`: it is what was asked for.
pub fn eval(arguments: &Eval) -> Result<(), Stop> {
    let saved = Saved::read(&RunFolder::model_of(&arguments.run))?;
    let mut data = read_file(&arguments.data, &spec(&saved, arguments.weight.clone()))?;
    scale(&saved, &mut data)?;
    let gpu = open(&arguments.common)?;
    let predictor = predictor(&gpu, &saved, data.rows())?;
    let outputs = predictor.predict(&data.features.values)?;
    let evaluation = evaluate(&saved.model, &outputs, &data.batch(), unit(&saved))?;
    let mut text = format!("rows {}\nloss {:.6}\n", data.rows(), evaluation.loss);
    for (name, value) in &evaluation.metrics {
        text += &format!("{name} {}\n", metric(name, *value));
    }
    Ok(print(&text)?)
}

fn spec(saved: &Saved, weight: Option<String>) -> CsvSpec {
    let (target, kind) = match &saved.target {
        TargetNames::Classes { name, classes } => (vec![name.clone()], TargetKind::KnownClasses(classes.clone())),
        TargetNames::Values { names, .. } => (names.clone(), TargetKind::Values),
    };
    CsvSpec { target, kind, weight, features: Some(saved.features.clone()) }
}

fn scale(saved: &Saved, data: &mut Dataset) -> Result<(), Stop> {
    if let Some(scale) = &saved.feature_scale {
        scale.apply(&mut data.features.values, saved.features.len())?;
    }
    if let (TargetNames::Values { scale: Some(scale), .. }, Targets::Values { names, values }) =
        (&saved.target, &mut data.targets)
    {
        scale.apply(values, names.len())?;
    }
    Ok(())
}
