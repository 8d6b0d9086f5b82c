//! What a step reads and writes, named by purpose. The plan gives each resource a stretch of a buffer.

use super::Tensor;

/// Memory, named by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Resource {
    /// The value of a tensor: a stretch of the parameters, the records, or rows.
    Value(Tensor),
    /// The gradient of a tensor; for a parameter, the gradient of its first use.
    Gradient(Tensor),
    /// The gradient of a later use of a parameter.
    GradientOfUse(Tensor, u16),
    /// The open block of a parameter's gradient.
    Open(Tensor),
    /// The open block of the gradient of a later use of a parameter.
    OpenOfUse(Tensor, u16),
    /// An array that the tensor's op saved for its backward kernels.
    Saved(Tensor, u16),
    /// Scratch memory of the tensor's op.
    Scratch(Tensor, u16),
    /// The records of the micro-batch: features, targets and weights.
    Record,
    /// The sums of the open window, and the latest results.
    Stats,
    /// The numbers of this submission's samples.
    Samples,
    /// The data set, if it stays on the GPU.
    Data,
    /// The arena: every tensor with rows, for kernels that compute a whole network.
    Arena,
    /// The parameters from the first vec4 up to, not including, the second.
    Parameters(Span),
    /// Their gradients, then those of later uses.
    Gradients(Span),
    /// The open blocks of their gradients.
    OpenGradients(Span),
    /// The optimizer state of this stretch, and its size as a multiple of the stretch.
    OptimizerState(Span),
    /// Parts of the squared norm of the gradient.
    Norms,
}

impl Resource {
    /// The gradient of a parameter's n-th use, n from 0.
    pub fn of_use(parameter: Tensor, nth: u16) -> Resource {
        if nth == 0 { Resource::Gradient(parameter) } else { Resource::GradientOfUse(parameter, nth) }
    }

    /// The open block of the gradient of a parameter's n-th use.
    pub fn open_of_use(parameter: Tensor, nth: u16) -> Resource {
        if nth == 0 { Resource::Open(parameter) } else { Resource::OpenOfUse(parameter, nth) }
    }
}

/// A stretch of the parameters, in units of vec4.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Span {
    /// Its offset.
    pub start: u32,
    /// Its length.
    pub len: u32,
}

impl Span {
    /// Its length in floats.
    pub fn floats(self) -> u64 {
        4 * u64::from(self.len)
    }
}
