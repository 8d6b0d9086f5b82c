//! Networks that are a chain of linear layers with one kind of activation between them: kernels that compute all of it at
//! once, over an arena that holds all rows.

mod loops;
mod steps;

use std::sync::Arc;

use super::{Arena, Lowered, Source};
use crate::graph::{Blocks, DerivativeOf, Graph, MlpPart, Node, Op, Role, Shape, Tensor, TensorKind, pad4};
use crate::ops;
use crate::plan::Training;
use crate::plan::kernels::{ExecutionMode, Kernels, Reads, SUBGROUP};
use crate::plan::limits::LOOP_LIMIT;

/// Most layers: the length of `layers` in `shaders/fused/net.wgsl`.
const LAYERS: usize = 16;

/// On a GPU, wider layers are faster with kernels of their own.
const NARROW: usize = 128;

/// Most multiplications of a micro-batch for which one workgroup is faster than starting several kernels.
const FEW: u64 = 500_000;

/// Lowers a chain of layers for training, if these kernels are wanted.
pub(super) fn lower(source: &Source, training: &Training) -> Option<Lowered> {
    Some(Net::of(source, training)?.lowered(source, training))
}

/// A network, as these kernels see it.
struct Net {
    layers: Vec<Layer>,
    activation: &'static [&'static str],
    derivative_of: DerivativeOf,
    loss: Vec<&'static str>,
    /// Of the loss.
    constants: Vec<(&'static str, f64)>,
    name: String,
    /// vec4 of the arena.
    len: u64,
    rows_at: u64,
    tile: u32,
    lanes: u32,
    shared: bool,
    /// Whether whole windows are computed at once.
    windows: bool,
}

struct Layer {
    inputs: usize,
    outputs: usize,
    parameters: Tensor,
    /// After the activation.
    y: Tensor,
    activated: bool,
    x_at: u64,
    y_at: u64,
    d_at: u64,
}

/// The chain of a graph, if it is one: its layers, its activation and its loss.
struct Chain {
    layers: Vec<Layer>,
    activation: Option<Arc<dyn Op>>,
    loss: Arc<dyn Op>,
}

fn chain(graph: &Graph, output: Tensor, loss: Tensor) -> Option<Chain> {
    let (last, nodes) = graph.nodes().split_last()?;
    if last.output != loss || last.inputs.first() != Some(&output) {
        return None;
    }
    let mut chain = Chain { layers: Vec::new(), activation: None, loss: last.op.clone() };
    let mut at = graph.only(TensorKind::Input)?;
    let shared = graph.of_kind(TensorKind::Parameter).any(|parameter| graph.uses(parameter) > 1);
    if shared || graph.shape(at).positions() > 1 || graph.of_kind(TensorKind::Input).count() > 1 {
        return None;
    }
    for node in nodes {
        if node.inputs.first() != Some(&at) {
            return None;
        }
        match (node.op.mlp_part()?, chain.layers.last_mut()) {
            (MlpPart::Linear, _) if has_bias(graph, node) => chain.layers.push(Layer {
                inputs: graph.columns(at),
                outputs: graph.columns(node.output),
                parameters: node.inputs[1],
                y: node.output,
                activated: false,
                x_at: 0,
                y_at: 0,
                d_at: 0,
            }),
            (MlpPart::Activation { .. }, Some(layer)) if !layer.activated => {
                if chain.activation.as_ref().is_some_and(|known| known.name() != node.op.name()) {
                    return None;
                }
                chain.activation = Some(node.op.clone());
                (layer.activated, layer.y) = (true, node.output);
            }
            _ => return None,
        }
        at = node.output;
    }
    // The loss's gradient is that of a sum, not of an activation.
    let ends_well = at == output && chain.layers.last().is_some_and(|layer| !layer.activated);
    (ends_well && chain.layers.len() <= LAYERS).then_some(chain)
}

/// The kernels read a weight and a bias.
fn has_bias(graph: &Graph, node: &Node) -> bool {
    matches!(graph.shape(node.inputs[1]), Shape::Parameters(parts) if parts.len() == 2)
}

impl Net {
    /// The graph's network as one chain, if it is one and these kernels are wanted.
    fn of(source: &Source, training: &Training) -> Option<Net> {
        let kernels = &training.kernels;
        if kernels.mode == Some(ExecutionMode::Ops) {
            return None;
        }
        let chain = chain(source.graph, source.output, training.loss)?;
        // Without an activation any will do: no layer uses it.
        let any = || ops::of_role(|role| role == Role::Activation).next();
        let activation = chain.activation.clone().or_else(any)?;
        let MlpPart::Activation { wgsl, derivative_of } = activation.mlp_part()? else { return None };
        let MlpPart::Loss { wgsl: loss, constants } = chain.loss.mlp_part()? else { return None };
        let lanes = kernels.lanes;
        let mut net = Net {
            layers: chain.layers,
            activation: wgsl,
            derivative_of,
            loss,
            constants,
            name: format!("{}.{}", activation.name(), chain.loss.name()),
            len: 0,
            rows_at: 0,
            tile: if source.micro_batch < 48 { 8 } else { 16 },
            lanes,
            shared: kernels.subgroups && lanes == SUBGROUP,
            windows: false,
        };
        net.place(source.micro_batch);
        net.windows = net.takes_windows(source, training);
        (net.fits(source, kernels) && net.is_wanted(kernels)).then_some(net)
    }

    /// Gives all rows their place in the arena.
    fn place(&mut self, micro_batch: usize) {
        let rows = micro_batch.next_multiple_of(16) as u64;
        let mut at = 0;
        let mut take = |columns: usize| {
            let start = at;
            at += rows * (pad4(columns) / 4) as u64;
            start
        };
        let mut x_at = self.layers.first().map_or(0, |layer| take(layer.inputs));
        for layer in &mut self.layers {
            layer.x_at = x_at;
            layer.y_at = take(layer.outputs);
            layer.d_at = take(layer.outputs);
            x_at = layer.y_at;
        }
        self.rows_at = take(4);
        self.len = self.rows_at + rows;
    }

    fn fits(&self, source: &Source, kernels: &Kernels) -> bool {
        let parameters = 4 * source.layout.floats() as u64;
        let turns = self.loops_of_tile().max(self.loops_of_gradient().of(source.micro_batch, Blocks::ROWS));
        let bytes = (16 * self.len).max(parameters);
        let in_time = turns <= LOOP_LIMIT || !kernels.cpu;
        in_time && self.len < u64::from(u32::MAX) && bytes <= kernels.binding
    }

    fn is_wanted(&self, kernels: &Kernels) -> bool {
        let narrow = self.layers.iter().all(|layer| layer.inputs.max(layer.outputs) <= NARROW);
        let asked = matches!(kernels.mode, Some(ExecutionMode::Fused | ExecutionMode::Windows));
        // The arena is written, so that nothing in it can be read through textures.
        let reads_buffers = kernels.reads == Reads::Buffers;
        self.windows || asked || (reads_buffers && (kernels.cpu || narrow))
    }

    fn takes_windows(&self, source: &Source, training: &Training) -> bool {
        let kernels = &training.kernels;
        let products: usize = self.layers.iter().map(|layer| layer.inputs * layer.outputs).sum();
        let few = 3 * (products * source.micro_batch) as u64 <= FEW;
        let asked = kernels.mode.map_or(few, |mode| mode == ExecutionMode::Windows);
        let turns = self.loops_of_windows(source).of(source.micro_batch, Blocks::ROWS);
        let turns = turns + self.loops_of_update(source, &training.update_step(source.graph, source.layout));
        // A command list has room for the learning rate and for no other scalar that changes.
        let only_lr = training.optimizer.scalars(1, 1.0).len() == 1;
        let can = turns <= LOOP_LIMIT && kernels.storage_buffers >= 8 && !kernels.fxc;
        asked && can && training.clip.norm.is_none() && only_lr
    }

    /// The buffer of all rows.
    fn arena(&self) -> Arena {
        let values = self.layers.iter().map(|layer| (layer.y, layer.y_at, layer.outputs.div_ceil(4) as u64));
        Arena { len: self.len, values: values.collect() }
    }
}
