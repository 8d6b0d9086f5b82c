//! The choice among kernels for matrix products. All give the same bits: they differ in which invocation computes which
//! elements and in how both factors reach it. Each element's sum has the same terms in the same order in all of them.

use std::fmt;
use std::str::FromStr;

use crate::gpu::Grid;
use crate::graph::{LoopBound, OpContext};
use crate::wgsl::{OUTER, PLAIN as EACH, ROWS, SHARED as HANDED};

const SMALL_WGSL: &str = include_str!("../../../shaders/linear/small.wgsl");
const ROWS_WGSL: &str = include_str!("../../../shaders/linear/rows.wgsl");
const GROUP: &str = include_str!("../../../shaders/linear/group.wgsl");
const GROUP_WEIGHT: &str = include_str!("../../../shaders/linear/group_weight.wgsl");

/// The three kernels of a layer, of one kind.
#[derive(Debug, PartialEq, Eq)]
pub struct MatmulKernel {
    /// Its name in the environment variable.
    pub name: &'static str,
    /// Its WGSL, besides the parts that all kinds share.
    pub(super) parts: &'static [&'static str],
    /// Values of its `override` constants.
    pub(super) constants: &'static [(&'static str, u32)],
    /// Tile of rows that an invocation computes: rows, and columns in vec4.
    made: [u32; 2],
    /// Tile of a weight's gradient that an invocation computes: outputs, and inputs in vec4.
    gradient: [u32; 2],
    /// Invocations for the gradient of the bias, besides those for the weight.
    bias: u32,
    /// Loop iterations per vec4 of a sum, and per block of rows.
    turns: [u64; 2],
    /// Whether invocations exchange values in a subgroup.
    subgroups: bool,
}

/// 4 × 4 elements an invocation, in workgroups of 8 × 8.
pub static SMALL: MatmulKernel = MatmulKernel {
    name: "small",
    parts: &["const WIDE: u32 = 8u;\nconst HIGH: u32 = 8u;\n", SMALL_WGSL],
    constants: &[],
    made: [4, 1],
    gradient: [1, 1],
    bias: 1,
    turns: [1, 34],
    subgroups: false,
};

/// The same for few columns.
pub static TALL: MatmulKernel =
    MatmulKernel { name: "tall", parts: &["const WIDE: u32 = 2u;\nconst HIGH: u32 = 32u;\n", SMALL_WGSL], ..SMALL };

/// The same for few rows.
pub static FLAT: MatmulKernel =
    MatmulKernel { name: "flat", parts: &["const WIDE: u32 = 32u;\nconst HIGH: u32 = 2u;\n", SMALL_WGSL], ..SMALL };

/// For the CPU: as much as fits into its registers, without workgroup memory.
pub static PLAIN: MatmulKernel = MatmulKernel {
    name: "plain",
    parts: &[OUTER, EACH, ROWS, ROWS_WGSL],
    constants: &[("TILE", 16), ("PAIR", 1)],
    made: [16, 2],
    gradient: [4, 1],
    bias: 8,
    turns: [1, 48],
    subgroups: false,
};

/// For the CPU, whose subgroups are the lanes of a register: each lane loads a part of what its neighbours need too.
pub static SHARED: MatmulKernel =
    MatmulKernel { name: "shared", parts: &[OUTER, HANDED, ROWS, ROWS_WGSL], subgroups: true, ..PLAIN };

/// The same for so few columns that one vec4 per lane is enough.
pub static SHARED_NARROW: MatmulKernel =
    MatmulKernel { name: "shared_narrow", constants: &[("TILE", 16), ("PAIR", 0)], made: [16, 1], ..SHARED };

/// The same for few rows.
pub static SHARED_FLAT: MatmulKernel =
    MatmulKernel { name: "shared_flat", constants: &[("TILE", 8), ("PAIR", 1)], made: [8, 2], ..SHARED };

/// For a GPU: a workgroup's tile is 32 × 32 elements.
pub static GROUP_32: MatmulKernel = MatmulKernel {
    name: "wg32",
    parts: &["const WIDE: u32 = 8u;\nconst QUADS: u32 = 1u;\nconst DEEP: u32 = 16u;\n", OUTER, GROUP, GROUP_WEIGHT],
    constants: &[],
    made: [4, 1],
    gradient: [1, 1],
    bias: 0,
    turns: [3, 100],
    subgroups: false,
};

/// 64 × 64 elements.
pub static GROUP_64: MatmulKernel = MatmulKernel {
    name: "wg64",
    parts: &["const WIDE: u32 = 8u;\nconst QUADS: u32 = 2u;\nconst DEEP: u32 = 16u;\n", OUTER, GROUP, GROUP_WEIGHT],
    made: [8, 2],
    gradient: [2, 2],
    ..GROUP_32
};

/// 128 × 128 elements.
pub static GROUP_128: MatmulKernel = MatmulKernel {
    name: "wg128",
    parts: &["const WIDE: u32 = 16u;\nconst QUADS: u32 = 2u;\nconst DEEP: u32 = 8u;\n", OUTER, GROUP, GROUP_WEIGHT],
    ..GROUP_64
};

/// All kernels.
pub static ALL: [&MatmulKernel; 10] =
    [&SMALL, &TALL, &FLAT, &PLAIN, &SHARED, &SHARED_NARROW, &SHARED_FLAT, &GROUP_32, &GROUP_64, &GROUP_128];

impl MatmulKernel {
    /// The grid for rows of this many vec4.
    pub(super) fn rows(&self, columns4: u32) -> Grid {
        let [rows_each, columns_each] = self.made;
        Grid::Tiles { columns: columns4.div_ceil(columns_each), rows_each }
    }

    /// The grid for the gradients of a weight and its bias.
    pub(super) fn gradient(&self, outputs4: u32, inputs4: u32) -> Grid {
        let [outputs_each, inputs_each] = self.gradient;
        let columns = inputs4.div_ceil(inputs_each).next_multiple_of(self.bias.max(1)) + self.bias;
        Grid::Fixed { columns, rows: outputs4.div_ceil(outputs_each) }
    }

    /// Columns of rows that an invocation computes, in vec4.
    pub(super) fn columns_each(&self) -> u32 {
        self.made[1]
    }

    /// Outputs of a weight's gradient that an invocation computes, in vec4.
    pub(super) fn outputs_each(&self) -> u32 {
        self.gradient[0]
    }

    /// Loop iterations behind rows, for sums of this many vec4.
    pub(super) fn loops_of_rows(&self, sum4: u32) -> LoopBound {
        LoopBound { fixed: 16 + self.turns[0] * u64::from(sum4), block: 0 }
    }

    /// Loop iterations behind gradients.
    pub(super) fn loops_of_gradient(&self) -> LoopBound {
        LoopBound { fixed: 16, block: self.turns[1] }
    }
}

impl fmt::Display for MatmulKernel {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl FromStr for &'static MatmulKernel {
    type Err = String;

    fn from_str(name: &str) -> Result<&'static MatmulKernel, String> {
        let names: Vec<&str> = ALL.iter().map(|tiles| tiles.name).collect();
        let found = ALL.into_iter().find(|tiles| tiles.name == name);
        found.ok_or_else(|| format!("{name:?} is none of {}", names.join(", ")))
    }
}

/// What decides the choice, besides the sizes of a product.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MatmulPolicy {
    /// The requested kernel.
    pub asked: Option<&'static MatmulKernel>,
    /// Whether the adapter computes on the CPU.
    pub cpu: bool,
    /// Whether the adapter's invocations can exchange values in a subgroup.
    pub subgroups: bool,
    /// Rows of a micro-batch.
    pub rows: usize,
}

/// Workgroups that keep a large GPU busy; enough for a smaller one too.
const MANY: usize = 128;

/// Fewer rows or columns than this leave most of a workgroup's tile empty.
const FEW: usize = 16;

impl MatmulPolicy {
    /// The policy for the lines of an op's first input.
    pub(super) fn of(cx: &OpContext) -> MatmulPolicy {
        let hardware = &cx.hardware;
        MatmulPolicy {
            asked: hardware.matmul.and_then(|name| name.parse().ok()),
            cpu: hardware.cpu,
            subgroups: hardware.subgroups,
            rows: hardware.rows.saturating_mul(cx.positions() as usize),
        }
    }

    /// The kernel for rows of this many columns.
    pub fn of_rows(&self, columns: usize) -> &'static MatmulKernel {
        match (self.asked(), self.rows, columns) {
            (Some(asked), ..) => asked,
            (None, rows, _) if self.cpu => self.on_cpu(rows, columns),
            (None, 0..=FEW, _) => &FLAT,
            (None, _, 0..=FEW) => &TALL,
            (None, rows, _) => in_groups(rows, columns),
        }
    }

    /// The kernel for the gradient of a weight. With few outputs and inputs a GPU idles whatever the tiles; workgroup kernels
    /// at least load what they need of sixteen rows at once.
    pub fn of_gradient(&self, outputs: usize, inputs: usize) -> &'static MatmulKernel {
        match self.asked() {
            Some(asked) => asked,
            None if self.cpu => self.on_cpu(outputs, inputs),
            None => in_groups(outputs, inputs),
        }
    }

    /// Whether some size can choose these tiles.
    pub(crate) fn may_choose(&self, tiles: &MatmulKernel) -> bool {
        let sizes = [1, 8, 16, 17, 32, 64, 1024, 4096, 1 << 16];
        sizes.into_iter().any(|rows| {
            let products = MatmulPolicy { rows, ..*self };
            sizes.into_iter().any(|size| products.of_rows(size) == tiles || products.of_gradient(rows, size) == tiles)
        })
    }

    /// The requested kernel, if the adapter can run it.
    fn asked(&self) -> Option<&'static MatmulKernel> {
        let cannot = |asked: &MatmulKernel| asked.subgroups && !self.subgroups;
        self.asked.map(|asked| if cannot(asked) { &PLAIN } else { asked })
    }

    fn on_cpu(&self, rows: usize, columns: usize) -> &'static MatmulKernel {
        match (rows, columns) {
            (0..8, _) | (_, 0..=16) if !self.subgroups => &SMALL,
            _ if !self.subgroups => &PLAIN,
            (_, 0..=32) => &SHARED_NARROW,
            (0..=8, _) => &SHARED_FLAT,
            _ => &SHARED,
        }
    }
}

/// The largest tiles that still make enough workgroups to keep a GPU busy.
fn in_groups(rows: usize, columns: usize) -> &'static MatmulKernel {
    let groups = |side| rows.div_ceil(side) * columns.div_ceil(side);
    // A processor runs several of the smaller workgroups at once.
    let large: [(&'static MatmulKernel, usize, usize); 2] = [(&GROUP_128, 128, MANY), (&GROUP_64, 64, 2 * MANY)];
    let enough = large.into_iter().find(|&(_, side, many)| groups(side) >= many);
    enough.map_or(&GROUP_32, |(tiles, ..)| tiles)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn products(rows: usize) -> MatmulPolicy {
        MatmulPolicy { asked: None, cpu: false, subgroups: false, rows }
    }

    #[test]
    fn tiles_are_as_large_as_leaves_a_gpu_busy_and_hold_no_more_than_there_is() {
        let names = [(8, 512), (512, 8), (64, 512), (1024, 1024), (2048, 1024), (4096, 2048)]
            .map(|(rows, columns)| products(rows).of_rows(columns).name);
        assert_eq!(names, ["flat", "tall", "wg32", "wg64", "wg128", "wg128"]);
        let names = [(3, 512), (512, 512), (1024, 1024), (2048, 2048)]
            .map(|(outputs, inputs)| products(64).of_gradient(outputs, inputs).name);
        assert_eq!(names, ["wg32", "wg32", "wg64", "wg128"]);
    }

    #[test]
    fn a_cpu_takes_no_workgroup_memory_and_subgroups_where_it_has_them() {
        let on = |rows, subgroups| MatmulPolicy { cpu: true, subgroups, ..products(rows) };
        let names = [(4, 512), (64, 8), (64, 512)].map(|(rows, columns)| on(rows, false).of_rows(columns).name);
        assert_eq!(names, ["small", "small", "plain"]);
        let names = [(4, 512), (64, 8), (64, 512)].map(|(rows, columns)| on(rows, true).of_rows(columns).name);
        assert_eq!(names, ["shared_flat", "shared_narrow", "shared"]);
        let asked = MatmulPolicy { asked: Some(&SHARED), ..on(64, false) };
        assert_eq!(asked.of_rows(512).name, "plain", "what comes nearest to what it cannot do");
    }
}
