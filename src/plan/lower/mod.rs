//! From a graph to the steps of a micro-batch. Every graph can go op by op; a lowering of several ops at once is optional.

mod fusion;
mod mlp;
mod ops;

pub use ops::OpSteps;
pub(super) use ops::{GATHER, unpack};

use super::{ExecutionMode, Kernels, Layout, Training};
use crate::graph::{Graph, Record, Step, Tensor};

/// The execution mode of a micro-batch in training, and its steps.
pub enum Lowering {
    /// Each op with its own kernels: [`Plan::forward`](super::Plan::forward), and these steps around it.
    Ops(OpSteps),
    /// All ops at once, with rows from the records or from data on the GPU.
    Fused(Vec<Step>),
    /// As [`Lowering::Fused`], and whole windows at once for data on the GPU.
    Windows {
        /// The steps of a micro-batch.
        micro_batch: Vec<Step>,
        /// The step that computes micro-batches and updates.
        windows: Step,
    },
}

/// The result of a lowering.
pub(super) struct Lowered {
    /// The steps from the records to the output.
    pub forward: Vec<Step>,
    /// In training, the same for a model in use, if that differs.
    pub in_use: Option<Vec<Step>>,
    /// The steps that move the statistics of ops at a window's end.
    pub statistics: Vec<Step>,
    /// The steps of a training's micro-batch.
    pub training: Option<Lowering>,
    /// The one buffer of all rows, if tensors have no memory of their own.
    pub arena: Option<Arena>,
}

/// A buffer that kernels divide among tensors themselves.
pub(super) struct Arena {
    /// Its length in vec4.
    pub len: u64,
    /// Where tensors' values lie: the first vec4, and vec4 per row.
    pub values: Vec<(Tensor, u64, u64)>,
}

/// What is to be lowered.
pub(super) struct Source<'a> {
    pub graph: &'a Graph,
    pub output: Tensor,
    pub micro_batch: usize,
    pub record: Record,
    pub layout: &'a Layout,
}

/// Lowers a graph for inference, or for training if `training` is given.
pub(super) fn lower(source: &Source, kernels: &Kernels, training: Option<&Training>) -> Lowered {
    let at_once = training.and_then(|training| mlp::lower(source, training));
    at_once.unwrap_or_else(|| ops::lower(source, kernels, training))
}

impl Lowering {
    /// The execution mode; whole windows need `resident` data, that is data on the GPU.
    pub(super) fn mode(&self, resident: bool) -> ExecutionMode {
        match self {
            Lowering::Ops(_) => ExecutionMode::Ops,
            Lowering::Windows { .. } if resident => ExecutionMode::Windows,
            Lowering::Fused(_) | Lowering::Windows { .. } => ExecutionMode::Fused,
        }
    }

    /// The lists of steps, by name, with the forward steps in their place.
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

    /// The lists of a micro-batch, with its rows from `resident` data or from the records.
    pub(super) fn micro_batch<'a>(&'a self, forward: &'a [Step], resident: bool) -> Vec<&'a [Step]> {
        match self {
            Lowering::Ops(steps) => {
                let gather = if resident { std::slice::from_ref(&steps.gather) } else { &[] };
                vec![gather, forward, &steps.loss, &steps.gradient]
            }
            Lowering::Fused(micro_batch) | Lowering::Windows { micro_batch, .. } => vec![micro_batch],
        }
    }

    /// The steps that are bound again when data is attached.
    pub(super) fn bound_twice(&self) -> Vec<&Step> {
        match self {
            Lowering::Ops(_) => Vec::new(),
            Lowering::Fused(micro_batch) => micro_batch.iter().collect(),
            Lowering::Windows { micro_batch, windows } => micro_batch.iter().chain([windows]).collect(),
        }
    }
}
