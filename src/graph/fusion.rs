//! What ops bring to kernels that compute several of them at once.

use super::{Resource, Tensor};

/// What an op is in the kernels of a multi-layer perceptron: `shaders/fused/`, and layers with an activation.
#[derive(Clone, Debug)]
pub enum MlpPart {
    /// The matrix products, which these kernels compute by themselves.
    Linear,
    /// An activation.
    Activation {
        /// The WGSL of f and df.
        wgsl: &'static [&'static str],
        /// What df is a function of.
        derivative_of: DerivativeOf,
    },
    /// A loss: the WGSL of `prepare`, `loss_of` and `dloss_of`.
    Loss(Vec<&'static str>),
}

/// What an activation's derivative is a function of, and so what is kept for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivativeOf {
    /// Its x.
    Input,
    /// Its y.
    Output,
}

/// The activations around a layer that have no kernels of their own, because the layer's compute them as well.
#[derive(Clone, Copy, Debug, Default)]
pub struct Epilogues {
    /// The one that takes its output, as the only one that does.
    pub forward: Option<Activation>,
    /// The one that made its first input: the gradient goes on to the activation's own input at once.
    pub backward: Option<Activation>,
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
    pub derivative_of: Option<DerivativeOf>,
}

impl Activation {
    /// The value that is kept for the way back.
    pub fn saved(&self) -> Option<Resource> {
        self.derivative_of.map(|of| match of {
            DerivativeOf::Input => Resource::Value(self.x),
            DerivativeOf::Output => Resource::Value(self.y),
        })
    }
}

/// What the choice of an op's kernels follows from, beside its attributes and shapes. It changes no bit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Hardware {
    /// Whether the adapter computes on the CPU.
    pub cpu: bool,
    /// Whether invocations come in subgroups of eight that can hand values round.
    pub subgroups: bool,
    /// The kernel that matrix products are asked to take, by its name.
    pub matmul: Option<&'static str>,
    /// Rows of a micro-batch.
    pub rows: usize,
}
