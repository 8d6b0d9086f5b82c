//! The network as data. A tensor is a small id with a shape and a name; a node says which op makes which tensor. The trait
//! [`Op`] and the steps that ops make are here; the ops themselves are in [`ops`](crate::ops).

mod blocks;
mod export;
mod fusion;
mod op;
mod record;
mod resource;
mod reverse;
mod slices;
mod step;
pub mod tolerance;

use std::sync::Arc;

pub use blocks::{BLOCK, Blocks};
pub use export::{Attribute, Export, ONNX_OPERATORS, OnnxNode, on_images};
pub use fusion::{Activation, DerivativeOf, Epilogues, Hardware, MlpPart};
pub(crate) use op::takes_nothing;
pub use op::{Checked, Op, OpContext, Role, Scratch, TargetKind, Write, sample};
pub use record::{Packing, Record};
pub use resource::{Resource, Span};
pub use reverse::backward;
pub use step::{LoopBound, Step, Table, Work};
pub use tolerance::Tolerance;

pub use crate::tensor::{Init, ParameterSpec, Shape, pad4};
use crate::{Error, Result};

/// A tensor of a [`Graph`]: an id. Copying it copies no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tensor(pub(crate) usize);

/// The purpose of a tensor.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// Features of the samples.
    Input,
    /// What the loss compares the output with.
    Target,
    /// Learned.
    Parameter,
    /// Kept by an op beside its parameters, and moved by its own kernels when a window's update is made.
    Statistic,
    /// Made by an op.
    Intermediate,
}

/// A tensor's name, shape and kind.
#[derive(Clone, Debug)]
pub struct Info {
    /// Dotted, as in `0.weight`.
    pub name: String,
    /// Its shape.
    pub shape: Shape,
    /// Its purpose.
    pub kind: TensorKind,
}

/// `output = op(inputs)`
#[derive(Clone, Debug)]
pub struct Node {
    /// The op.
    pub op: Arc<dyn Op>,
    /// The tensors that the op reads, in the op's order.
    pub inputs: Vec<Tensor>,
    /// The tensor that the op makes.
    pub output: Tensor,
}

/// A network: its tensors, and its nodes in the order of computation.
#[derive(Clone, Debug, Default)]
pub struct Graph {
    tensors: Vec<Info>,
    nodes: Vec<Node>,
    weights: Option<usize>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// Adds features of one position: (rows, columns).
    pub fn input(&mut self, columns: usize) -> Tensor {
        self.input_of(&[columns])
    }

    /// Adds features with these dimensions per sample, channels last: (rows, height, width, channels), (rows, tokens,
    /// channels).
    pub fn input_of(&mut self, dims: &[usize]) -> Tensor {
        self.add("input", Shape::of(dims), TensorKind::Input)
    }

    /// Adds the target: (rows, columns). A class takes one column. A graph has at most one target.
    pub fn target(&mut self, columns: usize) -> Tensor {
        self.target_of(&[columns])
    }

    /// Adds the target with these dimensions per sample: the positions' dimensions, then the columns.
    pub fn target_of(&mut self, dims: &[usize]) -> Tensor {
        self.add("target", Shape::of(dims), TensorKind::Target)
    }

    /// Gives each sample this many weights, one per position of the loss. The default is one weight per sample.
    pub fn weigh_positions(&mut self, positions: usize) {
        self.weights = Some(positions);
    }

    /// Adds a parameter. Several ops may use it: each use sums a gradient of its own, and at the window's end these sums are
    /// added in the order of the uses.
    pub fn parameters(&mut self, name: &str, parts: Vec<ParameterSpec>) -> Tensor {
        self.add(name, Shape::Parameters(parts), TensorKind::Parameter)
    }

    /// Adds a node and returns its output.
    ///
    /// # Errors
    /// [`Error::Shape`] if the op does not take inputs of these shapes.
    pub fn apply(&mut self, op: Arc<dyn Op>, name: &str, inputs: &[Tensor]) -> Result<Tensor> {
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = op.output(&shapes).map_err(|message| Error::Shape { op: op.name(), message })?;
        let output = self.add(name, shape, TensorKind::Intermediate);
        self.nodes.push(Node { op, inputs: inputs.to_vec(), output });
        Ok(output)
    }

    /// Adds an op as a node called `name`. The op's own parameters and statistics, if any, are called `parameters`.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn layer(&mut self, op: Arc<dyn Op>, parameters: &str, name: &str, x: Tensor) -> Result<Tensor> {
        self.join(op, parameters, name, &[x])
    }

    /// As [`Graph::layer`], for an op that reads several tensors besides its own parameters.
    ///
    /// # Errors
    /// As [`Graph::apply`].
    pub fn join(&mut self, op: Arc<dyn Op>, parameters: &str, name: &str, x: &[Tensor]) -> Result<Tensor> {
        let mut inputs = x.to_vec();
        let shape = self.shape(x[0]);
        let own = [(op.parameters(shape), TensorKind::Parameter), (op.statistics(shape), TensorKind::Statistic)];
        for (parts, kind) in own {
            if !parts.is_empty() {
                inputs.push(self.add(parameters, Shape::Parameters(parts), kind));
            }
        }
        self.apply(op, name, &inputs)
    }

    fn add(&mut self, name: &str, shape: Shape, kind: TensorKind) -> Tensor {
        self.tensors.push(Info { name: name.to_owned(), shape, kind });
        Tensor(self.tensors.len() - 1)
    }

    /// Every tensor, in the order of addition.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor> {
        (0..self.tensors.len()).map(Tensor)
    }

    /// Every tensor of a kind.
    pub fn of_kind(&self, kind: TensorKind) -> impl Iterator<Item = Tensor> {
        self.tensors().filter(move |&tensor| self.info(tensor).kind == kind)
    }

    /// The nodes, in the order of computation.
    pub fn nodes(&self) -> &[Node] {
        &self.nodes
    }

    /// A tensor's name, shape and kind.
    pub fn info(&self, tensor: Tensor) -> &Info {
        &self.tensors[tensor.0]
    }

    /// A tensor's shape.
    pub fn shape(&self, tensor: Tensor) -> &Shape {
        &self.info(tensor).shape
    }

    /// The shapes of a node's inputs.
    pub fn shapes(&self, node: &Node) -> Vec<&Shape> {
        node.inputs.iter().map(|&input| self.shape(input)).collect()
    }

    /// The innermost dimension of a tensor; 0 for a parameter.
    pub fn columns(&self, tensor: Tensor) -> usize {
        self.shape(tensor).columns().unwrap_or(0)
    }

    /// The first tensor of a kind.
    pub fn only(&self, kind: TensorKind) -> Option<Tensor> {
        self.of_kind(kind).next()
    }

    /// Rows of a window that some op looks at together: no micro-batch but a window's last may end inside of such a group.
    pub fn group(&self) -> usize {
        self.nodes.iter().map(|node| node.op.group()).fold(1, least_common_multiple)
    }

    /// The name of a node that would look at one number by itself in a window of so many rows, if there is one.
    pub fn lonely(&self, rows: usize) -> Option<&str> {
        let lonely = |node: &&Node| {
            let (group, positions) = (node.op.group(), self.shape(node.inputs[0]).positions());
            let looks = self.of_kind(TensorKind::Statistic).any(|kept| node.inputs.contains(&kept));
            looks && positions == 1 && (group == 1 || rows % group == 1)
        };
        self.nodes.iter().find(lonely).map(|node| self.info(node.output).name.as_str())
    }

    /// Whether a tensor is learned.
    pub fn is_parameter(&self, tensor: Tensor) -> bool {
        self.info(tensor).kind == TensorKind::Parameter
    }

    /// The number of uses of a parameter.
    pub fn uses(&self, parameter: Tensor) -> u16 {
        self.nodes.iter().flat_map(|node| &node.inputs).filter(|&&input| input == parameter).count() as u16
    }

    /// The number of the use, from 0, that a node's k-th input makes of its parameter.
    pub fn use_of(&self, node: &Node, k: usize) -> u16 {
        let parameter = node.inputs[k];
        let before = self.nodes.iter().take_while(|other| other.output != node.output);
        let before = before.flat_map(|node| &node.inputs).chain(&node.inputs[..k]);
        before.filter(|&&input| input == parameter).count() as u16
    }
}

/// The smallest number that both divide.
pub fn least_common_multiple(a: usize, b: usize) -> usize {
    let (mut x, mut y) = (a, b);
    while y > 0 {
        (x, y) = (y, x % y);
    }
    a / x.max(1) * b
}
