//! What the normalisations of groups of channels share: `shaders/group_norm.wgsl`.

use crate::gpu::{Grid, Shader};
use crate::graph::tolerance::rounds;
use crate::graph::{
    Blocks, Checked, Init, LoopBound, OnnxNode, OpContext, ParameterSpec, Scratch, Shape, Step, Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand, pad4};
use crate::wgsl::CLOCK;

/// Positions that an invocation makes: `RUN` in the shader.
const RUN: usize = 8;

/// Positions of a chunk: `CHUNK` in the shader.
const CHUNK: usize = 256;

/// Normalisation of groups of channels over all positions of a row.
#[derive(Clone, Copy, Debug)]
pub(super) struct Grouped {
    pub(super) groups: usize,
    pub(super) eps: f64,
    pub(super) affine: bool,
}

/// The sizes of a layer.
struct Sizes {
    positions: usize,
    chunks: usize,
    columns: usize,
    columns4: usize,
}

impl Sizes {
    fn of(x: &Shape) -> Sizes {
        let (positions, columns) = (x.positions(), x.columns().unwrap_or(0));
        Sizes { positions, chunks: positions.div_ceil(CHUNK), columns, columns4: columns.div_ceil(4) }
    }
}

/// A group of a row in the reference.
struct Group {
    mean: f64,
    rstd: f64,
    /// The largest of all |x|.
    size: f64,
}

impl Grouped {
    /// The shader of an op of this name.
    pub(super) fn shader(name: &str) -> &'static Shader {
        Shader::joined(name.to_owned(), vec![CLOCK, include_str!("../../shaders/group_norm.wgsl")])
    }

    pub(super) fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        if !self.affine {
            return Vec::new();
        }
        let shape = [x.columns().unwrap_or(0)];
        vec![
            ParameterSpec::new("weight", &shape, Init::Constant(1.0)),
            ParameterSpec::new("bias", &shape, Init::Constant(0.0)),
        ]
    }

    pub(super) fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let wanted = if self.affine { 2 } else { 1 };
        if inputs.len() != wanted {
            return Err(format!("takes {wanted} tensors, x and its parameters, but {} were given", inputs.len()));
        }
        let x = sample(inputs[0], "x")?;
        let channels = x.columns().unwrap_or(0);
        if self.groups == 0 || !channels.is_multiple_of(self.groups) {
            return Err(format!("x is {x}, whose {channels} channels are no multiple of {} groups", self.groups));
        }
        if x.positions() * channels == self.groups {
            return Err(format!("x is {x}, of which a group is a single number and would become 0"));
        }
        if self.affine && *inputs[1] != Shape::Parameters(self.parameters(x)) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(x.clone())
    }

    /// Mean and 1 / √(variance + eps) of each row, column by column.
    pub(super) fn saved(x: &Shape) -> Vec<usize> {
        vec![2 * pad4(x.columns().unwrap_or(0))]
    }

    /// Sums of the forward kernels, sums of the backward kernels, and the factors of the input's gradient.
    pub(super) fn scratch(x: &Shape) -> Vec<Scratch> {
        let Sizes { chunks, columns4, .. } = Sizes::of(x);
        [4 * chunks * columns4, 8 * chunks * columns4, 16 * columns4]
            .map(|per_row| Scratch { per_row, fixed: 0 })
            .to_vec()
    }

    /// A step with so many invocations for each row.
    fn step(&self, cx: &OpContext, entry: &'static str, columns: usize, moves: usize, turns: usize) -> Step {
        let work = Work::moves(moves.min(u32::MAX as usize) as u32, LoopBound::fixed(turns as u64));
        self.sized(cx, cx.step_over_rows(entry, Grid::Tiles { columns: columns as u32, rows_each: 1 }, work))
    }

    fn sized(&self, cx: &OpContext, step: Step) -> Step {
        let Sizes { positions, chunks, columns, columns4 } = Sizes::of(cx.graph.shape(cx.input(0)));
        step.dims(&[
            ("positions", positions as u32),
            ("chunks", chunks as u32),
            ("columns", columns as u32),
            ("columns4", columns4 as u32),
            ("groups", self.groups as u32),
            ("x_stride4", cx.stride(cx.input(0)) / 4),
            ("first", 0),
        ])
    }

    /// Binds the parameters. Without any, what every such kernel reads stands in their place.
    fn bind_parameters(&self, cx: &OpContext, step: Step) -> Step {
        let parameters = if self.affine { cx.value(1) } else { cx.saved(0) };
        step.bind("parameters", parameters).constant("AFFINE", f64::from(u8::from(self.affine)))
    }

    pub(super) fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let Sizes { positions, chunks, columns, columns4 } = Sizes::of(cx.graph.shape(cx.input(0)));
        let (all, sums, wide) = (4 * positions * columns4, 4 * chunks * columns4, columns / self.groups);
        let chunk_turns = positions.min(CHUNK) + 1;
        let fold_turns = wide * (chunks + 3) + 6;
        let sum = |entry| {
            let step = self.step(cx, entry, chunks * columns4, all + sums, chunk_turns).bind("x", cx.value(0));
            step.bind("made", cx.scratch(0))
        };
        let fold = |entry| {
            let step = self.step(cx, entry, self.groups, sums + columns, fold_turns).bind("sums_of", cx.scratch(0));
            step.bind("columns_of", cx.saved(0))
        };
        let forward =
            self.step(cx, "forward", positions.div_ceil(RUN) * columns4, 2 * all, RUN + 1).bind("x", cx.value(0));
        let forward = self.bind_parameters(cx, forward.bind("stats", cx.saved(0)).bind("made", cx.output_value()));
        vec![
            sum("sums"),
            fold("means"),
            sum("squares").bind("stats", cx.saved(0)),
            fold("rstds").constant("EPS", self.eps),
            forward,
        ]
    }

    pub(super) fn backward(&self, cx: &OpContext) -> Vec<Step> {
        if cx.wants.iter().all(Option::is_none) {
            return Vec::new();
        }
        let Sizes { positions, chunks, columns, columns4 } = Sizes::of(cx.graph.shape(cx.input(0)));
        let (all, sums, wide) = (4 * positions * columns4, 8 * chunks * columns4, columns / self.groups);
        let chunk_turns = positions.min(CHUNK) + 1;
        let mut steps = vec![
            self.step(cx, "backward_sums", chunks * columns4, 2 * all + sums, chunk_turns)
                .bind("x", cx.value(0))
                .bind("dy", cx.output_gradient())
                .bind("stats", cx.saved(0))
                .bind("made", cx.scratch(1)),
        ];
        if let Some(write) = cx.wants[0] {
            let fold_turns = wide * (2 * chunks + 4) + 6;
            let factors = self
                .step(cx, "factors", self.groups, sums + 4 * columns, fold_turns)
                .bind("sums_of", cx.scratch(1))
                .bind("stats", cx.saved(0))
                .bind("columns_of", cx.scratch(2));
            steps.push(self.bind_parameters(cx, factors));
            let input = self
                .step(cx, "backward_input", positions.div_ceil(RUN) * columns4, 3 * all, RUN + 1)
                .bind("x", cx.value(0));
            let input = input.bind("dy", cx.output_gradient()).bind("per_row", cx.scratch(2));
            steps.push(input.bind("made", cx.gradient(0)).write(write));
        }
        if self.affine {
            steps.push(self.backward_parameters(cx));
        }
        steps
    }

    fn backward_parameters(&self, cx: &OpContext) -> Step {
        let Sizes { positions, columns4, .. } = Sizes::of(cx.graph.shape(cx.input(0)));
        // Of each block: a turn for each of its rows, and the two loops' ends.
        let blocks = Blocks::of(positions);
        let turns = if blocks.can_be_open() { blocks.rows as u64 + 2 } else { 2 };
        let loops = LoopBound { fixed: 2, block: turns };
        // A line of which 256 make a chunk moves less than a float for every two columns.
        let work = Work { once: 16 * columns4 as u64, ..Work::moves(columns4 as u32, loops) };
        let step = cx.step("backward_parameters", Grid::Line(columns4 as u32), work);
        self.sized(cx, step)
            .bind("per_row", cx.scratch(1))
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", 1)
    }

    /// The nodes of ONNX, of which group normalisation by channels comes only with version 21.
    pub(super) fn onnx(&self, x: &Shape) -> Vec<OnnxNode> {
        let (channels, rank) = (x.columns().unwrap_or(0) as i64, x.dims().len());
        let ints = |values: Vec<i64>, name: &str| OnnxNode::new("Constant", &[], name).with("value_ints", values);
        let floats = |value: f32, name: &str| {
            OnnxNode::new("Constant", &[], name).with("value_floats", vec![value; self.groups])
        };
        // Channels first: each group is one stretch of numbers.
        let mut nodes = vec![
            ints(vec![0, self.groups as i64, -1], "by_group"),
            floats(1.0, "ones"),
            floats(0.0, "zeros"),
            OnnxNode::new("Reshape", &["x", "by_group"], "grouped"),
            OnnxNode::new("InstanceNormalization", &["grouped", "ones", "zeros"], "normal")
                .with("epsilon", self.eps as f32),
            OnnxNode::new("Shape", &["x"], "shape"),
            OnnxNode::new("Reshape", &["normal", "shape"], if self.affine { "h" } else { "y" }),
        ];
        if self.affine {
            let by_channel = std::iter::once(channels).chain(vec![1; rank - 1]).collect();
            nodes.extend([
                ints(by_channel, "by_channel"),
                OnnxNode::new("Reshape", &["weight", "by_channel"], "weights"),
                OnnxNode::new("Reshape", &["bias", "by_channel"], "biases"),
                OnnxNode::new("Mul", &["h", "weights"], "scaled"),
                OnnxNode::new("Add", &["scaled", "biases"], "y"),
            ]);
        }
        nodes
    }

    /// The group of a row that a column belongs to, for each row and group.
    fn groups(&self, x: &Operand) -> Vec<Group> {
        let (positions, wide) = (x.shape.positions(), x.columns / self.groups);
        let of = |at: usize| {
            let (row, group) = (at / self.groups, at % self.groups);
            let columns = group * wide..(group + 1) * wide;
            let lines = row * positions..(row + 1) * positions;
            let all: Vec<f64> =
                lines.flat_map(|l| columns.clone().map(move |c| (l, c))).map(|(l, c)| x.at(l, c)).collect();
            let mean = all.iter().sum::<f64>() / all.len() as f64;
            let variance = all.iter().map(|v| (v - mean).powi(2)).sum::<f64>() / all.len() as f64;
            Group { mean, rstd: 1.0 / (variance + self.eps).sqrt(), size: largest(all.iter().copied()) }
        };
        (0..x.rows / positions * self.groups).map(of).collect()
    }

    /// The number of the group, counted over all rows, of a line and a column.
    fn at(&self, x: &Operand, line: usize, c: usize) -> usize {
        line / x.shape.positions() * self.groups + c / (x.columns / self.groups)
    }

    /// x normalised.
    fn normalised(&self, x: &Operand, groups: &[Group]) -> Matrix {
        Matrix::build(x.rows, x.columns, |line, c| {
            let group = &groups[self.at(x, line, c)];
            (x.at(line, c) - group.mean) * group.rstd
        })
    }

    /// Weight and bias of a column.
    fn affine(&self, inputs: &[Operand], c: usize) -> (f64, f64) {
        match inputs {
            [x, parameters] => (parameters.at(0, c), parameters.at(0, x.columns + c)),
            _ => (1.0, 0.0),
        }
    }

    pub(super) fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let h = self.normalised(&inputs[0], &self.groups(&inputs[0]));
        Matrix::build(h.rows, h.columns, |line, c| {
            let (weight, bias) = self.affine(inputs, c);
            h.at(line, c) * weight + bias
        })
    }

    pub(super) fn reference_backward(&self, inputs: &[Operand], dy: &Matrix) -> Vec<Matrix> {
        let x = &inputs[0];
        let groups = self.groups(x);
        let h = self.normalised(x, &groups);
        let g = |line, c| dy.at(line, c) * self.affine(inputs, c).0;
        let (mut sums, mut products) = (vec![0.0; groups.len()], vec![0.0; groups.len()]);
        for (line, c) in (0..x.rows).flat_map(|line| (0..x.columns).map(move |c| (line, c))) {
            sums[self.at(x, line, c)] += g(line, c);
            products[self.at(x, line, c)] += g(line, c) * h.at(line, c);
        }
        let count = (x.shape.positions() * x.columns / self.groups) as f64;
        let dx = Matrix::build(x.rows, x.columns, |line, c| {
            let at = self.at(x, line, c);
            groups[at].rstd * (g(line, c) - sums[at] / count - h.at(line, c) * products[at] / count)
        });
        let sum = |at: usize| match at.checked_sub(x.columns) {
            Some(c) => (0..x.rows).map(|line| dy.at(line, c)).sum::<f64>(),
            None => (0..x.rows).map(|line| dy.at(line, at) * h.at(line, at)).sum(),
        };
        let dparameters = self.affine.then(|| Matrix::build(1, 2 * x.columns, |_, at| sum(at)));
        std::iter::once(dx).chain(dparameters).collect()
    }

    /// As for a layer normalisation: the mean of n numbers is within `rounds(n)` of their size, and so is everything computed
    /// from it: `h` within that of the largest |x - mean| · rstd of the group, a gradient within that of the largest |g|.
    pub(super) fn tolerance(&self, checked: &Checked) -> Tolerance {
        let (x, dy) = (&checked.inputs[0], checked.doutput);
        let (groups, count) = (self.groups(x), x.shape.positions() * x.columns / self.groups);
        let (h, by) = (self.normalised(x, &groups), 1e-6 + 4.0 * rounds(count));
        let (mut most, mut steepest) = (vec![1.0; groups.len()], vec![0.0; groups.len()]);
        for (line, c) in (0..x.rows).flat_map(|line| (0..x.columns).map(move |c| (line, c))) {
            let at = self.at(x, line, c);
            most[at] = f64::max(most[at], 1.0 + h.at(line, c).abs());
            steepest[at] = f64::max(steepest[at], (dy.at(line, c) * self.affine(checked.inputs, c).0).abs());
        }
        // The error of h: rounding of x itself if the group is far from 0, and rounding of the statistics.
        let off: Vec<f64> =
            (groups.iter().zip(&most)).map(|(group, most)| by * (group.size * group.rstd + most)).collect();
        let value = |line, c| {
            let (weight, bias) = self.affine(checked.inputs, c);
            off[self.at(x, line, c)] * weight.abs() + by * (checked.output.at(line, c).abs() + bias.abs())
        };
        let gradient = |line, c| {
            let at = self.at(x, line, c);
            groups[at].rstd * steepest[at] * (by * most[at] * most[at] + 2.0 * off[at] * most[at])
        };
        let sums = |_: usize, at: usize| {
            let (c, is_weight) = (at % x.columns, at < x.columns);
            let size: f64 = (0..x.rows).map(|line| dy.at(line, c).abs()).sum();
            if !is_weight {
                return rounds(x.rows) * size;
            }
            let factor = largest((0..x.rows).map(|line| h.at(line, c))).max(1.0);
            let moved: f64 = (0..x.rows).map(|line| off[self.at(x, line, c)] * dy.at(line, c).abs()).sum();
            rounds(x.rows) * size * factor + moved
        };
        let inputs = std::iter::once(Matrix::build(x.rows, x.columns, gradient));
        let parameters = self.affine.then(|| Matrix::build(1, 2 * x.columns, sums));
        Tolerance { value: Matrix::build(x.rows, x.columns, value), inputs: inputs.chain(parameters).collect() }
    }
}

fn largest(values: impl Iterator<Item = f64>) -> f64 {
    values.fold(0.0, |most: f64, value| most.max(value.abs()))
}
