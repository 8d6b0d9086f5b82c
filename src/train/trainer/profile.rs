//! The profile of a training: each dispatch timed on the GPU.

use super::Trainer;
use crate::Result;
use crate::gpu::profile::Profile;

impl Trainer {
    /// Times every dispatch from now on, for [`Trainer::finish_profile`]. No bit of the training changes, but it gets slightly
    /// slower and takes 320 KiB on the GPU that the plan does not count. `events` dispatches are remembered one by one, for a
    /// trace.
    ///
    /// # Errors
    /// [`Error::NoAdapter`](crate::Error::NoAdapter) if the device was made without [timestamps](crate::gpu::TIMESTAMPS).
    pub fn start_profile(&mut self, events: usize) -> Result<()> {
        self.submit()?;
        self.submitter.start_profile(events)
    }

    /// Submits scheduled work, waits for all of it, and returns the profile since [`Trainer::start_profile`]; `None` without
    /// one.
    pub fn finish_profile(&mut self) -> Result<Option<Profile>> {
        self.caught_up()?;
        self.submitter.finish_profile()
    }
}
