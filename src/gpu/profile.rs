//! Where the GPU's time went: the measurements of a [`Profiler`](super::Profiler), as data.

use std::sync::Arc;

use super::Label;

/// Times of every kernel between two moments, in seconds.
#[derive(Clone, Debug, Default)]
pub struct Profile {
    /// Each kernel, in the order of its first dispatch.
    pub kernels: Vec<KernelTime>,
    /// The time that two timestamps themselves take: this much of each dispatch's time, and of each gap, may be the clock's.
    pub clock: f64,
    /// Submissions with timed dispatches.
    pub submissions: u64,
    /// Dispatches without a time, because their submission had more of them than one query set holds or because the GPU's
    /// counter restarted from 0. Their time is part of the gaps.
    pub left_out: u64,
    /// Time between dispatches of one submission.
    pub gaps: f64,
    /// Time between the last dispatch of a submission and the first one of the next.
    pub between: f64,
    /// Host time for predictions such as validation: their kernels are not timed, and lie between submissions.
    pub predicting: f64,
    /// Wall time on the host's clock, from beginning to end.
    pub wall: f64,
    /// The first dispatches one by one, as many as requested.
    pub dispatches: Vec<DispatchTime>,
    /// The host's actions meanwhile, at most as many.
    pub host: Vec<HostTime>,
}

/// One kernel, all its dispatches together.
#[derive(Clone, Debug)]
pub struct KernelTime {
    /// Which kernel.
    pub label: Arc<Label>,
    /// Its dispatches.
    pub calls: u64,
    /// Their time.
    pub seconds: f64,
    /// Float operations that they did.
    pub flops: u64,
    /// The least bytes that they moved.
    pub bytes: u64,
}

/// One dispatch.
#[derive(Clone, Copy, Debug)]
pub struct DispatchTime {
    /// Which of the profile's kernels.
    pub kernel: usize,
    /// Its submission, counted from 0.
    pub submission: u64,
    /// Rows of its micro-batch; 0 if they do not matter.
    pub rows: u32,
    /// Its begin. The clocks of GPU and host are aligned such that no dispatch begins before its submission.
    pub begin: f64,
    /// Its duration.
    pub seconds: f64,
}

/// One action of the host.
#[derive(Clone, Copy, Debug)]
pub struct HostTime {
    /// The action.
    pub name: &'static str,
    /// Its begin.
    pub begin: f64,
    /// Its duration.
    pub seconds: f64,
}

impl Profile {
    /// The time of all kernels together.
    pub fn kernel_seconds(&self) -> f64 {
        self.kernels.iter().map(|kernel| kernel.seconds).sum()
    }

    /// The number of timed dispatches.
    pub fn calls(&self) -> u64 {
        self.kernels.iter().map(|kernel| kernel.calls).sum()
    }

    /// Adds a dispatch to its kernel, and returns the kernel's index.
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
