//! Graphs in plain f64 on the CPU, slow and obviously right: what every kernel is checked against.

use std::collections::HashMap;

use crate::graph::{Graph, Tensor, TensorKind};

/// A matrix of f64, row after row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Matrix {
    /// Rows.
    pub rows: usize,
    /// Columns.
    pub columns: usize,
    /// Row after row.
    pub values: Vec<f64>,
}

impl Matrix {
    /// All zeros.
    pub fn zeros(rows: usize, columns: usize) -> Matrix {
        Matrix { rows, columns, values: vec![0.0; rows * columns] }
    }

    /// From floats, row after row.
    pub fn from_f32(rows: usize, columns: usize, values: &[f32]) -> Matrix {
        assert_eq!(values.len(), rows * columns, "a matrix of {rows} × {columns}");
        Matrix { rows, columns, values: values.iter().map(|&v| v as f64).collect() }
    }

    /// The same shape, each element made from its place.
    pub fn build(rows: usize, columns: usize, f: impl Fn(usize, usize) -> f64) -> Matrix {
        let values = (0..rows * columns).map(|at| f(at / columns, at % columns)).collect();
        Matrix { rows, columns, values }
    }

    /// One element.
    pub fn at(&self, row: usize, column: usize) -> f64 {
        self.values[row * self.columns + column]
    }
}

/// Every tensor's value, and its gradient where it has one.
#[derive(Clone, Debug, Default)]
pub struct Values {
    /// Values by tensor.
    pub values: HashMap<Tensor, Matrix>,
    /// Gradients of Σ_r weight_r · loss_r by tensor.
    pub gradients: HashMap<Tensor, Matrix>,
}

/// Computes every tensor of a graph from its input, target and parameters.
pub fn forward(graph: &Graph, given: &HashMap<Tensor, Matrix>) -> Values {
    let mut run = Values { values: given.clone(), gradients: HashMap::new() };
    for node in graph.nodes() {
        let inputs: Vec<&Matrix> = node.inputs.iter().map(|input| &run.values[input]).collect();
        let output = node.op.reference_forward(&inputs);
        run.values.insert(node.output, output);
    }
    run
}

/// Adds the gradients of Σ_r weight_r · loss_r, where `loss` is (rows, 1).
pub fn backward(graph: &Graph, run: &mut Values, loss: Tensor, weights: &[f64]) {
    run.gradients.insert(loss, Matrix { rows: weights.len(), columns: 1, values: weights.to_vec() });
    for node in graph.nodes().iter().rev() {
        let Some(doutput) = run.gradients.get(&node.output).cloned() else { continue };
        let inputs: Vec<&Matrix> = node.inputs.iter().map(|input| &run.values[input]).collect();
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
