//! An op in the middle of a small network, with data for it.

use std::collections::HashMap;

use accrue::graph::{Graph, Kind, Shape, Tensor};
use accrue::ops::{self, Op, Reads, Role, linear::LINEAR};
use accrue::twin::Matrix;

use super::Numbers;

/// A network with its loss, the values of everything that it is given, and the samples' weights.
pub struct Case {
    /// What it is, for messages.
    pub name: String,
    /// The network.
    pub graph: Graph,
    /// Its output.
    pub output: Tensor,
    /// (rows, 1)
    pub loss: Tensor,
    /// The input, the target and all parameters. Every value is a float.
    pub given: HashMap<Tensor, Matrix>,
    /// (rows)
    pub weights: Vec<f64>,
    /// A row of weight 0 whose features are huge, if there is one.
    pub masked: Option<usize>,
}

/// Features of every sample: few enough that the op's inputs are spread over both sides of 0.
const FEATURES: usize = 3;
/// Outputs of the network, where the op is not its loss.
const OUTPUTS: usize = 2;

impl Case {
    /// linear → op → linear → mse, or linear → op for a loss: what comes to the op from either side is arbitrary.
    pub fn new(op: &'static dyn Op, rows: usize, width: usize, seed: u64) -> Case {
        let mut graph = Graph::new();
        let x = graph.input(FEATURES);
        let before = linear(&mut graph, "before", x, width);
        let loss_op = if matches!(op.role(), Role::Loss(_)) { op } else { ops::find("mse").unwrap() };
        let output = match op.role() {
            Role::Activation => graph.apply(op, "op", &[before]).unwrap(),
            // Outputs that are no multiple of the inputs, so that the two cannot be mistaken for one another.
            Role::Layer => layer(&mut graph, op, "op", before, width + width / 3 + 1),
            Role::Loss(_) => before,
        };
        let output = if loss_op.name() == op.name() { output } else { linear(&mut graph, "after", output, OUTPUTS) };
        let targets = if reads(loss_op) == Reads::Class { 1 } else { graph.columns(output) };
        let target = graph.target(targets);
        let loss = graph.apply(loss_op, "loss", &[output, target]).unwrap();
        let name = format!("{} of {rows} × {width}", op.name());
        let mut case = Case { name, graph, output, loss, given: HashMap::new(), weights: Vec::new(), masked: None };
        case.fill(rows, reads(loss_op), seed);
        case
    }

    /// Random values for everything that is given.
    pub fn fill(&mut self, rows: usize, reads: Reads, seed: u64) {
        let mut numbers = Numbers::new(seed);
        let classes = self.graph.columns(self.output);
        for tensor in self.graph.tensors().collect::<Vec<_>>() {
            let mut random = |rows: usize, columns: usize, size: f32| {
                let values: Vec<f32> = (0..rows * columns).map(|_| size * numbers.float()).collect();
                Matrix::from_f32(rows, columns, &values)
            };
            let matrix = match (self.graph.info(tensor).kind, self.graph.shape(tensor)) {
                (Kind::Input, Shape::Rows(columns)) => random(rows, *columns, 2.0),
                (Kind::Target, _) if reads == Reads::Class => {
                    Matrix::build(rows, 1, |r, _| Numbers::new(seed + 7 * r as u64).below(classes) as f64)
                }
                (Kind::Target, Shape::Rows(columns)) => {
                    let values = random(rows, *columns, 2.0);
                    let flag = |v: f64| if reads == Reads::Flags { f64::from(u8::from(v > 0.0)) } else { v };
                    Matrix::build(rows, *columns, |r, c| flag(values.at(r, c)))
                }
                (Kind::Parameter, Shape::Parameters(parts)) => {
                    let (_, inputs) = parts[0].matrix();
                    let count = parts.iter().map(|part| part.elements()).sum();
                    random(1, count, 3.0 / (inputs as f32).sqrt())
                }
                _ => continue,
            };
            self.given.insert(tensor, matrix);
        }
        self.weights = (0..rows).map(|_| f64::from(1.25 + numbers.float())).collect();
    }

    /// Gives one row the weight 0 and features so large that any use of them shows.
    pub fn mask(&mut self, row: usize) {
        self.weights[row] = 0.0;
        self.masked = Some(row);
        let input = self.graph.only(Kind::Input).unwrap();
        for value in self.row_mut(input, row) {
            *value = f64::from(1e30f32.copysign(*value as f32));
        }
    }

    fn row_mut(&mut self, tensor: Tensor, row: usize) -> &mut [f64] {
        let matrix = self.given.get_mut(&tensor).unwrap();
        &mut matrix.values[row * matrix.columns..][..matrix.columns]
    }

    /// Samples.
    pub fn rows(&self) -> usize {
        self.weights.len()
    }
}

/// What a loss compares with.
pub fn reads(op: &dyn Op) -> Reads {
    match op.role() {
        Role::Loss(reads) => reads,
        _ => Reads::Values,
    }
}

/// Adds a linear layer of so many outputs.
pub fn linear(graph: &mut Graph, name: &str, x: Tensor, outputs: usize) -> Tensor {
    layer(graph, &LINEAR, name, x, outputs)
}

fn layer(graph: &mut Graph, op: &'static dyn Op, name: &str, x: Tensor, outputs: usize) -> Tensor {
    let parts = ops::linear_parts(graph.columns(x), outputs);
    let parameters = graph.parameters(name, parts);
    graph.apply(op, name, &[x, parameters]).unwrap()
}
