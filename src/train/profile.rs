//! Where a training's time goes: each dispatch of a trainer timed on the GPU.

use super::trainer::Trainer;
use crate::Result;
use crate::gpu::profile::Profile;
use crate::gpu::{Profiler, TIMED};

impl Trainer {
    /// Times every dispatch from now on, for [`Trainer::finish_profile`]. No bit of the training changes, but it takes a bit
    /// longer, and 320 KiB on the GPU that the plan does not count. `events` dispatches are remembered one by one, for a trace.
    ///
    /// # Errors
    /// [`Error::NoAdapter`](crate::Error::NoAdapter) when the device was made without [timestamps](crate::gpu::TIMESTAMPS).
    pub fn start_profile(&mut self, events: usize) -> Result<()> {
        self.submit()?;
        self.profiler = Some(Profiler::new(self.gpu(), events)?);
        Ok(())
    }

    /// Submits what is scheduled, waits for all of it, and returns where the time went since [`Trainer::start_profile`];
    /// `None` without it.
    pub fn finish_profile(&mut self) -> Result<Option<Profile>> {
        self.caught_up()?;
        let Some(profiler) = self.profiler.take() else { return Ok(None) };
        Ok(Some(profiler.finish()?))
    }

    /// Whether another micro-batch and its update might have more dispatches than can be timed in one submission.
    pub(super) fn profile_is_full(&self) -> bool {
        let each = self.plan().micro_batch_steps(true).len().max(self.plan().update_steps().len());
        self.profiler.is_some() && (self.pending.len() + 3) * each > TIMED
    }
}
