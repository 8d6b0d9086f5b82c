//! What a section `[model]` may say.

use super::not_empty;
use crate::graph::Role;
use crate::nearest::nearest;
use crate::nn::{Kind, Layer, MOST_LAYERS, Part, parse};
use crate::ops::losses;
use crate::quote::short;
use crate::recipe::config::Model;
use crate::recipe::keys::{missing, unusable};
use crate::{Error, Result};

pub(super) fn model(model: &Model, is_text: bool) -> Result<()> {
    if model.layers.len() >= MOST_LAYERS {
        let message = format!("{} items; give {} at most", model.layers.len(), MOST_LAYERS - 1);
        return Err(Error::config("model.layers", message));
    }
    let layers = if is_text { model.with_tokens(1) } else { model.layers.clone() };
    follows_a_width(&parse(&layers, &[])?, false)?;
    let embeds = matches!(model.layers.first(), Some(Layer::With(first)) if first.contains_key("embedding"));
    if model.output.tied && !(embeds && is_text) {
        let message =
            "tied = true takes the weight of an embedding of tokens; begin model.layers with { embedding = 128 }";
        return Err(Error::config("model.output", message));
    }
    if model.loss.is_empty() {
        return Err(missing("model.loss"));
    }
    if !losses().contains(&model.loss.as_str()) {
        return Err(unknown_name("model.loss", &model.loss, "a loss", &losses()));
    }
    if !(0.0..1.0).contains(&model.label_smoothing) || model.label_smoothing as f32 >= 1.0 {
        return Err(unusable("model.label_smoothing", model.label_smoothing));
    }
    if model.label_smoothing != 0.0 && model.loss != "cross_entropy" {
        let message = format!("belongs to loss = \"cross_entropy\", but this is {}; leave it out", model.loss);
        return Err(Error::config("model.label_smoothing", message));
    }
    model.init.as_deref().map_or(Ok(()), |path| not_empty("model.init", path))
}

/// An activation stands alone: two in a row, or one of the features themselves, are mistakes more often than not. Returns whether
/// what comes next may be one; `may` says so of the first.
fn follows_a_width(layers: &[Part], may: bool) -> Result<bool> {
    let mut may = may;
    for Part { path, kind } in layers {
        may = match kind {
            Kind::Op(op) if op.role() == Role::Activation && !may => {
                let name = op.name();
                let message = format!("{name:?} is an activation; it must follow a width, as in [64, {name:?}]");
                return Err(Error::config(path, message));
            }
            Kind::Op(op) => op.role() != Role::Activation,
            // What goes in is added to what comes out, or stands beside it: none of it is activated twice.
            Kind::Residual { body, shortcut } => {
                follows_a_width(body, true)?;
                follows_a_width(shortcut, true)?;
                true
            }
            Kind::Concat(branches) => {
                branches.iter().try_for_each(|branch| follows_a_width(branch, true).map(drop))?;
                true
            }
            Kind::Attention(_) | Kind::Tied(_) => true,
            Kind::Repeat { layers, .. } => {
                let after = follows_a_width(layers, may)?;
                follows_a_width(layers, after)?
            }
        };
    }
    Ok(may)
}

fn unknown_name(field: &str, given: &str, what: &str, known: &[&str]) -> Error {
    let remedy = match nearest(given, known.iter().copied()) {
        Some(near) => format!("did you mean {near:?}?"),
        None => format!("write one of {}", known.join(", ")),
    };
    Error::config(field, format!("{:?} is not {what}; {remedy}", short(given)))
}
