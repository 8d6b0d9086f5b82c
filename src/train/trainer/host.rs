//! Scheduled work in a host's own encoder.

use super::Trainer;
use crate::graph::Resource;
use crate::train::encode::{dispatches, prepare};
use crate::train::rates::Load;
use crate::{Error, Result};

/// Whether an encoder that the host has not submitted yet holds work, and its load.
#[derive(Default)]
pub(super) struct HostEncoding(Option<Load>);

impl HostEncoding {
    /// Fails between encode and submitted.
    ///
    /// # Errors
    /// [`Error::Shape`].
    pub fn check(&self, op: &'static str) -> Result<()> {
        if self.0.is_none() {
            return Ok(());
        }
        let message = "what was encoded last has not been submitted; submit it and call submitted() first".to_owned();
        Err(Error::Shape { op, message })
    }
}

impl Trainer {
    /// Whether [`Trainer::encode`] can go ahead without waiting. Two submissions may be in flight at once; while both are, a
    /// host that must not wait leaves training out of its frame.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn ready(&mut self) -> Result<bool> {
        while self.receive(false)? {}
        Ok(self.host.0.is_none() && !self.submitter.is_full())
    }

    /// Encodes scheduled work into a host's own encoder, as compute passes (one, unless the driver reads faster through
    /// copies in textures) and one copy. After the host has submitted the
    /// encoder, it must call [`Trainer::submitted`] before anything else. Waits only if [`Trainer::ready`] says no.
    ///
    /// ```no_run
    /// # fn frame(trainer: &mut accrue::train::Trainer, device: &wgpu::Device, queue: &wgpu::Queue) -> accrue::Result<()> {
    /// trainer.schedule(&[0, 1, 2, 3], true)?;
    /// trainer.schedule_update()?;
    /// let mut encoder = device.create_command_encoder(&Default::default());
    /// trainer.encode(&mut encoder)?;
    /// // … the host's own passes …
    /// queue.submit([encoder.finish()]);
    /// trainer.submitted();
    /// # Ok(()) }
    /// ```
    ///
    /// # Errors
    /// As [`Trainer::submit`].
    pub fn encode(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.ledger.alive()?;
        self.host.check("encode")?;
        if self.submitter.is_full() {
            self.receive(true)?;
        }
        let rates = self.submitter.rates();
        let jobs = prepare(&self.program, &mut self.scheduled, rates)?;
        let load = self.submitter.encode(encoder, &mut dispatches(&jobs, rates).peekable(), f64::INFINITY)?;
        let (stats, _) = self.program.at(Resource::Stats)?;
        self.submitter.copy_results(encoder, stats);
        self.host = HostEncoding(Some(load));
        Ok(())
    }

    /// Call this after submitting the encoder that [`Trainer::encode`] wrote to.
    pub fn submitted(&mut self) {
        let HostEncoding(encoded) = std::mem::take(&mut self.host);
        if let Some(load) = encoded {
            self.submitter.submitted_by_host(load, self.ledger.sent(self.scheduled.updates()));
            self.scheduled.clear();
        }
    }
}
