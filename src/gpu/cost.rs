//! What a dispatch is called, and what it costs by arithmetic: what its time is measured by.

/// What a dispatch computes and moves at least. Kernels that only move numbers have no operations.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Cost {
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
