//! A multi-layer perceptron as data.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::graph::{Graph, Op, ParameterSpec, Role, Shape, TargetKind, Tensor, TensorKind};
use crate::nearest::nearest;
use crate::ops::{self, Linear};
use crate::quote::{short, shown};
use crate::{Error, Result};

/// Most layers of a model, activations included: far more than train, and few enough to plan in a moment.
pub const MOST_LAYERS: usize = 1024;

/// Most outputs of a layer, and most features of a model.
pub const WIDEST: usize = 1 << 24;

/// A network as data: the number of features, the layers in order, and the loss.
///
/// ```
/// use accrue::nn::Model;
/// let model = Model::new(8, &[16.into(), "relu".into(), 1.into()], "mse")?;
/// assert_eq!(model.outputs(), 1);
/// # Ok::<(), accrue::Error>(())
/// ```
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Model {
    /// Features of a sample.
    pub inputs: usize,
    /// The dimensions of a sample, channels last: `[height, width, channels]`; empty for features of one position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// Linear layers by width, all others by name; the last width is the output's.
    pub layers: Vec<Layer>,
    /// The name of the loss.
    pub loss: String,
}

/// One layer of a [`Model`].
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum Layer {
    /// A linear layer of so many outputs.
    Linear(usize),
    /// An activation, or another layer whose bare name is enough.
    Named(String),
    /// A layer with arguments: its name, and what it takes.
    With(BTreeMap<String, Value>),
}

impl From<usize> for Layer {
    fn from(width: usize) -> Layer {
        Layer::Linear(width)
    }
}

impl From<&str> for Layer {
    fn from(name: &str) -> Layer {
        Layer::Named(name.to_owned())
    }
}

/// What there is to say of one layer of a model.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct LayerSummary {
    /// Its name, which its weights' names begin with.
    pub name: String,
    /// Its op.
    pub kind: String,
    /// Columns of what it makes.
    pub columns: usize,
    /// How many numbers it learns.
    pub parameters: u64,
}

/// A model as a graph, ready to be planned.
pub struct Network {
    /// The graph.
    pub graph: Graph,
    /// (rows, outputs)
    pub output: Tensor,
    /// (rows, 1); only with a target.
    pub loss: Option<Tensor>,
}

impl Model {
    /// Checks that every name is known and every width allowed.
    ///
    /// # Errors
    /// [`Error::Config`] naming what is wrong, and the nearest right name.
    pub fn new(inputs: usize, layers: &[Layer], loss: &str) -> Result<Model> {
        Model::of_shape(&[inputs], layers, loss)
    }

    /// As [`Model::new`], for samples with these dimensions, channels last: `[height, width, channels]`.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn of_shape(dims: &[usize], layers: &[Layer], loss: &str) -> Result<Model> {
        let inputs = dims.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
        let shape = if dims.len() > 1 { dims.to_vec() } else { Vec::new() };
        let model = Model { inputs, shape, layers: layers.to_vec(), loss: loss.to_owned() };
        model.check()?;
        Ok(model)
    }

    /// The shape of a sample.
    pub fn input(&self) -> Shape {
        if self.shape.is_empty() { Shape::columns_of(self.inputs) } else { Shape::of(&self.shape) }
    }

    /// As [`Model::new`], for a model that was read from a file.
    ///
    /// # Errors
    /// Those of [`Model::new`].
    pub fn check(&self) -> Result<()> {
        if self.layers.len() > MOST_LAYERS {
            let message = format!("{} layers; give 1 to {MOST_LAYERS}", self.layers.len());
            return Err(Error::config("model.layers", message));
        }
        if self.inputs == 0 || self.inputs > WIDEST {
            return Err(Error::config("model.inputs", format!("{} features; give 1 to {WIDEST}", self.inputs)));
        }
        let numbers = self.shape.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
        if !self.shape.is_empty() && numbers != self.inputs {
            let message = format!("{:?} are {numbers} numbers, but there are {} features", self.shape, self.inputs);
            return Err(Error::config("model.shape", message));
        }
        for (at, layer) in self.layers.iter().enumerate() {
            op_of(layer, at)?;
        }
        if !self.layers.iter().any(|layer| matches!(layer, Layer::Linear(_))) {
            return Err(Error::config("model.layers", "no linear layer; give the width of the output at least"));
        }
        named(&self.loss, "model.loss", "loss", &ops::losses())?;
        Ok(())
    }

    /// The names of its weights, layer by layer as in a PyTorch `state_dict`, and what is known of them before training;
    /// empty for a model that [`Model::check`] refuses.
    pub(crate) fn specs(&self) -> Vec<(usize, Vec<ParameterSpec>)> {
        let ops = self.ops().into_iter().enumerate();
        ops.map(|(at, (op, x, _))| (at, op.parameters(&x))).collect()
    }

    /// Its ops, each with the shape of what it reads and of what it makes; none for a model that [`Model::check`] refuses.
    fn ops(&self) -> Vec<(Arc<dyn Op>, Shape, Shape)> {
        let (mut ops, mut x) = (Vec::new(), self.input());
        for (at, layer) in self.layers.iter().enumerate() {
            let Ok(op) = op_of(layer, at) else { return Vec::new() };
            let Ok(y) = op.shape_of(&x) else { return Vec::new() };
            ops.push((op, std::mem::replace(&mut x, y.clone()), y));
        }
        ops
    }

    /// Its layers, one after the other; none for a model that [`Model::check`] refuses.
    pub fn summary(&self) -> Vec<LayerSummary> {
        let row = |(at, (op, x, y)): (usize, (Arc<dyn Op>, Shape, Shape))| {
            let parameters = op.parameters(&x).iter().map(|spec| spec.elements() as u64).sum();
            let (name, kind, columns) = (at.to_string(), op.name().to_owned(), y.columns().unwrap_or(0));
            LayerSummary { name, kind, columns, parameters }
        };
        self.ops().into_iter().enumerate().map(row).collect()
    }

    /// The names and shapes of its weights, as in a PyTorch `state_dict`.
    pub fn parameters(&self) -> BTreeMap<String, Vec<usize>> {
        let specs = self.specs();
        let all = specs.into_iter().flat_map(|(at, parts)| parts.into_iter().map(move |part| (at, part)));
        all.map(|(at, part)| (format!("{at}.{}", part.name), part.shape)).collect()
    }

    /// Width of the output.
    pub fn outputs(&self) -> usize {
        self.ops().last().and_then(|(.., y)| y.columns()).unwrap_or(self.inputs)
    }

    /// What the loss compares the output with.
    pub fn reads(&self) -> TargetKind {
        match ops::find(&self.loss).map(|op| op.role()) {
            Some(Role::Loss(reads)) => reads,
            _ => TargetKind::Values,
        }
    }

    /// Columns of the target.
    pub fn targets(&self) -> usize {
        match self.reads() {
            TargetKind::Class => 1,
            TargetKind::Values | TargetKind::Flags => self.outputs(),
        }
    }

    /// The model as a graph; with a target, for training.
    ///
    /// # Errors
    /// Those of [`Model::new`], and [`Error::Shape`] if shapes do not fit each other or the loss.
    pub fn network(&self, with_target: bool) -> Result<Network> {
        let loss = || named(&self.loss, "model.loss", "loss", &ops::losses());
        self.network_with(with_target.then(loss).transpose()?)
    }

    /// As [`Model::network`], for training with this loss: the model's own, with attributes.
    ///
    /// # Errors
    /// As [`Model::network`].
    pub fn network_with(&self, loss: Option<Arc<dyn Op>>) -> Result<Network> {
        self.check()?;
        let mut graph = Graph::new();
        let mut x = graph.input_of(self.input().dims());
        for (at, layer) in self.layers.iter().enumerate() {
            let op = op_of(layer, at)?;
            let name = format!("{at} {}", op.name());
            x = graph.layer(op, &at.to_string(), &name, x)?;
        }
        let mut apply = |op: Arc<dyn Op>| {
            let target = graph.target(self.targets());
            graph.apply(op, &self.loss, &[x, target])
        };
        let loss = loss.map(&mut apply).transpose()?;
        debug_assert!(graph.only(TensorKind::Input).is_some(), "a network has an input");
        Ok(Network { graph, output: x, loss })
    }
}

/// The op of a layer, the one at this place.
pub(crate) fn op_of(layer: &Layer, at: usize) -> Result<Arc<dyn Op>> {
    match layer {
        Layer::Linear(width) if *width == 0 || *width > WIDEST => {
            Err(Error::config("model.layers", format!("a layer of width {width}; give 1 to {WIDEST}")))
        }
        Layer::Linear(outputs) => Ok(Arc::new(Linear { outputs: *outputs })),
        Layer::Named(name) => named(name, "model.layers", "layer", &ops::layers()),
        Layer::With(given) => {
            let place = format!("model.layers[{at}]");
            let mut given = given.iter();
            let (Some((name, arguments)), None) = (given.next(), given.next()) else {
                let message = "a table takes one name, as in { embedding = [[12, 4]] }";
                return Err(Error::config(place, message));
            };
            let field = format!("{place}.{}", short(name));
            let op = named(name, &field, "layer", &ops::with_arguments())?;
            op.with(arguments).map_err(|message| Error::config(field, message))
        }
    }
}

fn named(name: &str, field: &str, what: &str, known: &[&'static str]) -> Result<Arc<dyn Op>> {
    let found = ops::find(name).filter(|op| known.contains(&op.name()));
    found.ok_or_else(|| {
        let hint = match nearest(name, known.iter().copied()) {
            Some(near) => format!("did you mean \"{near}\"?"),
            None => format!("there is: {}", known.join(", ")),
        };
        Error::config(field, format!("{} is not a known {what}; {hint}", shown(name)))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn model(layers: &str) -> Result<Model> {
        let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
        Model::new(5, &layers, "mse")
    }

    fn refusal(layers: &str) -> String {
        model(layers).unwrap_err().to_string()
    }

    #[test]
    fn a_layer_with_arguments_is_a_table_of_its_name() {
        let model = model(r#"[{"embedding": [[12, 4], [3, 2]]}, 8, "relu", 1]"#).unwrap();
        let summary = model.summary();
        assert_eq!((summary[0].kind.as_str(), summary[0].columns, summary[0].parameters), ("embedding", 3 + 6, 54));
        let parameters = model.parameters();
        assert_eq!((&parameters["0.0.weight"], &parameters["0.1.weight"]), (&vec![12, 4], &vec![3, 2]));
        assert_eq!((&parameters["1.weight"], model.outputs()), (&vec![8, 9], 1));
        let text = serde_json::to_string(&model).unwrap();
        assert_eq!(serde_json::from_str::<Model>(&text).unwrap(), model);
        assert!(model.network(true).is_ok());
    }

    #[test]
    fn what_a_layer_does_not_take_is_refused_with_its_place() {
        let slip = refusal(r#"[4, {"embeding": [[2, 2]]}, 1]"#);
        assert_eq!(slip, "model.layers[1].embeding: \"embeding\" is not a known layer; did you mean \"embedding\"?");
        for (given, said) in [
            (r#"{"embedding": 3}"#, "takes a list of [levels, width]"),
            (r#"{"embedding": []}"#, "0 tables; give 1 to 256"),
            (r#"{"embedding": [[0, 2]]}"#, "a table of 0 levels and width 2"),
            (r#"{"embedding": [[2, 16777217]]}"#, "a table of 2 levels and width 16777217"),
            (r#"{"embedding": [[2, 16777216], [2, 1]]}"#, "16777217 columns in all"),
            (r#"{"linear": 3}"#, "\"linear\" is not a known layer; there is: "),
        ] {
            let text = refusal(&format!("[{given}, 1]"));
            assert!(text.starts_with("model.layers[0].") && text.contains(said), "{text}");
        }
        for given in ["{}", r#"{"embedding": [[2, 2]], "linear": 3}"#] {
            assert!(
                refusal(&format!("[{given}, 1]")).starts_with("model.layers[0]: a table takes one name"),
                "{given}"
            );
        }
        assert!(refusal(r#"["embedding", 1]"#).contains("\"embedding\" is not a known layer"));
    }

    #[test]
    fn more_tables_than_columns_do_not_fit() {
        let model = model(r#"[{"embedding": [[2, 1], [2, 1], [2, 1], [2, 1], [2, 1], [2, 1]]}, 1]"#).unwrap();
        let text = model.network(false).err().unwrap().to_string();
        assert!(text.contains("fewer columns than the 6 tables"), "{text}");
    }
}
