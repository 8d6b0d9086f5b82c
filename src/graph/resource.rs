//! What a step reads and writes, by what it is for. The plan gives each a stretch of a buffer.

use super::Tensor;

/// Memory, by what it is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The value of a tensor: a parameter's part of the parameters, the records, or rows.
    Value(Tensor),
    /// The gradient of a tensor; of a parameter that of its first use.
    Gradient(Tensor),
    /// The gradient of a later use of a parameter.
    GradientOfUse(Tensor, u16),
    /// The open block of a parameter's gradient.
    Open(Tensor),
    /// The open block of the gradient of a later use.
    OpenOfUse(Tensor, u16),
    /// What the op that makes a tensor saved for its backward kernels.
    Saved(Tensor, u16),
    /// Memory between the steps of the op that makes a tensor.
    Scratch(Tensor, u16),
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
    /// Their gradients, those of later uses after them.
    Gradients(Span),
    /// The open blocks of their gradients.
    OpenGradients(Span),
    /// What the optimizer remembers of them, and how many times as much it is.
    OptimizerState(Span),
    /// Parts of the squared norm of the gradient.
    Norms,
}

impl Resource {
    /// The gradient of a parameter's n-th use, counted from 0.
    pub fn of_use(parameter: Tensor, nth: u16) -> Resource {
        if nth == 0 { Resource::Gradient(parameter) } else { Resource::GradientOfUse(parameter, nth) }
    }

    /// The open block of that.
    pub fn open_of_use(parameter: Tensor, nth: u16) -> Resource {
        if nth == 0 { Resource::Open(parameter) } else { Resource::OpenOfUse(parameter, nth) }
    }
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
