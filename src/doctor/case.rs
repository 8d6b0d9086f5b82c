//! An op in the middle of a small network, with data for it.

use std::collections::HashMap;

use super::Numbers;
use crate::Result;
use crate::graph::{Graph, Shape, Tensor, TensorKind};
use crate::ops::{self, MSE, Op, Reads, Role, linear::LINEAR};
use crate::reference::Matrix;

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
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the op does not take what an op of its role takes.
    pub fn new(op: &'static dyn Op, rows: usize, width: usize, seed: u64) -> Result<Case> {
        let mut graph = Graph::new();
        let x = graph.input(FEATURES);
        let before = linear(&mut graph, "before", x, width)?;
        let is_loss = matches!(op.role(), Role::Loss(_));
        let output = match op.role() {
            Role::Activation => graph.apply(op, "op", &[before])?,
            // Outputs that are no multiple of the inputs, so that the two cannot be mistaken for one another.
            Role::Layer => layer(&mut graph, op, "op", before, width + width / 3 + 1)?,
            Role::Loss(_) => before,
        };
        let output = if is_loss { output } else { linear(&mut graph, "after", output, OUTPUTS)? };
        let name = format!("{} of {rows} × {width}", op.name());
        Case::ending(graph, output, if is_loss { op } else { mse() }, rows, seed).map(|case| Case { name, ..case })
    }

    /// A network from its input to its output, ended by a loss, with random values for everything that it is given.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) when the loss does not take the output.
    pub fn ending(mut graph: Graph, output: Tensor, loss: &'static dyn Op, rows: usize, seed: u64) -> Result<Case> {
        let targets = if reads(loss) == Reads::Class { 1 } else { graph.columns(output) };
        let target = graph.target(targets);
        let name = loss.name().to_owned();
        let reads = reads(loss);
        let loss = graph.apply(loss, "loss", &[output, target])?;
        let mut case = Case { name, graph, output, loss, given: HashMap::new(), weights: Vec::new(), masked: None };
        case.fill(rows, reads, seed);
        Ok(case)
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
                (TensorKind::Input, Shape::Rows(columns)) => random(rows, *columns, 2.0),
                (TensorKind::Target, _) if reads == Reads::Class => {
                    Matrix::build(rows, 1, |r, _| Numbers::new(seed + 7 * r as u64).below(classes) as f64)
                }
                (TensorKind::Target, Shape::Rows(columns)) => {
                    let values = random(rows, *columns, 2.0);
                    let flag = |v: f64| if reads == Reads::Flags { f64::from(u8::from(v > 0.0)) } else { v };
                    Matrix::build(rows, *columns, |r, c| flag(values.at(r, c)))
                }
                (TensorKind::Parameter, Shape::Parameters(parts)) => {
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
        if let Some(matrix) = self.graph.only(TensorKind::Input).and_then(|input| self.given.get_mut(&input)) {
            for value in &mut matrix.values[row * matrix.columns..][..matrix.columns] {
                *value = f64::from(1e30f32.copysign(*value as f32));
            }
        }
    }

    /// Samples.
    pub fn rows(&self) -> usize {
        self.weights.len()
    }
}

/// The loss of networks whose loss is not what they are for.
pub(super) fn mse() -> &'static dyn Op {
    &MSE
}

/// What a loss compares with.
pub fn reads(op: &dyn Op) -> Reads {
    match op.role() {
        Role::Loss(reads) => reads,
        _ => Reads::Values,
    }
}

/// Adds a linear layer of so many outputs.
pub fn linear(graph: &mut Graph, name: &str, x: Tensor, outputs: usize) -> Result<Tensor> {
    layer(graph, &LINEAR, name, x, outputs)
}

fn layer(graph: &mut Graph, op: &'static dyn Op, name: &str, x: Tensor, outputs: usize) -> Result<Tensor> {
    let parts = ops::linear::parts(graph.columns(x), outputs);
    let parameters = graph.parameters(name, parts);
    graph.apply(op, name, &[x, parameters])
}
