//! Texts: the tokens of a file, its last part held back, and a model that predicts each next one.

use std::path::Path;

use super::start::Start;
use super::{Parts, from_key};
use crate::data::table::Reading;
use crate::data::text::{Text, dataset};
use crate::data::tokens::Numbers;
use crate::data::{Sequences, Tokenizer, Values};
use crate::nn::{Layer, Model, parse};
use crate::recipe::config::{Config, Tokens, Validation};
use crate::{Error, Result};

/// What there is to train on and to measure on.
struct Parted {
    tokenizer: Tokenizer,
    train: Values,
    held: Option<Values>,
    /// Whether each row of the file is a sequence; otherwise it is one line of tokens.
    rows: bool,
    ignore: Option<u32>,
}

/// Reads the text and divides it.
pub(super) fn read(config: &Config, start: &Start) -> Result<(Parts, Tokenizer)> {
    let context = config.data.context.unwrap_or(1) as usize;
    check_kind(config, start)?;
    let Parted { tokenizer, train, held, rows, ignore } = match kind(config, start) {
        Tokens::Numbers => numbers(config, start, context)?,
        Tokens::Characters | Tokens::Bytes => text(config, start)?,
    };
    let named = |error, what: &str| match error {
        Error::Data { message, .. } => Error::data(format!("{}, {what}", config.data.path.display()), message),
        other => other,
    };
    let lies = |tokens: usize, to_train: bool| match (rows, to_train) {
        (true, _) => Sequences::apart(tokens, context),
        (false, true) => Sequences::anywhere(tokens, context),
        (false, false) => Sequences::end_to_end(tokens, context),
    };
    let data = |tokens: Values, to_train: bool, what| {
        let all = lies(tokens.len(), to_train).map_err(|error| named(error, what))?;
        let all = config.data.sequences.filter(|_| to_train).map_or(all, |most| all.per_epoch(most as usize));
        Ok::<_, Error>(dataset(tokens, &tokenizer, Sequences { ignore, ..all }))
    };
    let parts = Parts {
        train: data(train, true, "to train on")?,
        validation: held.map(|held| data(held, false, "to validate with")).transpose()?,
        feature_scale: None,
        first: None,
        preparation: None,
        reading: Reading::default(),
        target_scale: None,
        remarks: Vec::new(),
        held: None,
    };
    Ok((parts, tokenizer))
}

/// What a token is: as in the model that training starts from, or as configured.
fn kind(config: &Config, start: &Start) -> Tokens {
    match start.tokenizer() {
        Some(Tokenizer::Bytes) => Tokens::Bytes,
        Some(Tokenizer::Characters(_)) => Tokens::Characters,
        Some(Tokenizer::Numbers(_)) => Tokens::Numbers,
        None => config.data.tokens.unwrap_or_default(),
    }
}

fn check_kind(config: &Config, start: &Start) -> Result<()> {
    match (config.data.tokens, kind(config, start)) {
        (Some(given), known) if given != known => {
            let message = format!("{given:?} are wanted, but the tokens of model.init are {known:?}; leave it out")
                .to_lowercase();
            Err(Error::config("data.tokens", message))
        }
        _ => Ok(()),
    }
}

/// The tokens of a text.
fn text(config: &Config, start: &Start) -> Result<Parted> {
    let file = |path: &Path, key| Text::read(path).map_err(|error| from_key(error, key));
    let text = file(&config.data.path, "data.path")?;
    let tokenizer = match start.tokenizer() {
        Some(known) => known.clone(),
        None if config.data.tokens == Some(Tokens::Bytes) => Tokenizer::Bytes,
        None => text.characters()?,
    };
    let mut train = text.tokens(&tokenizer)?;
    let held = match &config.data.validation {
        Validation::File(path) => Some(file(path, "data.validation")?.tokens(&tokenizer)?),
        Validation::Share(share) => held(&mut train, *share, 1),
    };
    Ok(Parted { tokenizer, train, held, rows: false, ignore: None })
}

/// Tokens out of arrays.
fn numbers(config: &Config, start: &Start, context: usize) -> Result<Parted> {
    let file = |path: &Path, key| Numbers::read(path).map_err(|error| from_key(error, key));
    let all = file(&config.data.path, "data.path")?;
    let other = match &config.data.validation {
        Validation::File(path) => Some(file(path, "data.validation")?),
        Validation::Share(_) => None,
    };
    let count = other.as_ref().map_or(0, Numbers::count).max(all.count());
    let tokenizer = start.tokenizer().cloned().unwrap_or(Tokenizer::Numbers(count as u32));
    let known = tokenizer.count();
    [Some(&all), other.as_ref()].into_iter().flatten().try_for_each(|numbers| numbers.check(context, known))?;
    if let Some(other) = other.as_ref().filter(|other| other.each != all.each) {
        let message = format!("has rows of {} tokens, but those to train on have {}", other.each, all.each);
        return Err(Error::data(other.place(), message));
    }
    // There are fewer tokens than 16 bits tell apart.
    let mut train = all.tokens(known as u16);
    let held = match (&config.data.validation, other) {
        (Validation::Share(share), _) => held(&mut train, *share, all.each),
        (Validation::File(_), other) => other.map(|other| other.tokens(known as u16)),
    };
    Ok(Parted { tokenizer, train, held, rows: all.each > 1, ignore: Some(known as u32) })
}

/// Takes the last share of the tokens away, in rows of so many, if it has any.
fn held(tokens: &mut Values, share: f64, each: usize) -> Option<Values> {
    let rows = tokens.len() / each;
    let kept = (rows - (rows as f64 * share).round() as usize) * each;
    let held = match tokens {
        Values::F32(all) => Values::F32(all.split_off(kept)),
        Values::U8(all) => Values::U8(all.split_off(kept)),
        Values::U16(all) => Values::U16(all.split_off(kept)),
    };
    (share > 0.0).then_some(held)
}

/// The model of a configuration for so many tokens.
pub(super) fn model(config: &Config, tokens: usize) -> Result<Model> {
    let context = config.data.context.unwrap_or(1) as usize;
    let mut layers: Vec<Layer> = config.model.with_tokens(tokens);
    layers.push(config.model.output.layer(tokens));
    let parts = parse(&layers, &[])?;
    if let Some(part) = parts.iter().find(|part| part.any(&|op| op.looks_ahead())) {
        let message = "lets a token see those behind it, which are to be predicted; give attention causal = true, and norms that take \
                       each token by itself, such as layer_norm";
        return Err(Error::config(&part.path, message));
    }
    let model = Model::of_shape(&[context, 1], &layers, &config.model.loss)?;
    let rows = layers.first().and_then(|layer| match layer {
        Layer::With(first) => first.get("embedding")?.get("num_embeddings")?.as_u64(),
        Layer::Linear(_) | Layer::Named(_) => None,
    });
    match rows {
        None => {
            let message =
                "a token is a number that says nothing by itself; begin with an embedding: { embedding = 128 }";
            return Err(Error::config("model.layers", message));
        }
        Some(rows) if rows != tokens as u64 => {
            let message = format!("num_embeddings is {rows}, but there are {tokens} tokens; leave it out");
            return Err(Error::config("model.layers[0].embedding", message));
        }
        Some(_) => {}
    }
    if model.network(false).is_ok() && model.positions() != context {
        let message = format!(
            "the last layer makes {}, but each of {context} tokens has a next one; leave out what joins them, such as \"flatten\"",
            model.output()
        );
        return Err(Error::config("model.layers", message));
    }
    Ok(model)
}
