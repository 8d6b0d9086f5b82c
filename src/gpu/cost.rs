//! The name and computed cost of a dispatch, against which its time is measured.

/// What limits the speed of a dispatch. Adapters differ in how good they are at each.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostKind {
    /// Matrix products that make rows.
    Rows,
    /// Matrix products that make rows in the backward pass.
    Back,
    /// Matrix products that sum over rows.
    Sums,
    /// A single workgroup that does everything.
    Windows,
    /// Memory traffic.
    #[default]
    Moves,
}

impl CostKind {
    /// The number of kinds.
    pub const COUNT: usize = 5;

    /// Operations, and bytes, per second of [`Cost::seconds`]: about those of two CPU cores.
    fn speed(self) -> (f64, f64) {
        match self {
            CostKind::Rows => (20e9, 10e9),
            CostKind::Back | CostKind::Sums => (10e9, 5e9),
            CostKind::Windows => (5e9, 5e9),
            CostKind::Moves => (1e9, 3e9),
        }
    }
}

/// The least that a dispatch computes and moves. Kernels that only move numbers have no operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// What limits its speed.
    pub kind: CostKind,
    /// Float operations per row.
    pub flops_per_row: u64,
    /// Bytes per row; everything read counts once, and everything written once.
    pub bytes_per_row: u64,
    /// Bytes independent of rows, such as those of parameters.
    pub bytes: u64,
}

impl Cost {
    /// Operations of a dispatch over this many rows.
    pub fn flops(&self, rows: u32) -> u64 {
        self.flops_per_row * u64::from(rows)
    }

    /// Seconds per row, and seconds independent of rows, on the reference adapter.
    pub fn line(&self) -> (f64, f64) {
        let (flops, bytes) = self.kind.speed();
        let row = self.flops_per_row as f64 / flops + self.bytes_per_row as f64 / bytes;
        (row, self.bytes as f64 / bytes)
    }

    /// Seconds for this many rows, on the reference adapter.
    pub fn seconds(&self, rows: u32) -> f64 {
        let (row, fixed) = self.line();
        fixed + row * f64::from(rows)
    }

    /// Bytes of a dispatch over this many rows.
    pub fn moved(&self, rows: u32) -> u64 {
        self.bytes_per_row * u64::from(rows) + self.bytes
    }
}

/// A dispatch, described for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// What it computes: a step of the plan.
    pub step: String,
    /// Shader and entry point.
    pub kernel: String,
    /// Its cost.
    pub cost: Cost,
}
