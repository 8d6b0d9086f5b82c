//! Where a training's time goes: each dispatch of a trainer timed on the GPU.

use super::Trainer;
use crate::Result;
use crate::gpu::profile::Profile;

impl Trainer {
    /// Times every dispatch from now on, for [`Trainer::finish_profile`]. No bit of the training changes, but it takes a bit
    /// longer, and 320 KiB on the GPU that the plan does not count. `events` dispatches are remembered one by one, for a trace.
    ///
    /// # Errors
    /// [`Error::NoAdapter`](crate::Error::NoAdapter) when the device was made without [timestamps](crate::gpu::TIMESTAMPS).
    pub fn start_profile(&mut self, events: usize) -> Result<()> {
        self.submit()?;
        self.submitter.start_profile(events)
    }

    /// Submits what is scheduled, waits for all of it, and returns where the time went since [`Trainer::start_profile`];
    /// `None` without it.
    pub fn finish_profile(&mut self) -> Result<Option<Profile>> {
        self.caught_up()?;
        self.submitter.finish_profile()
    }
}
