//! The network as data: tensors are small ids with a shape and a name, nodes say which op makes which tensor.

use crate::ops::Op;
use crate::{Error, Result};

/// A tensor of a [`Graph`]. It is an id: copying it copies no data.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Tensor(pub(crate) usize);

/// The shape of a tensor.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// One row per sample, each of so many columns.
    Rows(usize),
    /// What a layer learns, part by part.
    Parameters(Vec<ParameterSpec>),
}

/// One learned array of a layer, under the name that PyTorch gives it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ParameterSpec {
    /// `weight`, `bias`, …
    pub name: &'static str,
    /// Its shape, as in a PyTorch `state_dict`.
    pub shape: Vec<usize>,
}

impl ParameterSpec {
    /// Its elements.
    pub fn elements(&self) -> usize {
        self.shape.iter().product()
    }

    /// Rows and columns; a vector is one row.
    pub fn matrix(&self) -> (usize, usize) {
        let columns = self.shape.last().copied().unwrap_or(1);
        (self.elements() / columns.max(1), columns)
    }

    /// Rows and columns as they lie on the GPU: a matrix is padded with +0 to multiples of four, a vector at its end.
    pub fn padded(&self) -> (usize, usize) {
        let (rows, columns) = self.matrix();
        (if self.shape.len() > 1 { pad4(rows) } else { rows }, pad4(columns))
    }
}

/// The next multiple of four.
pub fn pad4(n: usize) -> usize {
    n.next_multiple_of(4)
}

impl Shape {
    /// Columns of a tensor that has rows.
    pub fn columns(&self) -> Option<usize> {
        match self {
            Shape::Rows(columns) => Some(*columns),
            Shape::Parameters(_) => None,
        }
    }
}

impl std::fmt::Display for Shape {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Shape::Rows(columns) => write!(f, "(rows, {columns})"),
            Shape::Parameters(parts) => {
                let parts: Vec<String> = parts.iter().map(|part| format!("{} {:?}", part.name, part.shape)).collect();
                f.write_str(&parts.join(", "))
            }
        }
    }
}

/// What a tensor is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TensorKind {
    /// The features of the samples.
    Input,
    /// What the loss compares with. A class takes one column.
    Target,
    /// Learned.
    Parameter,
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
    /// What it is for.
    pub kind: TensorKind,
}

/// `output = op(inputs)`
#[derive(Clone)]
pub struct Node {
    /// The op.
    pub op: &'static dyn Op,
    /// What it reads, in the op's own order.
    pub inputs: Vec<Tensor>,
    /// What it makes.
    pub output: Tensor,
}

/// A network: its tensors, and the nodes in the order in which they are computed.
#[derive(Clone, Default)]
pub struct Graph {
    tensors: Vec<Info>,
    nodes: Vec<Node>,
}

impl Graph {
    /// An empty graph.
    pub fn new() -> Graph {
        Graph::default()
    }

    /// The features: (rows, columns). A graph has one input.
    pub fn input(&mut self, columns: usize) -> Tensor {
        self.add("input", Shape::Rows(columns), TensorKind::Input)
    }

    /// What the loss compares with: (rows, columns); a class takes one column. A graph has one target at most.
    pub fn target(&mut self, columns: usize) -> Tensor {
        self.add("target", Shape::Rows(columns), TensorKind::Target)
    }

    /// What a layer learns. One op may use it, once: the sum of its gradient then has one order.
    pub fn parameters(&mut self, name: &str, parts: Vec<ParameterSpec>) -> Tensor {
        self.add(name, Shape::Parameters(parts), TensorKind::Parameter)
    }

    /// Adds a node and returns what it makes.
    ///
    /// # Errors
    /// [`Error::Shape`] when the op does not take inputs of these shapes.
    pub fn apply(&mut self, op: &'static dyn Op, name: &str, inputs: &[Tensor]) -> Result<Tensor> {
        let shapes: Vec<&Shape> = inputs.iter().map(|&input| self.shape(input)).collect();
        let shape = op.output(&shapes).map_err(|message| Error::Shape { op: op.name(), message })?;
        let reused =
            inputs.iter().find(|&&input| self.info(input).kind == TensorKind::Parameter && self.users(input) > 0);
        if let Some(&reused) = reused {
            let message =
                format!("{} is used by another op already; parameters are not shared", self.info(reused).name);
            return Err(Error::Shape { op: op.name(), message });
        }
        let output = self.add(name, shape, TensorKind::Intermediate);
        self.nodes.push(Node { op, inputs: inputs.to_vec(), output });
        Ok(output)
    }

    fn add(&mut self, name: &str, shape: Shape, kind: TensorKind) -> Tensor {
        self.tensors.push(Info { name: name.to_owned(), shape, kind });
        Tensor(self.tensors.len() - 1)
    }

    fn users(&self, tensor: Tensor) -> usize {
        self.nodes.iter().flat_map(|node| &node.inputs).filter(|&&input| input == tensor).count()
    }

    /// Every tensor, in the order in which they were added.
    pub fn tensors(&self) -> impl Iterator<Item = Tensor> {
        (0..self.tensors.len()).map(Tensor)
    }

    /// The nodes, in the order in which they are computed.
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

    /// Columns of a tensor that has rows; 0 for parameters.
    pub fn columns(&self, tensor: Tensor) -> usize {
        self.shape(tensor).columns().unwrap_or(0)
    }

    /// The tensor of a kind that a graph has one of.
    pub fn only(&self, kind: TensorKind) -> Option<Tensor> {
        self.tensors().find(|&tensor| self.info(tensor).kind == kind)
    }

    /// How a sample lies in memory.
    pub fn record(&self) -> Record {
        let columns = |kind| self.only(kind).map_or(0, |tensor| self.columns(tensor));
        Record::new(columns(TensorKind::Input), columns(TensorKind::Target))
    }
}

/// A sample as it lies in memory: features | padding | target | weight | padding.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record {
    /// Features.
    pub features: usize,
    /// Columns of the target.
    pub targets: usize,
    /// Where the target begins.
    pub target_at: usize,
    /// Where the sample's weight is.
    pub weight_at: usize,
    /// From one record to the next, in floats; a multiple of four.
    pub stride: usize,
}

impl Record {
    /// The layout for so many features and columns of the target.
    pub fn new(features: usize, targets: usize) -> Record {
        let target_at = pad4(features);
        let weight_at = target_at + targets;
        Record { features, targets, target_at, weight_at, stride: pad4(weight_at + 1) }
    }
}
