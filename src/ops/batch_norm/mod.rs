//! Batch normalisation, like PyTorch's `nn.BatchNorm2d`, over groups of rows of the window instead of over what happens to be on the
//! GPU at once: `y = (x - mean) / √(variance + eps) · weight + bias`

mod reference;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use serde::Deserialize;
use serde_json::Value;

use crate::gpu::{Grid, Shader};
use crate::graph::{
    Checked, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Resource, Role, Scratch, Shape, Step,
    Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand, pad4};
use crate::wgsl::{CLOCK, PADDING, STATS};

/// Lines of a row that an invocation makes: `RUN` in the shader.
const RUN: u32 = 8;

/// Positions of a row that are summed at once: `PIECE` in the shader.
const PIECE: usize = 256;

/// Most rows of a group.
const MOST: usize = 1 << 16;

/// When running statistics move.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Running {
    /// Once an update, by mean and variance of all groups of its window together.
    #[default]
    Update,
    /// Once a group, one after the other, as a loop over micro-batches does it in PyTorch.
    Group,
}

/// Batch normalisation of each channel over the lines of `group` rows, counted from the window's start. Rows without weight are left
/// out. A model in use takes the running statistics.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BatchNorm {
    /// Rows of a group; a window of fewer rows is one group.
    pub group: usize,
    /// Added to the variance.
    pub eps: f64,
    /// The share of a window in the running statistics after it.
    pub momentum: f64,
    /// When running statistics move.
    pub running: Running,
}

impl Default for BatchNorm {
    /// Groups of 32 rows, and PyTorch's defaults: eps 1e-5, momentum 0.1.
    fn default() -> BatchNorm {
        BatchNorm { group: 32, eps: 1e-5, momentum: 0.1, running: Running::Update }
    }
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    let small = BatchNorm { group: 4, eps: 0.5, running: Running::Group, ..BatchNorm::default() };
    vec![Arc::new(BatchNorm::default()), Arc::new(small)]
}

/// The sizes of its steps.
struct Sizes {
    columns: u32,
    columns4: u32,
    positions: u32,
    /// Pieces of a row.
    pieces: u32,
    /// Rows of the largest group of a micro-batch.
    rows: u64,
}

impl BatchNorm {
    fn sizes(&self, cx: &OpContext) -> Sizes {
        let columns = cx.columns(cx.input(0));
        let positions = cx.positions();
        let rows = self.group.min(cx.hardware.rows) as u64;
        Sizes { columns, columns4: columns.div_ceil(4), positions, pieces: positions.div_ceil(PIECE as u32), rows }
    }

    fn with_dims(&self, cx: &OpContext, step: Step) -> Step {
        let (sizes, record) = (self.sizes(cx), cx.graph.record());
        step.dims(&[
            ("columns", sizes.columns),
            ("columns4", sizes.columns4),
            ("x_stride4", cx.stride(cx.input(0)) / 4),
            ("group", self.group as u32),
            ("positions", sizes.positions),
            ("pieces", sizes.pieces),
            ("record_stride", record.stride as u32),
            ("weight_at", record.weight_at as u32),
            ("weights", record.weights as u32),
        ])
        .constant("EPS", self.eps)
        .constant("MOMENTUM", self.momentum)
        .constant("BY_GROUP", f64::from(u8::from(self.running == Running::Group)))
    }

    /// A step that makes all lines, a few of a row at a time.
    fn by_run(&self, cx: &OpContext, entry: &'static str, moves: u32) -> Step {
        let Sizes { columns, columns4, positions, .. } = self.sizes(cx);
        let runs = positions.div_ceil(RUN);
        let floats = columns * positions.div_ceil(runs);
        let work = Work::moves(moves * floats, LoopBound::fixed(u64::from(RUN) + 1)).computing(u64::from(4 * floats));
        let grid = Grid::Tiles { columns: columns4, rows_each: 1 };
        self.with_dims(cx, cx.step_of_lines(runs as usize, entry, grid, work))
    }

    /// A step that sums pieces of rows.
    fn by_piece(&self, cx: &OpContext, entry: &'static str, tensors: u32) -> Step {
        let Sizes { columns, columns4, positions, pieces, .. } = self.sizes(cx);
        let lines = positions.div_ceil(pieces);
        let work = Work::moves(tensors * columns * lines, LoopBound::fixed(PIECE as u64 + 1));
        let work = work.computing(u64::from(2 * columns * lines));
        let grid = Grid::Tiles { columns: columns4, rows_each: 1 };
        self.with_dims(cx, cx.step_of_lines(pieces as usize, entry, grid, work))
    }

    /// A step that sums the pieces of a group.
    fn by_group(&self, cx: &OpContext, entry: &'static str) -> Step {
        let Sizes { columns, columns4, pieces, rows, .. } = self.sizes(cx);
        let loops = LoopBound::fixed(rows * u64::from(pieces + 2) + rows + 2);
        let work = Work::moves(2 * pieces * columns, loops).computing(u64::from(2 * pieces * columns));
        let grid = Grid::Tiles { columns: columns4, rows_each: self.group as u32 };
        self.with_dims(cx, cx.step_of_lines(1, entry, grid, work))
    }

    /// A step that goes through the groups of a micro-batch, for each vec4 of channels.
    fn by_channel(&self, cx: &OpContext, entry: &'static str, grid: Grid) -> Step {
        let Sizes { columns, .. } = self.sizes(cx);
        // All rows once, and each group once more.
        let work = Work::moves(4 * columns, LoopBound { fixed: 4, block: 3 * 32 + 2 }).computing(u64::from(columns));
        self.with_dims(cx, cx.step_of_lines(1, entry, grid, work))
    }

    fn in_training(&self, cx: &OpContext) -> Vec<Step> {
        let weights = cx.graph.record().weights as u64;
        let work = Work::moves(4 + weights as u32, LoopBound::fixed(weights + 1));
        let columns4 = self.sizes(cx).columns4;
        let mark = self.with_dims(cx, cx.step_of_lines(1, "mark", Grid::Rows, work));
        let pieces = |step: Step| step.bind("saved", cx.saved(0)).bind("pieces", cx.scratch(0));
        vec![
            mark.bind("record", Resource::Record).bind("saved", cx.saved(0)),
            self.by_piece(cx, "sums", 1).bind("x", cx.value(0)).bind("pieces", cx.scratch(0)),
            pieces(self.by_group(cx, "mean")),
            pieces(self.by_piece(cx, "squares", 1).bind("x", cx.value(0))),
            pieces(self.by_group(cx, "variance")),
            self.by_run(cx, "forward", 2)
                .bind("x", cx.value(0))
                .bind("saved", cx.saved(0))
                .bind("parameters", cx.value(1))
                .bind("y", cx.output_value()),
            self.by_channel(cx, "collect", Grid::Line(columns4))
                .bind("saved", cx.saved(0))
                .bind("window", cx.gradient(2))
                .bind("running", cx.value(2)),
            self.by_channel(cx, "count", Grid::Group)
                .bind("saved", cx.saved(0))
                .bind("window", cx.gradient(2))
                .bind("running", cx.value(2)),
        ]
    }
}

impl Op for BatchNorm {
    fn name(&self) -> &'static str {
        "batch_norm"
    }

    /// Its statistics are of all positions.
    fn looks_ahead(&self) -> bool {
        true
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../../shaders/batch_norm.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, PADDING, STATS, own])
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        let shape = [x.columns().unwrap_or(0)];
        vec![
            ParameterSpec::new("weight", &shape, Init::Constant(1.0)),
            ParameterSpec::new("bias", &shape, Init::Constant(0.0)),
        ]
    }

    fn statistics(&self, x: &Shape) -> Vec<ParameterSpec> {
        let shape = [x.columns().unwrap_or(0)];
        vec![
            ParameterSpec::new("running_mean", &shape, Init::Constant(0.0)),
            ParameterSpec::new("running_var", &shape, Init::Constant(1.0)),
            ParameterSpec::new("num_batches_tracked", &[], Init::Constant(0.0)),
        ]
    }

    fn group(&self) -> usize {
        self.group
    }

    fn differs_in_training(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let op = match arguments.as_u64() {
            Some(group) => BatchNorm { group: group as usize, ..BatchNorm::default() },
            None => BatchNorm::deserialize(arguments)
                .map_err(|error| format!("{error}; takes a table, as in {{ group = 32, momentum = 0.1 }}"))?,
        };
        if !(1..=MOST).contains(&op.group) {
            return Err(format!("group = {}; give 1 to {MOST} rows", op.group));
        }
        let is_right = op.eps > 0.0 && op.eps.is_finite() && (0.0..=1.0).contains(&op.momentum);
        if !is_right {
            return Err(format!(
                "eps = {} and momentum = {}; give numbers above 0, and from 0 to 1",
                op.eps, op.momentum
            ));
        }
        Ok(Arc::new(op))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given), Shape::Parameters(kept)] = inputs else {
            return Err("takes x, its parameters and its statistics".to_owned());
        };
        let x = sample(x, "x")?;
        if *given != self.parameters(x) || *kept != self.statistics(x) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(x.clone())
    }

    /// Of each row whether it counts; of the first one of a group mean and variance of each channel.
    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        vec![4 + 2 * pad4(inputs[0].columns().unwrap_or(0))]
    }

    /// The sums of pieces, forward and backward, and what is known of a group on the way back.
    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        let columns = pad4(inputs[0].columns().unwrap_or(0));
        let pieces = inputs[0].positions().div_ceil(PIECE);
        [pieces * columns, 2 * pieces * columns, 4 + 5 * columns].map(|per_row| Scratch { per_row, fixed: 0 }).to_vec()
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        if cx.trains {
            return self.in_training(cx);
        }
        let step = self
            .by_run(cx, "in_use", 2)
            .bind("x", cx.value(0))
            .bind("parameters", cx.value(1))
            .bind("running", cx.value(2))
            .bind("y", cx.output_value());
        vec![step]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let columns4 = self.sizes(cx).columns4;
        let mut steps = vec![
            self.by_piece(cx, "back_sums", 2)
                .bind("x", cx.value(0))
                .bind("dy", cx.output_gradient())
                .bind("saved", cx.saved(0))
                .bind("pieces", cx.scratch(1)),
            self.by_group(cx, "back_group")
                .bind("saved", cx.saved(0))
                .bind("pieces", cx.scratch(1))
                .bind("parameters", cx.value(1))
                .bind("back", cx.scratch(2)),
            self.by_channel(cx, "backward_parameters", Grid::Line(columns4))
                .bind("back", cx.scratch(2))
                .bind("dparameters", cx.gradient(1)),
        ];
        steps.extend(cx.wants[0].map(|write| {
            self.by_run(cx, "backward_input", 3)
                .bind("x", cx.value(0))
                .bind("dy", cx.output_gradient())
                .bind("back", cx.scratch(2))
                .bind("dinput", cx.gradient(0))
                .write(write)
        }));
        steps
    }

    fn update(&self, cx: &OpContext) -> Vec<Step> {
        let count = 2 * self.sizes(cx).columns4 + 1;
        let work = Work::moves_once(12 * u64::from(count), LoopBound::NONE);
        let step = self
            .with_dims(cx, cx.step_of_lines(1, "settle", Grid::Line(count), work))
            .bind("statistics", cx.value(2))
            .bind("window", cx.gradient(2))
            .bind("stats", Resource::Stats);
        vec![step]
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        // Of sequences, PyTorch's module wants the channels before the tokens.
        let dimensions = match x.dims().len() {
            2 => return None,
            3 => 2,
            _ => 1,
        };
        let (columns, eps, momentum) = (x.columns()?, self.eps, self.momentum);
        let torch = format!("nn.BatchNorm{dimensions}d({columns}, eps={eps:?}, momentum={momentum:?})");
        let inputs = ["x", "weight", "bias", "running_mean", "running_var"];
        let node = OnnxNode::new("BatchNormalization", &inputs, "y").with("epsilon", eps as f32);
        Some(Export::new(torch, vec![node]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        reference::forward(self, inputs)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        reference::backward(self, inputs, dy)
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        reference::tolerance(self, checked)
    }
}
