//! A network as data, and what follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::build::{Built, build};
use super::grammar::{PLACE, Part, parse};
use super::{Layer, LayerSummary};
use crate::graph::{Graph, MlpPart, Op, ParameterSpec, Role, Shape, TargetKind, Tensor, TensorKind};
use crate::nearest::nearest;
use crate::ops;
use crate::quote::shown;
use crate::{Error, Result};

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
    /// The dimensions of a sample, channels last: `[height, width, channels]`, `[tokens, channels]`; empty for
    /// features of one position.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shape: Vec<usize>,
    /// The layers, in order; the last one makes the output.
    pub layers: Vec<Layer>,
    /// The name of the loss.
    pub loss: String,
    #[serde(skip)]
    outside: Outside,
}

/// Ops that this crate does not have. They are code, no data: files do not hold them, and comparisons pass them by.
#[derive(Clone, Debug, Default)]
struct Outside(Vec<Arc<dyn Op>>);

impl PartialEq for Outside {
    fn eq(&self, _: &Outside) -> bool {
        true
    }
}

impl Eq for Outside {}

/// A model as a graph, ready to be planned.
pub struct Network {
    /// The graph.
    pub graph: Graph,
    /// (rows, positions, outputs)
    pub output: Tensor,
    /// (rows, positions, 1); only with a target.
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

    /// As [`Model::new`], for samples with these dimensions, channels last: `[height, width, channels]` of images,
    /// `[tokens, channels]` of sequences; tokens that an embedding looks up have one channel.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn of_shape(dims: &[usize], layers: &[Layer], loss: &str) -> Result<Model> {
        Model::of_ops(Vec::new(), dims, layers, loss)
    }

    /// As [`Model::of_shape`]; names of layers and of the loss may be those of ops that are not of this crate.
    ///
    /// # Errors
    /// As [`Model::new`].
    pub fn of_ops(ops: Vec<Arc<dyn Op>>, dims: &[usize], layers: &[Layer], loss: &str) -> Result<Model> {
        let inputs = dims.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
        let shape = if dims.len() > 1 { dims.to_vec() } else { Vec::new() };
        let (layers, loss) = (layers.to_vec(), loss.to_owned());
        let model = Model { inputs, shape, layers, loss, outside: Outside(ops) };
        model.check()?;
        Ok(model)
    }

    /// The model with ops that are not of this crate. Their names come before those of the crate, in lists of layers and for the
    /// loss; arguments are given to [`Op::with`]. They are code: a file does not hold them, and equality passes them by.
    pub fn with_ops(self, ops: Vec<Arc<dyn Op>>) -> Model {
        Model { outside: Outside(ops), ..self }
    }

    /// The ops of [`Model::with_ops`].
    pub fn own_ops(&self) -> &[Arc<dyn Op>] {
        &self.outside.0
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
        self.parts().map(drop)
    }

    /// Its layers, checked.
    fn parts(&self) -> Result<Vec<Part>> {
        if self.inputs == 0 || self.inputs > WIDEST {
            return Err(Error::config("model.inputs", format!("{} features; give 1 to {WIDEST}", self.inputs)));
        }
        let numbers = self.shape.iter().fold(1usize, |all, &dim| all.saturating_mul(dim));
        if !self.shape.is_empty() && numbers != self.inputs {
            let message = format!("{:?} are {numbers} numbers, but there are {} features", self.shape, self.inputs);
            return Err(Error::config("model.shape", message));
        }
        let parts = parse(&self.layers, self.own_ops())?;
        if !parts.iter().any(|part| part.any(&|op| op.role() == Role::Layer)) {
            return Err(Error::config(PLACE, "no linear layer; give the width of the output at least"));
        }
        self.find_loss()?;
        Ok(parts)
    }

    /// Its layers as a graph, without a loss.
    pub(crate) fn built(&self) -> Result<Built> {
        build(&self.input(), &self.parts()?)
    }

    /// The names of its layers with weights, whether each is linear, and what is known of its weights before training, running
    /// statistics included; empty for a model that cannot be built.
    pub(crate) fn specs(&self) -> Vec<(String, bool, Vec<ParameterSpec>)> {
        let Ok(Built { graph, .. }) = self.built() else { return Vec::new() };
        let mut specs = Vec::new();
        for node in graph.nodes() {
            // A weight that several layers use is that of the first of them.
            let own = node.inputs.iter().enumerate().filter(|&(k, _)| graph.use_of(node, k) == 0);
            let own = own.map(|(_, &input)| graph.info(input));
            let own = own.filter_map(|info| match &info.shape {
                Shape::Parameters(parts) => Some((&info.name, parts)),
                Shape::Sample { .. } => None,
            });
            let is_linear = matches!(node.op.mlp_part(), Some(MlpPart::Linear));
            let mut all = (String::new(), is_linear, Vec::new());
            for (name, parts) in own {
                all.0.clone_from(name);
                all.2.extend(parts.iter().cloned());
            }
            specs.push(all);
        }
        specs.retain(|(.., parts)| !parts.is_empty());
        specs
    }

    /// Its layers, one after the other, each written out as often as it is there; none for a model that cannot be built.
    pub fn summary(&self) -> Vec<LayerSummary> {
        self.built().map(|built| LayerSummary::of(&built)).unwrap_or_default()
    }

    /// The names and shapes of its weights, as in a PyTorch `state_dict`: running statistics, such as running means, are among
    /// them.
    pub fn parameters(&self) -> BTreeMap<String, Vec<usize>> {
        let all = self.specs().into_iter().flat_map(|(name, _, parts)| {
            parts.into_iter().map(move |part| (format!("{name}.{}", part.name), part.shape))
        });
        all.collect()
    }

    /// Columns of the output; of each position, if it has several.
    pub fn outputs(&self) -> usize {
        self.output().columns().unwrap_or(0)
    }

    /// Positions of the output (tokens, pixels), each with a target of its own.
    pub fn positions(&self) -> usize {
        self.output().positions()
    }

    /// The shape of the output; that of a sample for a model that cannot be built.
    pub fn output(&self) -> Shape {
        self.built().map_or_else(|_| self.input(), |built| built.graph.shape(built.output).clone())
    }

    /// What the loss compares the output with.
    pub fn reads(&self) -> TargetKind {
        match self.find_loss().map(|op| op.role()) {
            Ok(Role::Loss(reads)) => reads,
            _ => TargetKind::Values,
        }
    }

    /// Columns of the target; of each position, if the output has several.
    pub fn targets(&self) -> usize {
        match self.reads() {
            TargetKind::Class => 1,
            TargetKind::Values | TargetKind::Flags => self.outputs(),
        }
    }

    /// The model as a graph; with a target, for training.
    ///
    /// # Errors
    /// Those of [`Model::new`], among them shapes that do not fit each other, and [`Error::Shape`] if they do not fit the loss.
    pub fn network(&self, with_target: bool) -> Result<Network> {
        self.network_with(with_target.then(|| self.find_loss()).transpose()?)
    }

    /// As [`Model::network`], for training with this loss: the model's own, with attributes.
    ///
    /// # Errors
    /// As [`Model::network`].
    pub fn network_with(&self, loss: Option<Arc<dyn Op>>) -> Result<Network> {
        let Built { mut graph, output, .. } = self.built()?;
        let shape = graph.shape(output).clone();
        let targets = match self.reads() {
            TargetKind::Class => shape.with_columns(1),
            TargetKind::Values | TargetKind::Flags => shape.clone(),
        };
        let mut apply = |op: Arc<dyn Op>| {
            let target = graph.target_of(targets.dims());
            if shape.positions() > 1 {
                graph.weigh_positions(shape.positions());
            }
            graph.apply(op, &self.loss, &[output, target])
        };
        let loss = loss.map(&mut apply).transpose()?;
        debug_assert!(graph.only(TensorKind::Input).is_some(), "a network has an input");
        Ok(Network { graph, output, loss })
    }

    /// The op of the loss.
    pub(crate) fn find_loss(&self) -> Result<Arc<dyn Op>> {
        let is_loss = |op: &Arc<dyn Op>| matches!(op.role(), Role::Loss(_));
        let own = || self.own_ops().iter().filter(|op| is_loss(op));
        let found = own().find(|op| op.name() == self.loss).cloned();
        found.or_else(|| ops::find(&self.loss).filter(is_loss)).ok_or_else(|| {
            let known: Vec<&str> = ops::losses().into_iter().chain(own().map(|op| op.name())).collect();
            let hint = match nearest(&self.loss, known.iter().copied()) {
                Some(near) => format!("did you mean \"{near}\"?"),
                None => format!("there is: {}", known.join(", ")),
            };
            Error::config("model.loss", format!("{} is not a known loss; {hint}", shown(&self.loss)))
        })
    }
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
            (r#"{"linear": {"bias": false}}"#, "takes out_features, as in"),
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
