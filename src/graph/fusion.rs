//! What an op contributes to kernels that compute several ops at once.

use super::{Resource, Tensor};

/// An op's role in the kernels of a multi-layer perceptron: those in `shaders/fused/`, and those of a layer with an activation.
#[derive(Clone, Debug)]
pub enum MlpPart {
    /// A matrix product, which the kernels bring along.
    Linear,
    /// An activation.
    Activation {
        /// The WGSL of f and df.
        wgsl: &'static [&'static str],
        /// The argument of df.
        derivative_of: DerivativeOf,
    },
    /// A loss.
    Loss {
        /// The WGSL of `prepare`, `loss_of` and `dloss_of`.
        wgsl: Vec<&'static str>,
        /// Values of its `override` constants.
        constants: Vec<(&'static str, f64)>,
    },
}

/// The argument of an activation's derivative: the value to keep for the backward pass.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivativeOf {
    /// The activation's input x.
    Input,
    /// The activation's output y.
    Output,
}

/// The activations that a layer's kernels compute too, so that they need no kernels of their own.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogues {
    /// The activation of the layer's output, if no other node reads that output.
    pub forward: Option<Activation>,
    /// The activation that made the layer's first input: the backward kernel writes the gradient of the activation's own input.
    pub backward: Option<Activation>,
}

/// An activation, as a layer's kernels see it.
#[derive(Clone, Copy, Debug)]
pub struct Activation {
    /// Its name.
    pub name: &'static str,
    /// The WGSL of f and df.
    pub wgsl: &'static [&'static str],
    /// Its input.
    pub x: Tensor,
    /// Its output.
    pub y: Tensor,
    /// The part kept for the backward pass; empty for inference.
    pub derivative_of: Option<DerivativeOf>,
}

impl Activation {
    /// The value kept for the backward pass.
    pub fn saved(&self) -> Option<Resource> {
        self.derivative_of.map(|of| match of {
            DerivativeOf::Input => Resource::Value(self.x),
            DerivativeOf::Output => Resource::Value(self.y),
        })
    }
}

/// What decides the choice of an op's kernels, besides attributes and shapes. The choice changes no bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Whether the adapter computes on the CPU.
    pub cpu: bool,
    /// Whether invocations come in subgroups of eight that can exchange values.
    pub subgroups: bool,
    /// The kernel requested for matrix products, by name.
    pub matmul: Option<&'static str>,
    /// Rows of a micro-batch.
    pub rows: usize,
}
