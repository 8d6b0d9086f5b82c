//! Graphs in plain f64 on the CPU, slow and obviously right: the reference for every kernel.

use std::collections::HashMap;

use crate::graph::{Graph, Node, Tensor, TensorKind};
pub use crate::tensor::{Matrix, Operand};

/// Every tensor's value, and its gradient if it has one.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Values by tensor.
    pub values: HashMap<Tensor, Matrix>,
    /// Gradients of Σ weight · loss, over rows and positions, by tensor.
    pub gradients: HashMap<Tensor, Matrix>,
    /// Whether each sample has a weight; empty if all have.
    pub counts: Vec<bool>,
}

/// Computes every tensor of a graph from its inputs, target and parameters.
pub fn forward(graph: &Graph, given: &HashMap<Tensor, Matrix>) -> Values {
    let mut run = Values { values: given.clone(), gradients: HashMap::new(), counts: Vec::new() };
    for node in graph.nodes() {
        let output = node.op.reference_forward(&operands(graph, node, &run.values, &[]));
        run.values.insert(node.output, output);
    }
    run
}

/// Adds the gradients of Σ weight · loss; `weights` has one number for each row and position of the loss.
pub fn backward(graph: &Graph, run: &mut Values, loss: Tensor, weights: &[f64]) {
    run.gradients.insert(loss, Matrix { rows: weights.len(), columns: 1, values: weights.to_vec() });
    for node in graph.nodes().iter().rev() {
        let Some(doutput) = run.gradients.get(&node.output).cloned() else { continue };
        let inputs = operands(graph, node, &run.values, &run.counts);
        let gradients = node.op.reference_backward(&inputs, &run.values[&node.output], &doutput);
        assert_eq!(gradients.len(), inputs.len(), "{} gives a gradient for each input", node.op.name());
        for (&input, gradient) in node.inputs.iter().zip(gradients) {
            if graph.info(input).kind == TensorKind::Target {
                continue;
            }
            match run.gradients.get_mut(&input) {
                None => drop(run.gradients.insert(input, gradient)),
                Some(sum) => sum.values.iter_mut().zip(&gradient.values).for_each(|(s, g)| *s += g),
            }
        }
    }
}

/// A node's inputs, with their shapes in the graph, of samples of which some may have no weight.
pub fn operands<'a>(
    graph: &'a Graph,
    node: &Node,
    values: &'a HashMap<Tensor, Matrix>,
    counts: &'a [bool],
) -> Vec<Operand<'a>> {
    node.inputs.iter().map(|input| Operand { shape: graph.shape(*input), values: &values[input], counts }).collect()
}
