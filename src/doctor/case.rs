//! An op in the middle of a small network, with data for it.

use std::collections::HashMap;
use std::ops::Range;
use std::sync::Arc;

use super::Numbers;
use crate::graph::{Graph, Op, Role, Shape, TargetKind, Tensor, TensorKind};
use crate::ops::{self, Linear};
use crate::reference::Matrix;
use crate::tensor::ParameterSpec;
use crate::{Error, Result};

/// A network with its loss, the values of all its inputs, and the samples' weights.
pub struct Case {
    /// Its name in messages.
    pub name: String,
    /// The network.
    pub graph: Graph,
    /// Its output.
    pub output: Tensor,
    /// One number for each position of the output.
    pub loss: Tensor,
    /// The inputs, the target and all parameters. Every value is a float.
    pub given: HashMap<Tensor, Matrix>,
    /// Samples.
    pub rows: usize,
    /// One for each position of the loss of each sample.
    pub weights: Vec<f64>,
    /// The row of weight 0 whose features are huge, if there is one.
    pub masked: Option<usize>,
}

/// Features of every position: few enough that the op's inputs lie on both sides of 0.
const FEATURES: usize = 3;
/// Outputs of the network if the op is not its loss.
const OUTPUTS: usize = 2;

impl Case {
    /// linear → op → linear → numeric loss, or linear → op for a loss: the values on both sides of the op are arbitrary.
    ///
    /// # Errors
    /// [`Error::Shape`] if the op does not take the inputs of its role.
    pub fn new(op: Arc<dyn Op>, rows: usize, width: usize, seed: u64) -> Result<Case> {
        Case::at_positions(op, rows, &[], width, seed)
    }

    /// The same, or `None` if the op does not take such a shape.
    ///
    /// # Errors
    /// Those of [`Case::at_positions`] but [`Error::Shape`].
    pub fn if_it_fits(
        op: Arc<dyn Op>,
        rows: usize,
        positions: &[usize],
        width: usize,
        seed: u64,
    ) -> Result<Option<Case>> {
        match Case::at_positions(op, rows, positions, width, seed) {
            Err(Error::Shape { .. }) => Ok(None),
            made => made.map(Some),
        }
    }

    /// As [`Case::new`], with these positions per sample: `[height, width]` of an image, `[tokens]` of a sequence.
    ///
    /// # Errors
    /// As [`Case::new`].
    pub fn at_positions(op: Arc<dyn Op>, rows: usize, positions: &[usize], width: usize, seed: u64) -> Result<Case> {
        let mut graph = Graph::new();
        let x = graph.input_of(&[positions, &[FEATURES]].concat());
        let before = linear(&mut graph, "before", x, width)?;
        let name = match positions {
            [] => format!("{op:?} of {rows} × {width}"),
            _ => format!("{op:?} of {rows} × {positions:?} × {width}"),
        };
        let (output, loss) = match op.role() {
            Role::Loss(_) => (before, op),
            Role::Layer | Role::Activation => {
                let middle = graph.layer(op, "op", "op", before)?;
                (linear(&mut graph, "after", middle, OUTPUTS)?, loss_of_values())
            }
            Role::Join => {
                let beside = linear(&mut graph, "beside", x, width)?;
                let middle = graph.join(op, "op", "op", &[before, beside, before])?;
                (linear(&mut graph, "after", middle, OUTPUTS)?, loss_of_values())
            }
        };
        let count = graph.shape(output).positions();
        if seed % 2 == 1 && count > 1 {
            graph.weigh_positions(count);
        }
        Case::ending(graph, output, loss, rows, seed).map(|case| Case { name, ..case })
    }

    /// A network from its input to its output, ended by a loss, with random values for all inputs and parameters.
    ///
    /// # Errors
    /// [`Error::Shape`] if the loss does not take the output.
    pub fn ending(mut graph: Graph, output: Tensor, loss: Arc<dyn Op>, rows: usize, seed: u64) -> Result<Case> {
        let kind = target_kind(&*loss);
        let shape = graph.shape(output).clone();
        let target = if kind == TargetKind::Class { shape.with_columns(1) } else { shape };
        let target = graph.target_of(target.dims());
        let name = loss.name().to_owned();
        let loss = graph.apply(loss, "loss", &[output, target])?;
        let (given, weights) = (HashMap::new(), Vec::new());
        let mut case = Case { name, graph, output, loss, given, rows, weights, masked: None };
        case.fill(kind, seed);
        Ok(case)
    }

    /// Random values for all inputs and parameters.
    fn fill(&mut self, kind: TargetKind, seed: u64) {
        let mut numbers = Numbers::new(seed);
        let classes = self.graph.columns(self.output);
        for tensor in self.graph.tensors().collect::<Vec<_>>() {
            let shape = self.graph.shape(tensor);
            let (lines, columns) = (self.rows * shape.positions(), self.graph.columns(tensor));
            let mut random = |rows: usize, columns: usize, size: f32| {
                let values: Vec<f32> = (0..rows * columns).map(|_| size * numbers.float()).collect();
                Matrix::from_f32(rows, columns, &values)
            };
            let matrix = match (self.graph.info(tensor).kind, shape) {
                (TensorKind::Input, _) => random(lines, columns, 2.0),
                (TensorKind::Target, _) if kind == TargetKind::Class => {
                    Matrix::build(lines, 1, |r, _| Numbers::new(seed + 7 * r as u64).below(classes) as f64)
                }
                (TensorKind::Target, _) => {
                    let values = random(lines, columns, 2.0);
                    let flag = |v: f64| if kind == TargetKind::Flags { f64::from(u8::from(v > 0.0)) } else { v };
                    Matrix::build(lines, columns, |r, c| flag(values.at(r, c)))
                }
                (TensorKind::Statistic, Shape::Parameters(parts)) => {
                    let values = random(1, parts.iter().map(ParameterSpec::elements).sum(), 1.0);
                    Matrix::build(1, values.columns, |_, c| 1.5 + values.at(0, c))
                }
                (TensorKind::Parameter, Shape::Parameters(parts)) => {
                    let (_, inputs) = parts[0].matrix();
                    let count = parts.iter().map(ParameterSpec::elements).sum();
                    random(1, count, 3.0 / (inputs as f32).sqrt())
                }
                _ => continue,
            };
            self.given.insert(tensor, matrix);
        }
        let (positions, each) = (self.graph.shape(self.loss).positions(), self.graph.record().weights);
        let drawn: Vec<f64> = (0..self.rows * each).map(|_| f64::from(1.25 + numbers.float())).collect();
        self.weights = (0..self.rows * positions).map(|line| drawn[line * each / positions]).collect();
    }

    /// Gives one row the weight 0 and features so large that any use of them shows.
    pub fn mask(&mut self, row: usize) {
        self.masked = Some(row);
        let lines = self.lines_of(row, self.loss);
        self.weights[lines].fill(0.0);
        for input in self.graph.of_kind(TensorKind::Input).collect::<Vec<_>>() {
            let lines = self.lines_of(row, input);
            let Some(matrix) = self.given.get_mut(&input) else { continue };
            for value in &mut matrix.values[lines.start * matrix.columns..lines.end * matrix.columns] {
                *value = f64::from(1e30f32.copysign(*value as f32));
            }
        }
    }

    /// Whether each row has a weight.
    pub fn counts(&self) -> Vec<bool> {
        let weighs = |row| self.weights[self.lines_of(row, self.loss)].iter().any(|&weight| weight != 0.0);
        (0..self.rows).map(weighs).collect()
    }

    /// The lines of a tensor that belong to a row.
    pub fn lines_of(&self, row: usize, tensor: Tensor) -> Range<usize> {
        let positions = self.graph.shape(tensor).positions();
        row * positions..(row + 1) * positions
    }
}

/// The loss of networks that do not test a loss: the first numeric one in the list.
pub fn loss_of_values() -> Arc<dyn Op> {
    let found = ops::of_role(|role| role == Role::Loss(TargetKind::Values)).next();
    found.unwrap_or_else(|| unreachable!("the list of ops has a loss of numbers"))
}

/// The target of a loss.
pub fn target_kind(op: &dyn Op) -> TargetKind {
    match op.role() {
        Role::Loss(kind) => kind,
        _ => TargetKind::Values,
    }
}

/// Adds a linear layer with this many outputs.
pub fn linear(graph: &mut Graph, name: &str, x: Tensor, outputs: usize) -> Result<Tensor> {
    graph.layer(Arc::new(Linear::new(outputs)), name, name, x)
}
