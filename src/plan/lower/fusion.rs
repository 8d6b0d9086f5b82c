//! Decides which activations need no kernels of their own because a neighbouring layer's kernels compute them.

use crate::graph::{
    Activation, DerivativeOf, Epilogues, Graph, Hardware, MlpPart, Node, OpContext, Step, Tensor, Write,
};
use crate::plan::Kernels;

/// A graph, and the activations that its layers compute too.
pub(super) struct Fusion<'a> {
    graph: &'a Graph,
    output: Tensor,
    fuse: bool,
    hardware: Hardware,
    /// The seed of what ops draw; only for training.
    seed: Option<u64>,
}

impl<'a> Fusion<'a> {
    /// The fusion of a network with this output, for inference or, with the seed of what ops draw, for training.
    pub(super) fn new(
        graph: &'a Graph,
        output: Tensor,
        kernels: &Kernels,
        micro_batch: usize,
        seed: Option<u64>,
    ) -> Fusion<'a> {
        Fusion { graph, output, fuse: kernels.fuse, hardware: kernels.hardware(micro_batch), seed }
    }

    /// The steps that move what the node's op keeps besides its parameters.
    pub(super) fn update(&self, node: &Node) -> Vec<Step> {
        node.op.update(&self.cx(node, vec![None; node.inputs.len()]))
    }

    /// The node's own forward kernels, if it has any.
    pub(super) fn forward(&self, node: &Node) -> Vec<Step> {
        let done = self.activation(node).is_some_and(|activation| self.done_above(activation.x).is_some());
        if done { Vec::new() } else { node.op.forward(&self.cx(node, vec![None; node.inputs.len()])) }
    }

    /// The node's own backward kernels.
    pub(super) fn backward(&self, node: &Node, wants: Vec<Option<Write>>) -> Vec<Step> {
        let done = self.activation(node).is_some_and(|activation| self.done_below(activation.y).is_some());
        if done { Vec::new() } else { node.op.backward(&self.cx(node, wants)) }
    }

    fn cx<'b>(&'b self, node: &'b Node, wants: Vec<Option<Write>>) -> OpContext<'b> {
        let forward = if node.op.activates() { self.done_above(node.output) } else { None };
        let backward = if node.op.passes_back() { self.done_below(node.inputs[0]) } else { None };
        let epilogues = Epilogues { forward, backward };
        let (trains, seed) = (self.seed.is_some(), self.seed.unwrap_or_default());
        OpContext { graph: self.graph, node, wants, epilogues, hardware: self.hardware, trains, seed }
    }

    /// The activation of a layer's output, if no other node reads that output.
    fn done_above(&self, x: Tensor) -> Option<Activation> {
        let activation = self.activation(self.only_reader(x)?)?;
        let layer = self.maker(x).is_some_and(|node| node.op.activates());
        (self.fuse && layer && x != self.output).then_some(activation)
    }

    /// The activation that made a layer's input and that the layer before it computes, if no other node reads that input.
    fn done_below(&self, y: Tensor) -> Option<Activation> {
        let activation = self.activation(self.maker(y)?)?;
        let layer = self.only_reader(y).is_some_and(|node| node.op.passes_back() && node.inputs[0] == y);
        (layer && self.done_above(activation.x).is_some()).then_some(activation)
    }

    fn activation(&self, node: &Node) -> Option<Activation> {
        let Some(MlpPart::Activation { wgsl, derivative_of }) = node.op.mlp_part() else { return None };
        let (name, x, y) = (node.op.name(), node.inputs[0], node.output);
        let derivative_of: Option<DerivativeOf> = self.seed.is_some().then_some(derivative_of);
        Some(Activation { name, wgsl, x, y, derivative_of })
    }

    fn maker(&self, tensor: Tensor) -> Option<&'a Node> {
        self.graph.nodes().iter().find(|node| node.output == tensor)
    }

    /// The node that reads a tensor, if exactly one does, once.
    fn only_reader(&self, tensor: Tensor) -> Option<&'a Node> {
        let mut readers = self.graph.nodes().iter().filter(|node| node.inputs.contains(&tensor));
        let reader = readers.next()?;
        let once = reader.inputs.iter().filter(|&&input| input == tensor).count() == 1;
        (once && readers.next().is_none()).then_some(reader)
    }
}
