//! What a dispatch is called, and what it costs by arithmetic: what its time is measured by.

/// What sets the speed of a dispatch. Adapters are not equally good at all of them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum CostKind {
    /// Matrix products that make rows.
    Rows,
    /// Matrix products that make rows on the way back.
    Back,
    /// Matrix products that are summed over rows.
    Sums,
    /// A single workgroup that does everything.
    Windows,
    /// Numbers that are read and written.
    #[default]
    Moves,
}

impl CostKind {
    /// How many there are.
    pub const COUNT: usize = 5;

    /// Operations, and bytes, of a second of [`Cost::seconds`]: about those of two cores of a CPU.
    fn speed(self) -> (f64, f64) {
        match self {
            CostKind::Rows => (20e9, 10e9),
            CostKind::Back | CostKind::Sums => (10e9, 5e9),
            CostKind::Windows => (5e9, 5e9),
            CostKind::Moves => (1e9, 3e9),
        }
    }
}

/// What a dispatch computes and moves at least. Kernels that only move numbers have no operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
    /// What sets its speed.
    pub kind: CostKind,
    /// Operations on floats for each row.
    pub flops_per_row: u64,
    /// Bytes for each row: what is read counts once, and what is written once.
    pub bytes_per_row: u64,
    /// Bytes whatever the rows, as those of the parameters.
    pub bytes: u64,
}

impl Cost {
    /// Operations of a dispatch on so many rows.
    pub fn flops(&self, rows: u32) -> u64 {
        self.flops_per_row * u64::from(rows)
    }

    /// Seconds of each row, and those whatever the rows, on an adapter that all others are compared with.
    pub fn line(&self) -> (f64, f64) {
        let (flops, bytes) = self.kind.speed();
        let row = self.flops_per_row as f64 / flops + self.bytes_per_row as f64 / bytes;
        (row, self.bytes as f64 / bytes)
    }

    /// Seconds for so many rows, on that adapter.
    pub fn seconds(&self, rows: u32) -> f64 {
        let (row, fixed) = self.line();
        fixed + row * f64::from(rows)
    }

    /// Bytes of a dispatch on so many rows.
    pub fn moved(&self, rows: u32) -> u64 {
        self.bytes_per_row * u64::from(rows) + self.bytes
    }
}

/// What a dispatch is, for people.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Label {
    /// What it computes: a step of the plan.
    pub step: String,
    /// Shader and entry point.
    pub kernel: String,
    /// What it costs.
    pub cost: Cost,
}
