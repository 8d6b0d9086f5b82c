//! From a graph to the steps of a micro-batch. Every graph goes op by op; what does several ops at once is an optional lowering.

mod fusion;
mod mlp;
mod ops;

pub use ops::OpSteps;
pub(super) use ops::{GATHER, unpack};

use super::{ExecutionMode, Kernels, Layout, Training};
use crate::graph::{Graph, Record, Step, Tensor};

/// How a micro-batch goes through a network in training, and the steps that it takes.
pub enum Lowering {
    /// Op by op, each by kernels of its own: [`Plan::forward`](super::Plan::forward), and these around it.
    Ops(OpSteps),
    /// All ops at once, out of the records or out of data on the GPU.
    Fused(Vec<Step>),
    /// As [`Lowering::Fused`], and whole windows at once where they come out of data on the GPU.
    Windows {
        /// The steps of a micro-batch.
        micro_batch: Vec<Step>,
        /// The step that does micro-batches and updates.
        windows: Step,
    },
}

/// What a lowering makes.
pub(super) struct Lowered {
    /// From the records to the output.
    pub forward: Vec<Step>,
    /// A micro-batch of a training.
    pub training: Option<Lowering>,
    /// The one buffer of all that has rows, where tensors have no memory of their own.
    pub arena: Option<Arena>,
}

/// A buffer that kernels divide among tensors by themselves.
pub(super) struct Arena {
    /// Its length in vec4.
    pub len: u64,
    /// Where the values of tensors lie: the first vec4, and how many a row has.
    pub values: Vec<(Tensor, u64, u64)>,
}

/// What is lowered.
pub(super) struct Source<'a> {
    pub graph: &'a Graph,
    pub output: Tensor,
    pub micro_batch: usize,
    pub record: Record,
    pub layout: &'a Layout,
}

/// Lowers a graph for inference, or for training where `training` is given.
pub(super) fn lower(source: &Source, kernels: &Kernels, training: Option<&Training>) -> Lowered {
    let at_once = training.and_then(|training| mlp::lower(source, training));
    at_once.unwrap_or_else(|| ops::lower(source, kernels, training))
}

impl Lowering {
    /// How micro-batches go through the network: whole windows only out of data on the GPU, which may not be `resident`.
    pub(super) fn mode(&self, resident: bool) -> ExecutionMode {
        match self {
            Lowering::Ops(_) => ExecutionMode::Ops,
            Lowering::Windows { .. } if resident => ExecutionMode::Windows,
            Lowering::Fused(_) | Lowering::Windows { .. } => ExecutionMode::Fused,
        }
    }

    /// Its lists, by name, with the forward steps in their place.
    pub(super) fn lists<'a>(&'a self, forward: &'a [Step]) -> Vec<(&'static str, &'a [Step])> {
        match self {
            Lowering::Ops(steps) => vec![
                ("gather", std::slice::from_ref(&steps.gather)),
                ("forward", forward),
                ("loss", &steps.loss),
                ("gradient", &steps.gradient),
            ],
            Lowering::Fused(micro_batch) => vec![("forward", forward), ("micro", micro_batch)],
            Lowering::Windows { micro_batch, windows } => {
                vec![("forward", forward), ("micro", micro_batch), ("windows", std::slice::from_ref(windows))]
            }
        }
    }

    /// The lists of a micro-batch, which comes out of the data on the GPU if that is `resident`.
    pub(super) fn micro_batch<'a>(&'a self, forward: &'a [Step], resident: bool) -> Vec<&'a [Step]> {
        match self {
            Lowering::Ops(steps) => {
                let gather = if resident { std::slice::from_ref(&steps.gather) } else { &[] };
                vec![gather, forward, &steps.loss, &steps.gradient]
            }
            Lowering::Fused(micro_batch) | Lowering::Windows { micro_batch, .. } => vec![micro_batch],
        }
    }

    /// The steps that are bound once more when data is attached.
    pub(super) fn bound_twice(&self) -> Vec<&Step> {
        match self {
            Lowering::Ops(_) => Vec::new(),
            Lowering::Fused(micro_batch) => micro_batch.iter().collect(),
            Lowering::Windows { micro_batch, windows } => micro_batch.iter().chain([windows]).collect(),
        }
    }
}
