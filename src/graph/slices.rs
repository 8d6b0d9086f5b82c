//! Cuts a step that may take long into finer steps with the same result, for slow adapters.

use super::{BLOCK, Step};
use crate::gpu::{Cost, Grid};

/// Most time that a part should take for one block of rows, in seconds of [`Cost::seconds`].
const PART: f64 = 0.004;

/// Most parts of a step.
const MOST: u32 = 32;

impl Step {
    /// Says that the step can be cut where its grid is cut. The field of its `dims` says where a part begins: `each` for every
    /// invocation before it. All elements are made as they would be by the whole.
    pub fn in_parts(self, field: &'static str, each: u32) -> Step {
        // Parts begin where a workgroup does, whatever its shape.
        let (len, align) = match self.grid {
            Grid::Tiles { columns, .. } => (columns, 32),
            Grid::Fixed { rows, .. } => (rows, 32),
            Grid::Line(count) => (count, 64),
            Grid::Elements { .. } | Grid::Rows | Grid::Group => (1, 1),
        };
        let took = self.to_label().cost.seconds(BLOCK as u32);
        let wanted = ((took / PART).ceil() as u32).clamp(1, MOST);
        let long = len.div_ceil(wanted).next_multiple_of(align);
        let mut step = self.dims(&[(field, 0)]);
        if long < len {
            let begins = (0..len).step_by(long as usize);
            step.parts = begins.map(|at| step.part(field, each, at..len.min(at + long), len)).collect();
        }
        step
    }

    fn part(&self, field: &'static str, each: u32, stretch: std::ops::Range<u32>, len: u32) -> Step {
        let mut part = Step { parts: Vec::new(), ..self.clone() };
        let long = stretch.end - stretch.start;
        part.grid = match self.grid {
            Grid::Tiles { rows_each, .. } => Grid::Tiles { columns: long, rows_each },
            Grid::Fixed { columns, .. } => Grid::Fixed { columns, rows: long },
            Grid::Line(_) => Grid::Line(long),
            whole @ (Grid::Elements { .. } | Grid::Rows | Grid::Group) => whole,
        };
        part.dims.retain(|(name, _)| *name != field);
        let share = |all: u64| (u128::from(all) * u128::from(long) / u128::from(len)) as u64;
        let Cost { kind, flops_per_row, bytes_per_row, bytes } = self.cost;
        part.cost = Cost {
            kind,
            flops_per_row: share(flops_per_row),
            bytes_per_row: share(bytes_per_row),
            bytes: share(bytes),
        };
        part.dims(&[(field, each * stretch.start)])
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::gpu::Shader;
    use crate::graph::{LoopBound, Resource, Work};

    #[test]
    fn what_a_step_is_given_after_the_cut_holds_for_its_parts() {
        static SHADER: Shader = Shader { name: "test", parts: &[] };
        let long = 1 << 24;
        let step =
            || Step::new("test", &SHADER, "main", Grid::Line(long), Work::moves_once(u64::from(long), LoopBound::NONE));
        let whole = |step: Step| step.bind("stats", Resource::Stats).constant("KEEP", 0.5).dims(&[("width", 3)]);
        let (before, after) = (whole(step()).in_parts("first", 1), whole(step().in_parts("first", 1)));
        assert!(before.parts.len() > 1);
        assert_eq!(before.parts.len(), after.parts.len());
        for (one, other) in before.parts.iter().zip(&after.parts) {
            assert_eq!(one.bindings, other.bindings);
            assert_eq!(one.constants, other.constants);
            let sorted = |step: &Step| {
                let mut dims: Vec<String> = step.dims.iter().map(|dim| format!("{dim:?}")).collect();
                dims.sort();
                dims
            };
            assert_eq!(sorted(one), sorted(other));
        }
    }
}
