//! From layers as data to a tree of ops. Every refusal names the place: `model.layers[3].residual[0].embedding`.

use std::sync::Arc;

use serde_json::Value;

use super::{Layer, WIDEST};
use crate::graph::{Op, Role};
use crate::nearest::nearest;
use crate::ops::{self, Linear, SelfAttention};
use crate::quote::{short, shown};
use crate::{Error, Result};

/// Most layers of a model, activations and all repetitions included: far more than train, and few enough to plan in a moment.
pub const MOST_LAYERS: usize = 1024;

/// Layers in layers as deep as this are taken.
pub const DEEPEST: usize = 16;

/// How a refusal of a name goes on.
pub(crate) const UNKNOWN: &str = "is not a known layer";

/// The names of layers that are made of other layers, or refer to one.
pub const NESTS: [&str; 4] = ["residual", "repeat", "concat", "tied"];

/// The place of a model's layers in a configuration.
pub(crate) const PLACE: &str = "model.layers";

/// A layer that was understood.
#[derive(Debug)]
pub(crate) struct Part {
    /// Where it stands: `model.layers[3].residual[0]`.
    pub path: String,
    pub kind: Kind,
}

/// What a layer is.
#[derive(Debug)]
pub(crate) enum Kind {
    Op(Arc<dyn Op>),
    /// What the body makes of x, plus x or what the shortcut makes of it.
    Residual {
        body: Vec<Part>,
        shortcut: Vec<Part>,
    },
    /// The layers again and again, each time with weights of their own.
    Repeat {
        times: usize,
        layers: Vec<Part>,
    },
    /// What the branches make of x, joined along channels.
    Concat(Vec<Vec<Part>>),
    /// Attention between a projection into queries, keys and values and another out of it.
    Attention(SelfAttention),
    /// A linear layer without bias whose weight is that of the layer of this name, such as an embedding.
    Tied(String),
}

impl Part {
    /// How many layers it is when all are written out, saturating.
    fn count(&self) -> usize {
        match &self.kind {
            Kind::Op(_) | Kind::Tied(_) => 1,
            Kind::Residual { body, shortcut } => count(body).saturating_add(count(shortcut)).saturating_add(1),
            Kind::Repeat { times, layers } => count(layers).saturating_mul(*times),
            Kind::Concat(branches) => branches.iter().fold(1, |all, branch| all.saturating_add(count(branch))),
            Kind::Attention(layer) => 3 + usize::from(layer.rotary.is_some()),
        }
    }

    /// Whether it is an op with this property, or has one in it.
    pub fn any(&self, is: &dyn Fn(&dyn Op) -> bool) -> bool {
        let any = |parts: &Vec<Part>| parts.iter().any(|part| part.any(is));
        match &self.kind {
            Kind::Op(op) => is(&**op),
            Kind::Residual { body, shortcut } => any(body) || any(shortcut),
            Kind::Repeat { layers, .. } => any(layers),
            Kind::Concat(branches) => branches.iter().any(any),
            Kind::Attention(layer) => is(&layer.attention),
            Kind::Tied(_) => is(&Linear::new(1)),
        }
    }
}

/// How many layers they are when all are written out.
fn count(parts: &[Part]) -> usize {
    parts.iter().fold(0, |all, part| all.saturating_add(part.count()))
}

/// The layers of a model, understood; `outside` are ops that this crate does not have.
pub(crate) fn parse(layers: &[Layer], outside: &[Arc<dyn Op>]) -> Result<Vec<Part>> {
    few(layers.len())?;
    let grammar = Grammar { outside };
    let part = |(at, layer): (usize, &Layer)| grammar.part(Given::of_layer(layer), format!("{PLACE}[{at}]"), 0);
    let parts: Vec<Part> = layers.iter().enumerate().map(part).collect::<Result<_>>()?;
    few(count(&parts))?;
    Ok(parts)
}

fn few(layers: usize) -> Result<()> {
    match layers {
        0..=MOST_LAYERS => Ok(()),
        usize::MAX => Err(Error::config(PLACE, format!("too many layers; give 1 to {MOST_LAYERS} in all"))),
        many => Err(Error::config(PLACE, format!("{many} layers; give 1 to {MOST_LAYERS} in all"))),
    }
}

/// A layer as it was given.
enum Given<'a> {
    Width(u64),
    Name(&'a str),
    /// What a table of one name says.
    Table(&'a str, &'a Value),
    /// A table of none or several names.
    Names,
    Other(&'a Value),
}

impl<'a> Given<'a> {
    fn of_layer(layer: &'a Layer) -> Given<'a> {
        match layer {
            Layer::Linear(width) => Given::Width(*width as u64),
            Layer::Named(name) => Given::Name(name),
            Layer::With(given) => Given::of_table(given.iter()),
        }
    }

    fn of_value(value: &'a Value) -> Given<'a> {
        match value {
            Value::Number(number) => number.as_u64().map_or(Given::Other(value), Given::Width),
            Value::String(name) => Given::Name(name),
            Value::Object(given) => Given::of_table(given.iter()),
            other => Given::Other(other),
        }
    }

    fn of_table(mut given: impl Iterator<Item = (&'a String, &'a Value)>) -> Given<'a> {
        match (given.next(), given.next()) {
            (Some((name, arguments)), None) => Given::Table(name, arguments),
            _ => Given::Names,
        }
    }
}

struct Grammar<'a> {
    outside: &'a [Arc<dyn Op>],
}

impl Grammar<'_> {
    fn part(&self, given: Given, path: String, depth: usize) -> Result<Part> {
        if depth > DEEPEST {
            let message = format!("layers in layers deeper than {DEEPEST}; nest less");
            return Err(Error::config(path, message));
        }
        let kind = match given {
            Given::Width(width) => Kind::Op(linear(width, &path)?),
            Given::Name(name) => Kind::Op(self.named(name, &path)?),
            Given::Table(name, arguments) if self.outside.iter().any(|op| op.name() == name) => {
                Kind::Op(self.with(name, arguments, &path)?)
            }
            Given::Table("residual", given) => self.residual(given, &format!("{path}.residual"), depth)?,
            Given::Table("repeat", given) => self.repeat(given, &format!("{path}.repeat"), depth)?,
            Given::Table("concat", given) => self.concat(given, &format!("{path}.concat"), depth)?,
            Given::Table("tied", given) => tied(given, &format!("{path}.tied"))?,
            Given::Table("attention", given) => attention(given, &format!("{path}.attention"))?,
            Given::Table(name, arguments) => Kind::Op(self.with(name, arguments, &path)?),
            Given::Names => {
                return Err(Error::config(path, "a table takes one name, as in { embedding = [[12, 4]] }"));
            }
            Given::Other(value) => {
                let given = short(&value.to_string());
                let message = format!("{given} is no layer; write a width, a name such as \"relu\", or a table");
                return Err(Error::config(path, message));
            }
        };
        Ok(Part { path, kind })
    }

    /// A list of layers in another layer.
    fn list(&self, given: &Value, path: &str, depth: usize) -> Result<Vec<Part>> {
        let Value::Array(layers) = given else {
            let given = short(&given.to_string());
            return Err(Error::config(path, format!("{given} is no list of layers; write one, as in [64, \"relu\"]")));
        };
        let part = |(at, layer)| self.part(Given::of_value(layer), format!("{path}[{at}]"), depth + 1);
        layers.iter().enumerate().map(part).collect()
    }

    fn filled(&self, given: &Value, path: &str, depth: usize) -> Result<Vec<Part>> {
        let layers = self.list(given, path, depth)?;
        if layers.is_empty() { Err(Error::config(path, "no layers; give one at least")) } else { Ok(layers) }
    }

    fn residual(&self, given: &Value, path: &str, depth: usize) -> Result<Kind> {
        if given.is_array() {
            return Ok(Kind::Residual { body: self.filled(given, path, depth)?, shortcut: Vec::new() });
        }
        let example = "{ residual = { body = [64, \"relu\", 32], shortcut = [32] } }";
        let [body, shortcut] = arguments(given, ["body", "shortcut"], path, example)?;
        let body = body.ok_or_else(|| Error::config(path, format!("body is missing; write {example}")))?;
        let shortcut = shortcut.map(|given| self.list(given, &format!("{path}.shortcut"), depth)).transpose()?;
        let body = self.filled(body, &format!("{path}.body"), depth)?;
        Ok(Kind::Residual { body, shortcut: shortcut.unwrap_or_default() })
    }

    fn repeat(&self, given: &Value, path: &str, depth: usize) -> Result<Kind> {
        let example = "{ repeat = { times = 3, layers = [64, \"relu\"] } }";
        let [times, layers] = arguments(given, ["times", "layers"], path, example)?;
        let missing = |name: &str| Error::config(path, format!("{name} is missing; write {example}"));
        let (times, layers) = (times.ok_or_else(|| missing("times"))?, layers.ok_or_else(|| missing("layers"))?);
        let count = times.as_u64().filter(|times| (1..=MOST_LAYERS as u64).contains(times));
        let count = count.ok_or_else(|| {
            let message = format!("{} is not a number from 1 to {MOST_LAYERS}", short(&times.to_string()));
            Error::config(format!("{path}.times"), message)
        })?;
        let layers = self.filled(layers, &format!("{path}.layers"), depth)?;
        Ok(Kind::Repeat { times: count as usize, layers })
    }

    fn concat(&self, given: &Value, path: &str, depth: usize) -> Result<Kind> {
        let branches = given.as_array().filter(|branches| (2..=MOST_LAYERS).contains(&branches.len()));
        let branches = branches.ok_or_else(|| {
            let message =
                format!("takes 2 to {MOST_LAYERS} lists of layers, as in {{ concat = [[64, \"relu\"], []] }}");
            Error::config(path, message)
        })?;
        let branch = |(at, given)| self.list(given, &format!("{path}[{at}]"), depth);
        Ok(Kind::Concat(branches.iter().enumerate().map(branch).collect::<Result<_>>()?))
    }

    /// An op whose bare name is enough.
    fn named(&self, name: &str, path: &str) -> Result<Arc<dyn Op>> {
        if let Some(op) = self.find(name).filter(|op| op.stands_alone()) {
            return Ok(op);
        }
        if NESTS.contains(&name) || self.find(name).is_some() {
            let message = format!("{} {UNKNOWN} without arguments; write {{ {name} = … }}", shown(name));
            return Err(Error::config(path, message));
        }
        let own = self.outside.iter().filter(|op| op.stands_alone()).map(|op| op.name());
        Err(unknown(name, path, &ops::layers().into_iter().chain(own).collect::<Vec<_>>()))
    }

    /// An op with arguments.
    fn with(&self, name: &str, arguments: &Value, path: &str) -> Result<Arc<dyn Op>> {
        let path = format!("{path}.{}", short(name));
        let Some(op) = self.find(name) else {
            let own = self.outside.iter().map(|op| op.name());
            let known: Vec<&str> = ops::with_arguments().into_iter().chain(own).chain(NESTS).collect();
            return Err(unknown(name, &path, &known));
        };
        op.with(arguments).map_err(|message| refused(&path, arguments, &message))
    }

    /// The op of this name, one from outside first; none for what is no layer.
    fn find(&self, name: &str) -> Option<Arc<dyn Op>> {
        let own = self.outside.iter().find(|op| op.name() == name).cloned();
        own.or_else(|| ops::find(name)).filter(|op| matches!(op.role(), Role::Layer | Role::Activation))
    }
}

fn linear(width: u64, path: &str) -> Result<Arc<dyn Op>> {
    match usize::try_from(width).ok().filter(|width| (1..=WIDEST).contains(width)) {
        Some(outputs) => Ok(Arc::new(Linear::new(outputs))),
        None => Err(Error::config(path, format!("a layer of width {width}; give 1 to {WIDEST}"))),
    }
}

fn tied(given: &Value, path: &str) -> Result<Kind> {
    let name = given.as_str().map(|name| Kind::Tied(name.to_owned()));
    name.ok_or_else(|| {
        let message = format!(
            "{} is no text; name the layer whose weight it has, as in {{ tied = \"0\" }}",
            short(&given.to_string())
        );
        Error::config(path, message)
    })
}

fn attention(given: &Value, path: &str) -> Result<Kind> {
    SelfAttention::with(given).map(Kind::Attention).map_err(|message| refused(path, given, &message))
}

/// The values of a table's keys, none of which has to be there.
fn arguments<'a, const N: usize>(
    given: &'a Value,
    names: [&str; N],
    path: &str,
    example: &str,
) -> Result<[Option<&'a Value>; N]> {
    let Value::Object(table) = given else {
        return Err(Error::config(path, format!("{} is no table; write {example}", short(&given.to_string()))));
    };
    if let Some(odd) = table.keys().find(|key| !names.contains(&key.as_str())) {
        let hint = match nearest(odd, names) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("write {example}"),
        };
        return Err(Error::config(format!("{path}.{}", short(odd)), format!("it takes no {}; {hint}", shown(odd))));
    }
    Ok(names.map(|name| table.get(name)))
}

/// What an op says of its arguments. Where a message begins with the name of one that was given, the name belongs to the place.
fn refused(path: &str, arguments: &Value, message: &str) -> Error {
    let word = message.split([' ', ':']).next().unwrap_or_default().trim_matches('"');
    if !arguments.as_object().is_some_and(|table| table.contains_key(word)) {
        return Error::config(path, message);
    }
    let rest = message.strip_prefix(word).and_then(|rest| rest.strip_prefix(": "));
    Error::config(format!("{path}.{}", short(word)), rest.unwrap_or(message))
}

fn unknown(name: &str, path: &str, known: &[&str]) -> Error {
    let hint = match nearest(name, known.iter().copied()) {
        Some(near) => format!("did you mean \"{near}\"?"),
        None => format!("there is: {}", known.join(", ")),
    };
    Error::config(path, format!("{} {UNKNOWN}; {hint}", shown(name)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_argument_that_an_op_names_first_belongs_to_the_place() {
        let given = serde_json::json!({ "chanels": 3, "kernel": 0 });
        let said = |message: &str| refused("layers[1].conv2d", &given, message).to_string();
        assert_eq!(said("\"chanels\" is no argument"), "layers[1].conv2d.chanels: \"chanels\" is no argument");
        assert_eq!(said("kernel = 0 is too small"), "layers[1].conv2d.kernel: kernel = 0 is too small");
        assert_eq!(said("kernel: too small"), "layers[1].conv2d.kernel: too small");
        assert_eq!(said("lacks \"channels\""), "layers[1].conv2d: lacks \"channels\"");
        let plain = refused("layers[1].max_pool", &serde_json::json!(0), "kernel is 0").to_string();
        assert_eq!(plain, "layers[1].max_pool: kernel is 0");
    }
}
