//! The trait [`Op`], and the context in which an op makes its steps.

use std::fmt::Debug;
use std::sync::Arc;

use serde_json::Value;

use super::{
    Blocks, Epilogues, Export, Graph, Hardware, MlpPart, Node, Resource, Step, Tensor, TensorKind, Tolerance, Work,
};
use crate::gpu::{Grid, Shader};
use crate::tensor::{Matrix, Operand, ParameterSpec, Shape, pad4};

/// One operation with its attributes: its shape rule, its forward and backward kernels, its reference in plain f64, and the
/// tolerance of its kernels. An op is one file or folder in `ops/`, one in `shaders/` and one line in [`ops::ALL`](crate::ops::ALL).
pub trait Op: Debug + Send + Sync {
    /// Its name in a configuration.
    fn name(&self) -> &'static str;

    /// Its role in a network.
    fn role(&self) -> Role;

    /// Its WGSL.
    fn shader(&self) -> &'static Shader;

    /// The shapes of its parameters for an input of this shape; empty for most ops.
    fn parameters(&self, _input: &Shape) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// The shapes of what it keeps besides its parameters for an input of this shape, such as running means; empty for most ops.
    /// Its forward kernels sum a window's share of it up where its gradient would lie, and [`Op::update`] moves it.
    fn statistics(&self, _input: &Shape) -> Vec<ParameterSpec> {
        Vec::new()
    }

    /// Rows of a window that it looks at together, counted from the window's start; no micro-batch but the last may end inside of
    /// such a group.
    fn group(&self) -> usize {
        1
    }

    /// Whether it computes something else in training than in use.
    fn differs_in_training(&self) -> bool {
        false
    }

    /// The kind of one of its parameters, by which a configuration names learning-rate factors.
    fn kind_of(&self, _part: &ParameterSpec) -> &'static str {
        self.name()
    }

    /// Whether its bare name is enough in a list of layers: all attributes have defaults.
    fn stands_alone(&self) -> bool {
        true
    }

    /// Whether a list of layers may give it arguments.
    fn takes_arguments(&self) -> bool {
        !self.stands_alone()
    }

    /// The same op with other attributes, as a configuration gives them after its name: `{ embedding = [[12, 4]] }`.
    ///
    /// # Errors
    /// One sentence that says what it takes.
    fn with(&self, _arguments: &Value) -> Result<Arc<dyn Op>, String> {
        Err(takes_nothing(self.name()))
    }

    /// The shape of its output for inputs of these shapes.
    ///
    /// # Errors
    /// One sentence that says what is wrong with the inputs.
    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String>;

    /// What the forward kernels save for the backward kernels besides inputs and output: floats per row of each saved array.
    fn saved(&self, _inputs: &[&Shape]) -> Vec<usize> {
        Vec::new()
    }

    /// Scratch memory of its steps, free again after them: floats of each piece.
    fn scratch(&self, _inputs: &[&Shape]) -> Vec<Scratch> {
        Vec::new()
    }

    /// The forward kernels. Those of a loss also compute the gradient of its first input.
    fn forward(&self, cx: &OpContext) -> Vec<Step>;

    /// The backward kernels, for the gradients of the inputs that [`OpContext::wants`] names. A loss has none.
    fn backward(&self, cx: &OpContext) -> Vec<Step>;

    /// Whether the gradients of its parameters have one term for each row, not for each position of it. Then they are summed in
    /// blocks of rows, which may be open where a micro-batch ends, however many positions there are.
    fn sums_rows(&self) -> bool {
        false
    }

    /// Whether a position of its output depends on later positions of its input: then it cannot predict them.
    fn looks_ahead(&self) -> bool {
        false
    }

    /// The kernels that move its statistics when a window ends; they have to ask whether its update is made.
    fn update(&self, _cx: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    /// Its role in the kernels of a whole multi-layer perceptron; `None` for most ops.
    fn mlp_part(&self) -> Option<MlpPart> {
        None
    }

    /// Whether its forward kernel computes the activation of its output too, if [`OpContext::epilogues`] names one.
    fn activates(&self) -> bool {
        matches!(self.mlp_part(), Some(MlpPart::Linear))
    }

    /// Whether its backward kernel goes on through the activation that made its first input, if [`OpContext::epilogues`] names one.
    fn passes_back(&self) -> bool {
        matches!(self.mlp_part(), Some(MlpPart::Linear))
    }

    /// The forward reference: `output = op(inputs)` in f64, obviously right.
    fn reference_forward(&self, inputs: &[Operand]) -> Matrix;

    /// The backward reference: the gradient of each input, given the output's gradient. An input without gradient gets an empty
    /// matrix.
    fn reference_backward(&self, inputs: &[Operand], output: &Matrix, doutput: &Matrix) -> Vec<Matrix>;

    /// Multiplications that its output takes, for one sample of this shape; 0 where they are few beside those of other ops.
    fn multiplications(&self, _x: &Shape) -> u64 {
        0
    }

    /// The tolerance of the f32 kernels against the reference.
    fn tolerance(&self, checked: &Checked) -> Tolerance;

    /// What it is in PyTorch and ONNX, for an input of this shape; `None` for what no model is made of, such as a loss.
    fn export(&self, _input: &Shape) -> Option<Export> {
        None
    }

    /// Where the derivative jumps, as values of the first input; for a loss, of the first input minus the target.
    fn kinks(&self) -> &'static [f64] {
        &[]
    }

    /// Whether the derivative jumps nowhere within this distance of the inputs, for an op where that is no matter of single values.
    fn is_smooth(&self, _inputs: &[Operand], _within: f64) -> bool {
        true
    }
}

impl dyn Op {
    /// The shape of the output for this input and the op's own parameters.
    ///
    /// # Errors
    /// As [`Op::output`].
    pub fn shape_of(&self, x: &Shape) -> Result<Shape, String> {
        let own = [self.parameters(x), self.statistics(x)].map(Shape::Parameters);
        let own = own.iter().filter(|shape| matches!(shape, Shape::Parameters(parts) if !parts.is_empty()));
        self.output(&std::iter::once(x).chain(own).collect::<Vec<_>>())
    }
}

/// An op's role in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes rows, and parameters if it has any.
    Layer,
    /// Takes rows, and makes rows of the same shape element by element.
    Activation,
    /// Takes rows of several tensors and makes rows of all of them.
    Join,
    /// Takes rows and a target and makes the loss of each position.
    Loss(TargetKind),
}

/// What a loss compares the columns of a position with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// One number per column.
    Values,
    /// Yes (1) or no (0) per column; the column is the logit of yes.
    Flags,
    /// The number of a class; the columns are the classes' logits.
    Class,
}

/// A piece of an op's scratch memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Scratch {
    /// This many floats per row.
    pub per_row: usize,
    /// This many floats, whatever the number of rows.
    pub fixed: usize,
}

/// An op's values in f64, from which its tolerance follows.
pub struct Checked<'a> {
    /// The inputs.
    pub inputs: &'a [Operand<'a>],
    /// The output.
    pub output: &'a Matrix,
    /// The gradient of the output.
    pub doutput: &'a Matrix,
    /// The gradients of the inputs.
    pub gradients: &'a [Matrix],
}

/// Whether a kernel overwrites a gradient or adds to it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Write {
    /// This kernel writes first.
    Overwrite,
    /// An earlier kernel wrote: this one adds.
    Accumulate,
}

/// An op's place in a graph, from which it makes its steps.
pub struct OpContext<'a> {
    /// The graph.
    pub graph: &'a Graph,
    /// The node.
    pub node: &'a Node,
    /// For each input: how its gradient is written, or `None` if nobody wants the gradient.
    pub wants: Vec<Option<Write>>,
    /// The activations that its kernels compute too; see [`Op::activates`] and [`Op::passes_back`].
    pub epilogues: Epilogues,
    /// What decides the choice of its kernels.
    pub hardware: Hardware,
    /// Whether its steps are those of training; otherwise those of a model in use.
    pub trains: bool,
    /// The seed of what it draws.
    pub seed: u64,
}

impl OpContext<'_> {
    /// The op's k-th input.
    pub fn input(&self, k: usize) -> Tensor {
        self.node.inputs[k]
    }

    /// The op's output.
    pub fn output(&self) -> Tensor {
        self.node.output
    }

    /// The innermost dimension of a tensor.
    pub fn columns(&self, tensor: Tensor) -> u32 {
        self.graph.columns(tensor) as u32
    }

    /// Positions per row of the op's first input.
    pub fn positions(&self) -> u32 {
        self.graph.shape(self.input(0)).positions() as u32
    }

    /// Floats from one line (a row, or a position of a row) of a tensor to the next. An input with one position lies in the
    /// records, every other tensor in memory of its own.
    pub fn stride(&self, tensor: Tensor) -> u32 {
        if self.graph.in_records(tensor) {
            return self.graph.record().stride as u32;
        }
        pad4(self.graph.columns(tensor)) as u32
    }

    /// The output's value.
    pub fn output_value(&self) -> Resource {
        Resource::Value(self.output())
    }

    /// The output's gradient.
    pub fn output_gradient(&self) -> Resource {
        Resource::Gradient(self.output())
    }

    /// The k-th input's value.
    pub fn value(&self, k: usize) -> Resource {
        Resource::Value(self.input(k))
    }

    /// The k-th input's gradient. A parameter has one gradient per use.
    pub fn gradient(&self, k: usize) -> Resource {
        let tensor = self.input(k);
        match self.graph.info(tensor).kind {
            TensorKind::Parameter => Resource::of_use(tensor, self.graph.use_of(self.node, k)),
            _ => Resource::Gradient(tensor),
        }
    }

    /// The open block of the gradient of the k-th input, a parameter.
    pub fn open(&self, k: usize) -> Resource {
        Resource::open_of_use(self.input(k), self.graph.use_of(self.node, k))
    }

    /// The k-th array of [`Op::saved`].
    pub fn saved(&self, k: usize) -> Resource {
        Resource::Saved(self.output(), k as u16)
    }

    /// The k-th piece of [`Op::scratch`].
    pub fn scratch(&self, k: usize) -> Resource {
        Resource::Scratch(self.output(), k as u16)
    }

    /// A step of this op over the lines of its first input, without dims and bindings yet. `work` is that of one line.
    pub fn step(&self, entry: &'static str, grid: Grid, work: Work) -> Step {
        self.step_over(self.input(0), entry, grid, work)
    }

    /// The same over the lines of this tensor.
    pub fn step_over(&self, tensor: Tensor, entry: &'static str, grid: Grid, work: Work) -> Step {
        self.step_of_lines(self.graph.shape(tensor).positions(), entry, grid, work)
    }

    /// The same for so many lines of each row, whatever they are.
    pub fn step_of_lines(&self, lines: usize, entry: &'static str, grid: Grid, work: Work) -> Step {
        let name = &self.graph.info(self.output()).name;
        Step::new(&format!("{name} {entry}"), self.node.op.shader(), entry, grid, work).over(Blocks::of(lines))
    }

    /// The same over rows as a whole, whatever their positions are: in its kernel, lines are rows. `work` is that of one row.
    pub fn step_over_rows(&self, entry: &'static str, grid: Grid, work: Work) -> Step {
        let name = &self.graph.info(self.output()).name;
        Step::new(&format!("{name} {entry}"), self.node.op.shader(), entry, grid, work)
    }

    /// The number of this op among those of its name in the graph, from 0: what it draws differs from what the others draw.
    pub fn stream(&self) -> u32 {
        let before = self.graph.nodes().iter().take_while(|node| node.output != self.output());
        before.filter(|node| node.op.name() == self.node.op.name()).count() as u32
    }
}

/// What an op without attributes says to arguments.
pub(crate) fn takes_nothing(name: &str) -> String {
    format!("takes nothing; write \"{name}\" alone")
}

/// Returns the shape if it is that of rows; otherwise says what is wrong.
pub fn sample<'a>(shape: &'a Shape, what: &str) -> Result<&'a Shape, String> {
    match shape {
        Shape::Sample { .. } => Ok(shape),
        Shape::Parameters(_) => Err(format!("{what} is {shape}, but rows are wanted")),
    }
}
