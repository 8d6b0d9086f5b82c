//! What a saved model of texts says of another text.

use std::path::Path;

use super::predictor;
use crate::data::text::Text;
use crate::data::tokens::Numbers;
use crate::data::{Batch, Sequences, Tokenizer, Values};
use crate::gpu::Gpu;
use crate::nn::ModelFile;
use crate::train::metrics::{Evaluation, evaluate_in_parts};
use crate::{Error, Result};

/// Sequences that are predicted at once, if they fit.
const SEQUENCES: usize = 64;

/// The tokens of a model of texts.
///
/// # Errors
/// [`Error::Config`] for any other model.
pub fn tokenizer_of<'a>(saved: &'a ModelFile, place: &Path) -> Result<&'a Tokenizer> {
    saved.tokenizer.as_ref().ok_or_else(|| {
        let message = format!("{} is a model of rows, not of texts; accrue predict asks it", place.display());
        Error::config("model", message)
    })
}

/// Measures a saved model of texts on a whole text, or on an array if its tokens are numbers. Returns the tokens that it predicted, too.
///
/// # Errors
/// [`Error::Config`] for a model of anything else; [`Error::Io`]; [`Error::Data`] for a text that has other tokens.
pub fn measure_text(gpu: &Gpu, saved: &ModelFile, path: &Path) -> Result<(usize, Evaluation)> {
    let (tokens, sequences) = read(tokenizer_of(saved, path)?, saved.model.inputs, path)?;
    let batch = Batch::sequences(tokens.elements(), sequences);
    let predictor = predictor(gpu, saved, SEQUENCES.min(sequences.count))?;
    let at_once = predictor.plan().micro_batch;
    let evaluation = evaluate_in_parts(&saved.model, &batch, None, at_once, |rows| predictor.predict(rows))?;
    Ok((sequences.targets(tokens.elements()), evaluation))
}

/// The tokens of a file, and how its sequences lie.
fn read(tokenizer: &Tokenizer, context: usize, path: &Path) -> Result<(Values, Sequences)> {
    let Tokenizer::Numbers(known) = *tokenizer else {
        let tokens = Text::read(path)?.tokens(tokenizer)?;
        let named = |error| match error {
            Error::Data { message, .. } => Error::data(path.display().to_string(), message),
            other => other,
        };
        let sequences = Sequences::end_to_end(tokens.len(), context).map_err(named)?;
        return Ok((tokens, sequences));
    };
    let numbers = Numbers::read(path)?;
    numbers.check(context, known as usize)?;
    let (tokens, ignore) = (numbers.tokens(known as u16), Some(known));
    let all = match numbers.each {
        1 => Sequences::end_to_end(tokens.len(), context)?,
        _ => Sequences::apart(tokens.len(), context)?,
    };
    Ok((tokens, Sequences { ignore, ..all }))
}
