//! The reverse walk: the order in which gradients are computed, and which node writes a gradient first. It knows no op.

use std::collections::HashSet;

use super::{Graph, Node, Step, Tensor, TensorKind, Write};

/// The steps that compute the gradient of Σ_r weight_r · loss_r by every parameter. `steps_of` returns the steps of a node;
/// its argument says for each input whether and how the gradient is written.
pub fn backward(graph: &Graph, loss: Tensor, steps_of: impl Fn(&Node, Vec<Option<Write>>) -> Vec<Step>) -> Vec<Step> {
    let needed = depends_on_parameters(graph);
    let mut written: HashSet<Tensor> = HashSet::from([loss]);
    let mut steps = Vec::new();
    for node in graph.nodes().iter().rev() {
        if !written.contains(&node.output) {
            continue; // the loss does not depend on it
        }
        let mut wants = Vec::with_capacity(node.inputs.len());
        for &input in &node.inputs {
            let parameter = graph.info(input).kind == TensorKind::Parameter;
            let write = if !needed.contains(&input) {
                None
            } else if written.insert(input) || parameter {
                Some(Write::Overwrite)
            } else {
                Some(Write::Accumulate)
            };
            wants.push(write);
        }
        steps.extend(steps_of(node, wants));
    }
    steps
}

/// The parameters, and the tensors computed from parameters.
fn depends_on_parameters(graph: &Graph) -> HashSet<Tensor> {
    let mut needed: HashSet<Tensor> =
        graph.tensors().filter(|&t| graph.info(t).kind == TensorKind::Parameter).collect();
    for node in graph.nodes() {
        if node.inputs.iter().any(|input| needed.contains(input)) {
            needed.insert(node.output);
        }
    }
    needed
}
