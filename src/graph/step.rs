//! A step: one dispatch as data.

use super::{Blocks, Resource, Write};
use crate::gpu::{Cost, CostKind, Grid, Label, Scalar, Shader};

/// One dispatch as data: a kernel, its sizes and its resources.
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
    /// The shader's other uniforms: arrays of structs.
    pub tables: Vec<Table>,
    /// The resource of each of the shader's variables.
    pub bindings: Vec<(&'static str, Resource)>,
    /// The variables that the kernel reads through textures, in copies. The plan decides it.
    pub through_textures: Vec<&'static str>,
    /// Its invocations.
    pub grid: Grid,
    /// The lines of a row that it computes, and their blocks.
    pub blocks: Blocks,
    /// Its operations and memory traffic.
    pub cost: Cost,
    /// Bound on the loop iterations of one invocation.
    pub loops: LoopBound,
    /// Finer steps with the same result, for when this one takes long; empty if it never does.
    pub parts: Vec<Step>,
}

/// An array of structs in a uniform.
#[derive(Clone, Debug)]
pub struct Table {
    /// The shader's variable.
    pub name: &'static str,
    /// Values of the fields, struct by struct.
    pub rows: Vec<Vec<(&'static str, Scalar)>>,
    /// Bytes of the whole array.
    pub bytes: u64,
}

/// The operations, memory traffic and loop iterations of a step. Every step must declare them: a driver may silently end
/// a loop that is too long, and the length of a submission follows from its steps' declared cost.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Work {
    /// Bound on the loop iterations of one invocation.
    pub loops: LoopBound,
    /// Float operations per line.
    pub computes: u64,
    /// Floats read or written per line.
    pub per_line: u32,
    /// Floats read or written independent of the lines.
    pub once: u64,
}

impl Work {
    /// Moves so many floats for each line, with loops of at most so many iterations.
    pub fn moves(per_line: u32, loops: LoopBound) -> Work {
        Work { loops, computes: 0, per_line, once: 0 }
    }

    /// Moves so many floats, whatever the lines are, with loops of at most so many iterations.
    pub fn moves_once(once: u64, loops: LoopBound) -> Work {
        Work { once, ..Work::moves(0, loops) }
    }

    /// The same with so many operations on floats for each line.
    pub fn computing(self, computes: u64) -> Work {
        Work { computes, ..self }
    }
}

/// A bound on all loop iterations of one invocation, including the last one of each loop, which only finds the end.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct LoopBound {
    /// Iterations independent of the lines.
    pub fixed: u64,
    /// Iterations per 32 lines, or per shorter rest of a block.
    pub block: u64,
}

impl LoopBound {
    /// No loops.
    pub const NONE: LoopBound = LoopBound { fixed: 0, block: 0 };

    /// This many iterations, independent of the lines.
    pub fn fixed(fixed: u64) -> LoopBound {
        LoopBound { fixed, block: 0 }
    }

    /// The bound for this many rows, which may begin and end inside a block.
    pub fn of(self, rows: usize, blocks: Blocks) -> u64 {
        self.fixed + self.block * LoopBound::pieces(rows, blocks)
    }

    /// The most rows for which the bound is at most `most`; `None` if the bound does not depend on rows.
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

    /// Pieces of 32 lines, plus one shorter rest per block.
    fn pieces(rows: usize, blocks: Blocks) -> u64 {
        if blocks.positions == 1 {
            return rows as u64 / 32 + 2;
        }
        (rows as u64 * blocks.positions as u64) / 32 + blocks.touched(rows) as u64
    }
}

impl Step {
    /// A step over rows of one position, without dims, bindings and constants yet.
    pub fn new(label: &str, shader: &'static Shader, entry: &'static str, grid: Grid, work: Work) -> Step {
        let Work { loops, computes, per_line, once } = work;
        let cost = Cost {
            kind: CostKind::default(),
            flops_per_row: computes,
            bytes_per_row: 4 * u64::from(per_line),
            bytes: 4 * once,
        };
        let (dims, tables, bindings, parts) = (Vec::new(), Vec::new(), Vec::new(), Vec::new());
        let constants = match grid {
            Grid::Elements { columns } => vec![("ACROSS", f64::from(Grid::wide(columns)))],
            _ => Vec::new(),
        };
        let (label, blocks, through_textures) = (label.to_owned(), Blocks::of(1), Vec::new());
        Step {
            label,
            shader,
            entry,
            constants,
            dims,
            tables,
            bindings,
            through_textures,
            grid,
            blocks,
            cost,
            loops,
            parts,
        }
    }

    /// The same step over lines in these blocks: all positions of each row.
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
    pub fn dims(self, dims: &[(&'static str, u32)]) -> Step {
        self.and_its_parts(|step| step.dims.extend(dims.iter().map(|&(name, value)| (name, Scalar::U32(value)))))
    }

    /// Changes fields of `dims` that already have a value.
    pub(crate) fn set_dims(mut self, dims: &[(&'static str, u32)]) -> Step {
        for &(name, value) in dims {
            self.dims.retain(|(known, _)| *known != name);
            self.dims.push((name, Scalar::U32(value)));
        }
        self
    }

    /// Binds a variable.
    pub fn bind(self, name: &'static str, resource: Resource) -> Step {
        self.and_its_parts(|step| step.bindings.push((name, resource)))
    }

    /// Sets an `override` constant.
    pub fn constant(self, name: &'static str, value: f64) -> Step {
        self.and_its_parts(|step| step.constants.push((name, value)))
    }

    /// Changes the step and its parts, so that what is said after [`Step::in_parts`] holds for them, too.
    pub(crate) fn and_its_parts(mut self, change: impl Fn(&mut Step)) -> Step {
        change(&mut self);
        self.parts.iter_mut().for_each(change);
        self
    }

    /// Sets the `override` constant `ACCUMULATE`.
    pub fn write(self, write: Write) -> Step {
        self.constant("ACCUMULATE", f64::from(u8::from(write == Write::Accumulate)))
    }

    /// Its name and cost, for a profile.
    pub fn to_label(&self) -> Label {
        Label {
            step: self.label.clone(),
            kernel: format!("{}.{}", self.shader.name, self.entry),
            cost: Cost { kind: self.kind(), ..self.cost },
        }
    }

    /// Which resource limits the step's speed.
    fn kind(&self) -> CostKind {
        match self.grid {
            _ if self.cost.flops_per_row == 0 => CostKind::Moves,
            Grid::Group => CostKind::Windows,
            Grid::Fixed { .. } | Grid::Line(_) => CostKind::Sums,
            Grid::Tiles { .. } | Grid::Elements { .. } | Grid::Rows if self.entry == "backward_input" => CostKind::Back,
            Grid::Tiles { .. } | Grid::Elements { .. } | Grid::Rows => CostKind::Rows,
        }
    }
}
