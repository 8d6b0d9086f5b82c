//! Puts the columns (channels) of several tensors side by side: (…, a) and (…, b) to (…, a + b)

use std::sync::Arc;

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, LoopBound, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// The columns of two or more tensors with the same positions, side by side.
#[derive(Clone, Copy, Debug)]
pub struct Concat;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Concat)]
}

/// Where the columns of the k-th input begin.
fn begin(columns: impl Iterator<Item = usize>, k: usize) -> usize {
    columns.take(k).sum()
}

/// The kernels of the k-th input: whole vec4 of both, or their elements.
struct Piece {
    begin: usize,
    columns: usize,
    written: usize,
    whole: bool,
}

impl Piece {
    fn new(cx: &OpContext, k: usize) -> Piece {
        let columns = cx.graph.columns(cx.input(k));
        let begin = begin(cx.node.inputs.iter().map(|&input| cx.graph.columns(input)), k);
        let is_last = k + 1 == cx.node.inputs.len();
        let outputs = cx.graph.columns(cx.output()).next_multiple_of(4);
        let written = if is_last { outputs - begin } else { columns };
        Piece { begin, columns, written, whole: begin.is_multiple_of(4) && written.is_multiple_of(4) }
    }

    fn step(&self, cx: &OpContext, k: usize, entry: &'static str, wide: usize) -> Step {
        let work = Work::moves(3 * self.columns as u32, LoopBound::NONE);
        cx.step(entry, Grid::Elements { columns: wide as u32 }, work).dims(&[
            ("columns", self.columns as u32),
            ("columns4", self.columns.div_ceil(4) as u32),
            ("x_stride4", cx.stride(cx.input(k)) / 4),
            ("outputs4", cx.columns(cx.output()).div_ceil(4)),
            ("begin", self.begin as u32),
            ("written", self.written as u32),
        ])
    }
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn role(&self) -> Role {
        Role::Join
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/concat.wgsl")])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [first, others @ ..] = inputs else { return Err("takes two tensors or more".to_owned()) };
        if others.is_empty() {
            return Err("takes two tensors or more, but one was given".to_owned());
        }
        let mut columns = 0;
        for x in inputs {
            columns += sample(x, "x")?.columns().unwrap_or(0);
            if x.with_columns(1) != first.with_columns(1) {
                return Err(format!("{first} and {x} differ in more than their columns, and cannot be joined"));
            }
        }
        Ok(first.with_columns(columns))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let step = |k| {
            let piece = Piece::new(cx, k);
            if piece.whole {
                let step = piece.step(cx, k, "forward4", piece.columns.div_ceil(4));
                return step.bind("x4", cx.value(k)).bind("y4", cx.output_value());
            }
            let step = piece.step(cx, k, "forward", piece.written);
            step.bind("x", cx.value(k)).bind("y", cx.output_value())
        };
        (0..cx.node.inputs.len()).map(step).collect()
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let wanted = cx.wants.iter().enumerate().filter_map(|(k, write)| write.map(|write| (k, write)));
        let step = |(k, write)| {
            let piece = Piece::new(cx, k);
            let (entry, dy) = if piece.whole { ("backward4", "dy4") } else { ("backward", "dy") };
            let step = piece.step(cx, k, entry, piece.columns.div_ceil(4));
            step.bind(dy, cx.output_gradient()).bind("dinput", cx.gradient(k)).write(write)
        };
        wanted.map(step).collect()
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let lines = 0..inputs[0].rows;
        let line = |r: usize| inputs.iter().flat_map(move |x| (0..x.columns).map(move |c| x.at(r, c)));
        let columns = inputs.iter().map(|x| x.columns).sum();
        Matrix { rows: inputs[0].rows, columns, values: lines.flat_map(line).collect() }
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let begin = |k| begin(inputs.iter().map(|x| x.columns), k);
        let gradient = |(k, x): (usize, &Operand)| Matrix::build(x.rows, x.columns, |r, c| dy.at(r, begin(k) + c));
        inputs.iter().enumerate().map(gradient).collect()
    }

    /// Numbers are copied.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let exact = |m: &Matrix| Matrix::zeros(m.rows, m.columns);
        Tolerance { value: exact(checked.output), inputs: checked.gradients.iter().map(exact).collect() }
    }
}
