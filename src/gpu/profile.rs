//! Where the time of the GPU went: what a [`Profiler`](super::Profiler) has measured, as data.

use std::sync::Arc;

use super::Label;

/// Times of every kernel between two moments, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Each kernel, in the order in which they first ran.
    pub kernels: Vec<KernelTime>,
    /// What two timestamps take by themselves: so much of each dispatch's time, and of each gap, may be the clock's.
    pub clock: f64,
    /// Submissions in which something was timed.
    pub submissions: u64,
    /// Dispatches that have no time, because their submission had more of them than one query set holds or because the GPU's
    /// counter started again from 0. What they took is in the gaps.
    pub left_out: u64,
    /// Between dispatches of one submission.
    pub gaps: f64,
    /// Between the last dispatch of a submission and the first one of the next.
    pub between: f64,
    /// Of the host, for predictions such as those of validation data: their kernels are not timed, and lie between submissions.
    pub predicting: f64,
    /// On the host's clock, from the beginning to the end.
    pub wall: f64,
    /// The first dispatches one by one, as many as were asked for.
    pub dispatches: Vec<DispatchTime>,
    /// What the host did meanwhile, as many spans of time at most.
    pub host: Vec<HostTime>,
}

/// What one kernel took, all its dispatches together.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// Which kernel.
    pub label: Arc<Label>,
    /// Its dispatches.
    pub calls: u64,
    /// What they took.
    pub seconds: f64,
    /// Operations on floats that they did.
    pub flops: u64,
    /// Bytes that they moved at least.
    pub bytes: u64,
}

/// One dispatch.
#[derive(Clone, Copy, Debug)]
pub struct DispatchTime {
    /// Which of the profile's kernels.
    pub kernel: usize,
    /// Its submission, counted from 0.
    pub submission: u64,
    /// Rows of its micro-batch; 0 where they do not matter.
    pub rows: u32,
    /// When it began. The clocks of GPU and host are laid such that no dispatch begins before it was submitted.
    pub begin: f64,
    /// What it took.
    pub seconds: f64,
}

/// One thing that the host did.
#[derive(Clone, Copy, Debug)]
pub struct HostTime {
    /// What.
    pub name: &'static str,
    /// When it began.
    pub begin: f64,
    /// What it took.
    pub seconds: f64,
}

impl Profile {
    /// All kernels together.
    pub fn kernel_seconds(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.seconds).sum()
    }

    /// Dispatches that were timed.
    pub fn calls(&self) -> u64 {
        self.kernels.iter().map(|kernel| kernel.calls).sum()
    }

    /// Adds a dispatch to its kernel, and says which one that is.
    pub(super) fn add(&mut self, label: &Arc<Label>, rows: u32, seconds: f64) -> usize {
        let found = self.kernels.iter().position(|kernel| Arc::ptr_eq(&kernel.label, label) || kernel.label == *label);
        let at = found.unwrap_or_else(|| {
            self.kernels.push(KernelTime { label: label.clone(), calls: 0, seconds: 0.0, flops: 0, bytes: 0 });
            self.kernels.len() - 1
        });
        let kernel = &mut self.kernels[at];
        kernel.calls += 1;
        kernel.seconds += seconds;
        kernel.flops += label.cost.flops(rows);
        kernel.bytes += label.cost.moved(rows);
        at
    }
}
