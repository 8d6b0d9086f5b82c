//! What an op is: the trait, and the context in which an op makes its steps.

use std::fmt::Debug;

use super::{Blocks, Epilogues, Graph, Hardware, MlpPart, Node, Resource, Step, Tensor, TensorKind, Tolerance, Work};
use crate::gpu::{Grid, Shader};
use crate::tensor::{Matrix, Operand, ParameterSpec, Shape, pad4};

/// One operation with its attributes: its shape rule, its kernels forward and backward, its reference in plain f64, and how
/// far its kernels may be from that. An op is one file in `ops/`, one in `shaders/` and one line in [`ops::ALL`](crate::ops::ALL).
pub trait Op: Debug + Send + Sync {
    /// Its name, as a configuration calls it.
    fn name(&self) -> &'static str;

    /// What it is in a network.
    fn role(&self) -> Role;

    /// Its WGSL.
    fn shader(&self) -> &'static Shader;

    /// What it learns, for an input of this shape; nothing for most ops.
    fn parameters(&self, _input: &Shape) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Whether its bare name in a list of layers says all there is to say: its attributes have defaults.
    fn stands_alone(&self) -> bool {
        true
    }

    /// The shape that it makes of these.
    ///
    /// # Errors
    /// What is wrong with them, in a sentence.
    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String>;

    /// What its forward kernels save for its backward kernels beside inputs and output: floats of each, for one row.
    fn saved(&self, _inputs: &[&Shape]) -> Vec<usize> {
        Vec::new()
    }

    /// Memory that its steps use between them, and nobody else after them: floats of each piece.
    fn scratch(&self, _inputs: &[&Shape]) -> Vec<Scratch> {
        Vec::new()
    }

    /// The kernels that compute the output; those of a loss compute the gradient of its first input, too.
    fn forward(&self, cx: &OpContext) -> Vec<Step>;

    /// The kernels that compute the gradients of the inputs that [`OpContext::wants`] names. A loss has none left.
    fn backward(&self, cx: &OpContext) -> Vec<Step>;

    /// What it is in the kernels of a whole multi-layer perceptron; most ops are no part of one.
    fn mlp_part(&self) -> Option<MlpPart> {
        None
    }

    /// `output = op(inputs)` in f64, obviously right.
    fn reference_forward(&self, inputs: &[Operand]) -> Matrix;

    /// The gradient of each input, given that of the output. An input that has none gets an empty matrix.
    fn reference_backward(&self, inputs: &[Operand], output: &Matrix, doutput: &Matrix) -> Vec<Matrix>;

    /// How far f32 may be from the reference.
    fn tolerance(&self, checked: &Checked) -> Tolerance;

    /// Where its derivative jumps, in terms of its first input, or for a loss of its first input minus the target.
    fn kinks(&self) -> &'static [f64] {
        &[]
    }
}

impl dyn Op {
    /// The shape that it makes of an input and its own parameters.
    ///
    /// # Errors
    /// As [`Op::output`].
    pub fn shape_of(&self, x: &Shape) -> Result<Shape, String> {
        match self.parameters(x) {
            none if none.is_empty() => self.output(&[x]),
            parts => self.output(&[x, &Shape::Parameters(parts)]),
        }
    }
}

/// What an op is in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes rows, and parameters if it has any.
    Layer,
    /// Takes rows and makes rows of the same shape, element by element.
    Activation,
    /// Takes rows and a target and makes the loss of each position.
    Loss(TargetKind),
}

/// What a loss compares the columns of a position with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// As many numbers as there are columns.
    Values,
    /// For each column, yes (1) or no (0); the column is the logit of yes.
    Flags,
    /// The number of a class; the columns are the classes' logits.
    Class,
}

/// A piece of memory that an op's steps use between them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scratch {
    /// Floats for each row.
    pub per_row: usize,
    /// Floats whatever the rows.
    pub fixed: usize,
}

/// An op as it was run in f64: what its tolerance follows from.
pub struct Checked<'a> {
    /// What it was given.
    pub inputs: &'a [Operand<'a>],
    /// What it makes of that.
    pub output: &'a Matrix,
    /// The gradient of its output.
    pub doutput: &'a Matrix,
    /// The gradients of its inputs.
    pub gradients: &'a [Matrix],
}

/// Whether a kernel writes a gradient or adds to what another wrote there before it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// The first to write.
    Overwrite,
    /// A later one.
    Accumulate,
}

/// Where an op stands in a graph.
pub struct OpContext<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
    /// For each input, whether its gradient is wanted and how it is written.
    pub wants: Vec<Option<Write>>,
    /// The activations that its kernels compute as well; only layers with a [`MlpPart::Linear`] are given any.
    pub epilogues: Epilogues,
    /// What the choice of its kernels follows from.
    pub hardware: Hardware,
}

impl OpContext<'_> {
    /// The op's k-th input.
    pub fn input(&self, k: usize) -> Tensor {
        self.node.inputs[k]
    }

    /// What the op makes.
    pub fn output(&self) -> Tensor {
        self.node.output
    }

    /// The innermost dimension of a tensor.
    pub fn columns(&self, tensor: Tensor) -> u32 {
        self.graph.columns(tensor) as u32
    }

    /// The positions of each row of the op's first input.
    pub fn positions(&self) -> u32 {
        self.graph.shape(self.input(0)).positions() as u32
    }

    /// From one line (a row, or a position of a row) to the next, in floats. An input with one position lies in the records, all
    /// else in memory of its own.
    pub fn stride(&self, tensor: Tensor) -> u32 {
        if self.graph.in_records(tensor) {
            return self.graph.record().stride as u32;
        }
        pad4(self.graph.columns(tensor)) as u32
    }

    /// Where what the op makes goes.
    pub fn output_value(&self) -> Resource {
        Resource::Value(self.output())
    }

    /// Where the gradient of what the op makes is.
    pub fn output_gradient(&self) -> Resource {
        Resource::Gradient(self.output())
    }

    /// Where the k-th input's value is.
    pub fn value(&self, k: usize) -> Resource {
        Resource::Value(self.input(k))
    }

    /// Where the gradient of the k-th input goes. That of a parameter has a place for each use, so that each is a sum of its own.
    pub fn gradient(&self, k: usize) -> Resource {
        let tensor = self.input(k);
        match self.graph.info(tensor).kind {
            TensorKind::Parameter => Resource::of_use(tensor, self.graph.use_of(self.node, k)),
            _ => Resource::Gradient(tensor),
        }
    }

    /// Where the open block of the k-th input's gradient is; the input is a parameter.
    pub fn open(&self, k: usize) -> Resource {
        Resource::open_of_use(self.input(k), self.graph.use_of(self.node, k))
    }

    /// What the forward kernels saved, by its number in [`Op::saved`].
    pub fn saved(&self, k: usize) -> Resource {
        Resource::Saved(self.output(), k as u16)
    }

    /// A piece of memory between the op's steps, by its number in [`Op::scratch`].
    pub fn scratch(&self, k: usize) -> Resource {
        Resource::Scratch(self.output(), k as u16)
    }

    /// A step of this op over the lines of its first input, so far without dims and bindings. `work` is that of one line.
    pub fn step(&self, entry: &'static str, grid: Grid, work: Work) -> Step {
        let name = &self.graph.info(self.output()).name;
        let blocks = Blocks::of(self.positions() as usize);
        Step::new(&format!("{name} {entry}"), self.node.op.shader(), entry, grid, work).over(blocks)
    }
}

/// The shape of rows, or what is wrong.
pub fn sample<'a>(shape: &'a Shape, what: &str) -> Result<&'a Shape, String> {
    match shape {
        Shape::Sample { .. } => Ok(shape),
        Shape::Parameters(_) => Err(format!("{what} is {shape}, but rows are wanted")),
    }
}
