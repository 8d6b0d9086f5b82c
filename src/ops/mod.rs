//! What a network is made of. An op is one file here, one file in `shaders/` and one line in [`ALL`].

mod bce;
mod cross_entropy;
mod gelu;
mod gelu_tanh;
mod huber;
mod leaky_relu;
pub mod linear;
mod loss;
mod map;
mod mse;
mod parts;
mod relu;
mod sigmoid;
mod silu;
mod tanh;

use crate::gpu::{Cost, Grid, Label, Scalar, Shader};
use crate::graph::{Graph, Node, Shape, Tensor, pad4};
use crate::reference::Matrix;

pub use linear::{MatmulKernel, MatmulPolicy};
pub use loss::Reads;
pub use map::DerivativeOf;
pub(crate) use mse::MSE;
pub(crate) use relu::RELU;

/// Every op there is.
pub static ALL: &[&dyn Op] = &[
    &linear::LINEAR,
    &relu::RELU,
    &leaky_relu::LEAKY_RELU,
    &tanh::TANH,
    &sigmoid::SIGMOID,
    &silu::SILU,
    &gelu::GELU,
    &gelu_tanh::GELU_TANH,
    &mse::MSE,
    &cross_entropy::CROSS_ENTROPY,
    &huber::HUBER,
    &bce::BCE,
];

/// One operation: its shape rule, its kernels forward and backward, and its reference in plain f64.
pub trait Op: Sync {
    /// Its name: that of its two files, and what a configuration calls it.
    fn name(&self) -> &'static str;

    /// What it is in a network.
    fn role(&self) -> Role;

    /// Its WGSL.
    fn shader(&self) -> &Shader;

    /// The shape that it makes of these, or what is wrong with them.
    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String>;

    /// The kernel that computes `context.output`; that of a loss computes the gradient of its first input, too.
    fn forward(&self, cx: &OpContext) -> Step;

    /// The kernels that compute the gradients of the inputs that [`OpContext::wants`] names. A loss has none left.
    fn backward(&self, cx: &OpContext) -> Vec<Step>;

    /// What it is in a kernel that does several ops at once; an op that is no part of such kernels says nothing.
    fn fusion_part(&self) -> Option<FusionPart> {
        None
    }

    /// `output = op(inputs)`, obviously right. Parameters are one row: part after part.
    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix;

    /// The gradient of each input, given that of the output. An input that has none gets an empty matrix.
    fn reference_backward(&self, inputs: &[&Matrix], output: &Matrix, doutput: &Matrix) -> Vec<Matrix>;
}

/// What an op is in a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// Takes rows and parameters.
    Layer,
    /// Takes rows and makes rows of the same width.
    Activation,
    /// Takes rows and a target and makes the loss of each row.
    Loss(Reads),
}

/// What an op brings to kernels that do several ops at once: `shaders/fused/`, and layers with an activation.
#[derive(Clone, Copy, Debug)]
pub enum FusionPart {
    /// The matrix products, which these kernels do by themselves.
    Linear,
    /// The WGSL of f and df, and what df is a function of.
    Activation(&'static [&'static str], DerivativeOf),
    /// The WGSL of `prepare`, `loss_of` and `dloss_of`.
    Loss(&'static [&'static str]),
}

/// The op of a name.
pub fn find(name: &str) -> Option<&'static dyn Op> {
    ALL.iter().copied().find(|op| op.name() == name)
}

/// The names of all activations.
pub fn activations() -> Vec<&'static str> {
    ALL.iter().filter(|op| op.role() == Role::Activation).map(|op| op.name()).collect()
}

/// The names of all losses.
pub fn losses() -> Vec<&'static str> {
    ALL.iter().filter(|op| matches!(op.role(), Role::Loss(_))).map(|op| op.name()).collect()
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
    /// What the op's kernels do along the way; only a [`FusionPart::Linear`] is asked to do anything.
    pub epilogues: Epilogues,
    /// What the choice of kernels for matrix products follows from.
    pub matmul: MatmulPolicy,
}

/// The activations around a layer that have no kernels of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogues {
    /// The one that made its first input, where its gradient goes on to the activation's own input at once.
    pub backward: Option<Activation>,
    /// The one that takes its output, as the only one that does.
    pub forward: Option<Activation>,
}

/// An activation as the kernels of a layer see it.
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    /// Its name.
    pub name: &'static str,
    /// The WGSL of f and df.
    pub wgsl: &'static [&'static str],
    /// What it takes.
    pub x: Tensor,
    /// What it makes.
    pub y: Tensor,
    /// What is kept for the way back; nothing where there is none.
    pub saved: Option<DerivativeOf>,
}

impl Activation {
    /// The tensor that is kept for the way back.
    pub fn saved(&self) -> Option<Tensor> {
        self.saved.map(|saved| match saved {
            DerivativeOf::Input => self.x,
            DerivativeOf::Output => self.y,
        })
    }
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

    /// Columns of a tensor that has rows.
    pub fn columns(&self, tensor: Tensor) -> u32 {
        self.graph.columns(tensor) as u32
    }

    /// From one row to the next, in floats: the input lies in records, all else in rows of its own.
    pub fn stride(&self, tensor: Tensor) -> u32 {
        match self.graph.info(tensor).kind {
            crate::graph::TensorKind::Input | crate::graph::TensorKind::Target => self.graph.record().stride as u32,
            _ => pad4(self.graph.columns(tensor)) as u32,
        }
    }

    /// A step of this op, so far without dims and bindings.
    pub fn step(&self, entry: &'static str, grid: Grid) -> Step {
        let name = &self.graph.info(self.output()).name;
        Step::new(&format!("{name} {entry}"), self.node.op.shader(), entry, grid)
    }
}

/// One dispatch as data: which kernel, with which sizes, on which tensors.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes, for people.
    pub label: String,
    /// The shader.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// Values of the shader's `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    /// Values of the fields of the shader's `dims`.
    pub dims: Vec<(&'static str, Scalar)>,
    /// Values of the fields of the shader's `layers`, layer by layer.
    pub layers: Vec<Vec<(&'static str, Scalar)>>,
    /// What each variable of the shader is bound to.
    pub bindings: Vec<(&'static str, Resource)>,
    /// Its invocations.
    pub grid: Grid,
    /// What it computes and moves; nothing where nobody has counted it.
    pub cost: Cost,
    /// Turns that the loops of one invocation take together, at most.
    pub loops: LoopBound,
    /// Finer steps that do the same together, for when this one takes long by itself; none where it never does.
    pub parts: Vec<Step>,
}

/// Turns of loops, which for a micro-batch of more rows may be more.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LoopBound {
    /// However many rows there are.
    pub fixed: u64,
    /// For each block of 32 rows.
    pub block: u64,
}

impl LoopBound {
    /// For so many rows, which may begin and end inside a block.
    pub fn of(self, rows: usize) -> u64 {
        self.fixed + self.block * (rows as u64 / 32 + 2)
    }
}

impl Step {
    /// A step without dims, bindings and constants so far.
    pub fn new(label: &str, shader: &'static Shader, entry: &'static str, grid: Grid) -> Step {
        let (constants, dims, layers, bindings) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        Step {
            label: label.to_owned(),
            shader,
            entry,
            constants,
            dims,
            layers,
            bindings,
            grid,
            loops: LoopBound::default(),
            cost: Cost::default(),
            parts: Vec::new(),
        }
    }

    /// Sets the fields of `dims`.
    pub fn dims(mut self, dims: &[(&'static str, u32)]) -> Step {
        self.dims.extend(dims.iter().map(|&(name, value)| (name, Scalar::U32(value))));
        self
    }

    /// Binds a variable.
    pub fn bind(mut self, name: &'static str, place: Resource) -> Step {
        self.bindings.push((name, place));
        self
    }

    /// Says how many turns its loops take.
    pub fn loops(mut self, fixed: u64, block: u64) -> Step {
        self.loops = LoopBound { fixed, block };
        self
    }

    /// Sets an `override` constant.
    pub fn constant(mut self, name: &'static str, value: f64) -> Step {
        self.constants.push((name, value));
        self.parts.iter_mut().for_each(|part| part.constants.push((name, value)));
        self
    }

    /// Says how many floats it moves for each row, and how many whatever the rows.
    pub fn moves(mut self, per_row: u32, once: u64) -> Step {
        (self.cost.bytes_per_row, self.cost.bytes) = (4 * u64::from(per_row), 4 * once);
        self
    }

    /// Says how many operations on floats it does for each row.
    pub fn computes(mut self, per_row: u64) -> Step {
        self.cost.flops_per_row = per_row;
        self
    }

    /// What it is and costs, for a profile.
    pub fn to_label(&self) -> Label {
        Label {
            step: self.label.clone(),
            kernel: format!("{}.{}", self.shader.name, self.entry),
            cost: Cost { kind: self.kind(), ..self.cost },
        }
    }

    /// Sets the `override` constant `ACCUMULATE`.
    pub fn write(self, write: Write) -> Step {
        self.constant("ACCUMULATE", f64::from(u8::from(write == Write::Accumulate)))
    }
}

/// A place in memory, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The value of a tensor: a parameter's part of the parameters, the records, or rows.
    Value(Tensor),
    /// The gradient of a tensor.
    Gradient(Tensor),
    /// The open block of a parameter's gradient.
    Open(Tensor),
    /// The records of the micro-batch: features, targets and weights.
    Record,
    /// The sums of the open window and the results of the last ones.
    Stats,
    /// The samples of this submission, by number.
    Samples,
    /// The data set, where it stays on the GPU.
    Data,
    /// All that has rows, where one kernel does a whole network.
    Arena,
    /// All parameters, from the first vec4 to before the second.
    Parameters(Span),
    /// Their gradients.
    Gradients(Span),
    /// The open blocks of their gradients.
    OpenGradients(Span),
    /// What the optimizer remembers of them, and how many times as much it is.
    OptimizerState(Span),
    /// Parts of the squared norm of the gradient.
    Norms,
}

/// A stretch of the parameters, in vec4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Where it begins.
    pub start: u32,
    /// How long it is.
    pub len: u32,
}

impl Span {
    /// Its length in floats.
    pub fn floats(self) -> u64 {
        4 * u64::from(self.len)
    }
}

/// Rows of `columns`, or what is wrong.
pub(crate) fn rows(shape: &Shape, what: &str) -> Result<usize, String> {
    shape.columns().ok_or_else(|| format!("{what} is {shape}, but rows are wanted"))
}
