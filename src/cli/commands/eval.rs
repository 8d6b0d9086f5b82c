//! `accrue eval`: loss and metrics of a saved model.

use super::{open, predictor};
use crate::cli::args::Eval;
use crate::cli::exit::Stop;
use crate::cli::prepare::unit;
use crate::cli::progress::{metric, print};
use crate::cli::rows::{self, ModelRows};
use crate::cli::run_folder::RunFolder;
use crate::data::csv::{Chunks, CsvSpec, TargetKind};
use crate::nn::{ModelFile, TargetNames};
use crate::train::metrics::Tally;

/// Measures a saved model on a CSV file. The result is printed also with `--quiet`: it is what was asked for. However many
/// rows there are, it takes the memory of some.
pub fn eval(arguments: &Eval) -> Result<(), Stop> {
    let saved = ModelFile::read(&RunFolder::model_of(&arguments.run))?;
    let place = arguments.data.to_string_lossy();
    let spec = spec(&saved, arguments.weight.clone());
    let mut rows = ModelRows::new(&saved, Chunks::open(rows::open(&arguments.data)?, &place, &spec)?)?;
    let gpu = open(&arguments.common)?;
    let predictor = predictor(&gpu, &saved, rows.data.rows())?;
    let mut tally = Tally::default();
    loop {
        tally.add(&saved.model, &predictor.predict(&rows.data.features.values)?, &rows.data.batch())?;
        if !rows.advance()? {
            break;
        }
    }
    let evaluation = tally.finish(unit(&saved));
    let mut text = format!("rows {}\nloss {:.6}\n", rows.so_far(), evaluation.loss);
    for (name, value) in &evaluation.metrics {
        text += &format!("{name} {}\n", metric(name, *value));
    }
    Ok(print(&text)?)
}

fn spec(saved: &ModelFile, weight: Option<String>) -> CsvSpec {
    let (target, kind) = match &saved.target {
        TargetNames::Classes { name, classes } => (vec![name.clone()], TargetKind::KnownClasses(classes.clone())),
        TargetNames::Values { names, .. } => (names.clone(), TargetKind::Values),
    };
    CsvSpec { target, kind, weight, features: Some(saved.features.clone()) }
}
