//! A step: one dispatch as data.

use super::{Blocks, Resource, Write};
use crate::gpu::{Cost, CostKind, Grid, Label, Scalar, Shader};

/// One dispatch as data: which kernel, with which sizes, on which resources.
#[derive(Clone, Debug)]
pub struct Step {
    /// What it computes, for people.
    pub label: String,
    /// The shader.
    pub shader: &'static Shader,
    /// The entry point.
    pub entry: &'static str,
    /// Values of the shader's `override` constants.
    pub constants: Vec<(&'static str, f64)>,
    /// Values of the fields of the shader's `dims`.
    pub dims: Vec<(&'static str, Scalar)>,
    /// Values of the fields of the shader's `layers`, layer by layer.
    pub layers: Vec<Vec<(&'static str, Scalar)>>,
    /// What each variable of the shader is bound to.
    pub bindings: Vec<(&'static str, Resource)>,
    /// Its invocations.
    pub grid: Grid,
    /// The lines of a row that it works on, and their blocks.
    pub blocks: Blocks,
    /// What it computes and moves.
    pub cost: Cost,
    /// The iterations of the loops of one invocation, at most.
    pub loops: LoopBound,
    /// Finer steps that do the same together, for when this one takes long by itself; none where it never does.
    pub parts: Vec<Step>,
}

/// What a step computes and moves, and how long its loops are. Every step says so when it is made: a driver ends loops that
/// are too long without a word, and a submission is as long as its steps are said to take.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// The iterations of the loops of one invocation.
    pub loops: LoopBound,
    /// Operations on floats for each line.
    pub computes: u64,
    /// Floats that are read or written for each line.
    pub per_line: u32,
    /// Floats that are read or written whatever the lines are.
    pub once: u64,
}

impl Work {
    /// Moves so many floats for each line; no loops.
    pub fn moves(per_line: u32) -> Work {
        Work { loops: LoopBound::NONE, computes: 0, per_line, once: 0 }
    }

    /// Moves so many floats, whatever the lines are; no loops.
    pub fn moves_once(once: u64) -> Work {
        Work { once, ..Work::moves(0) }
    }

    /// The same with loops.
    pub fn with_loops(self, loops: LoopBound) -> Work {
        Work { loops, ..self }
    }
}

/// A bound on the iterations of the loops of one invocation together, the iteration included in which a loop finds its end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopBound {
    /// However many lines there are.
    pub fixed: u64,
    /// For each 32 lines, or what a block has less.
    pub block: u64,
}

impl LoopBound {
    /// No loops at all.
    pub const NONE: LoopBound = LoopBound { fixed: 0, block: 0 };

    /// So many iterations, however many lines there are.
    pub fn fixed(fixed: u64) -> LoopBound {
        LoopBound { fixed, block: 0 }
    }

    /// For so many rows, which may begin and end inside a block.
    pub fn of(self, rows: usize, blocks: Blocks) -> u64 {
        self.fixed + self.block * LoopBound::pieces(rows, blocks)
    }

    /// The most rows for which the bound is `most` or less; `None` where rows do not matter.
    pub fn rows_within(self, most: u64, blocks: Blocks) -> Option<usize> {
        if self.block == 0 {
            return None;
        }
        let left = most.saturating_sub(self.fixed) / self.block;
        let (mut fit, mut too_many) = (0, u32::MAX as usize);
        while too_many - fit > 1 {
            let middle = fit.midpoint(too_many);
            if LoopBound::pieces(middle, blocks) <= left { fit = middle } else { too_many = middle }
        }
        Some(fit)
    }

    /// Pieces of 32 lines, and what is left of each block.
    fn pieces(rows: usize, blocks: Blocks) -> u64 {
        if blocks.positions == 1 {
            return rows as u64 / 32 + 2;
        }
        (rows as u64 * blocks.positions as u64) / 32 + blocks.touched(rows) as u64
    }
}

impl Step {
    /// A step over rows of one position, so far without dims, bindings and constants.
    pub fn new(label: &str, shader: &'static Shader, entry: &'static str, grid: Grid, work: Work) -> Step {
        let Work { loops, computes, per_line, once } = work;
        let cost = Cost {
            kind: CostKind::default(),
            flops_per_row: computes,
            bytes_per_row: 4 * u64::from(per_line),
            bytes: 4 * once,
        };
        let (constants, dims, layers, bindings, parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let (label, blocks) = (label.to_owned(), Blocks::of(1));
        Step { label, shader, entry, constants, dims, layers, bindings, grid, blocks, cost, loops, parts }
    }

    /// The same over lines in these blocks: all positions of each row.
    pub(crate) fn over(mut self, blocks: Blocks) -> Step {
        let Blocks { positions, rows, lines } = blocks;
        if positions > 1 {
            self.cost.flops_per_row *= positions as u64;
            self.cost.bytes_per_row *= positions as u64;
            let constants = [("POSITIONS", positions), ("BLOCK_ROWS", rows), ("BLOCK_LINES", lines)];
            self.constants.extend(constants.map(|(name, value)| (name, value as f64)));
        }
        Step { blocks, ..self }
    }

    /// Sets the fields of `dims`.
    pub fn dims(mut self, dims: &[(&'static str, u32)]) -> Step {
        self.dims.extend(dims.iter().map(|&(name, value)| (name, Scalar::U32(value))));
        self
    }

    /// Sets fields of `dims` that have a value already.
    pub(crate) fn set_dims(mut self, dims: &[(&'static str, u32)]) -> Step {
        for &(name, value) in dims {
            self.dims.retain(|(known, _)| *known != name);
            self.dims.push((name, Scalar::U32(value)));
        }
        self
    }

    /// Binds a variable.
    pub fn bind(mut self, name: &'static str, resource: Resource) -> Step {
        self.bindings.push((name, resource));
        self
    }

    /// Sets an `override` constant.
    pub fn constant(mut self, name: &'static str, value: f64) -> Step {
        self.constants.push((name, value));
        self.parts.iter_mut().for_each(|part| part.constants.push((name, value)));
        self
    }

    /// Sets the `override` constant `ACCUMULATE`.
    pub fn write(self, write: Write) -> Step {
        self.constant("ACCUMULATE", f64::from(u8::from(write == Write::Accumulate)))
    }

    /// What it is and costs, for a profile.
    pub fn to_label(&self) -> Label {
        Label {
            step: self.label.clone(),
            kernel: format!("{}.{}", self.shader.name, self.entry),
            cost: Cost { kind: self.kind(), ..self.cost },
        }
    }

    /// What sets the step's speed.
    fn kind(&self) -> CostKind {
        match self.grid {
            _ if self.cost.flops_per_row == 0 => CostKind::Moves,
            Grid::Group => CostKind::Windows,
            Grid::Fixed { .. } | Grid::Line(_) => CostKind::Sums,
            Grid::Tiles { .. } | Grid::Rows if self.entry == "backward_input" => CostKind::Back,
            Grid::Tiles { .. } | Grid::Rows => CostKind::Rows,
        }
    }
}
