//! How scheduled work gets to the GPU, in our encoder or a host's, and how its results come back.

use std::time::Instant;

use super::encode::{hand_in, watch};
use super::faults::Sent;
use super::settings::Update;
use super::trainer::{Trainer, not_submitted};
use crate::graph::Resource;
use crate::{Error, Result};

impl Trainer {
    /// Submits what is scheduled. Waits only when two submissions with updates are on their way already.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost; [`Error::Shape`] between encode and submitted.
    pub fn submit(&mut self) -> Result<()> {
        self.alive()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.encoded {
            return Err(Error::Shape { op: "submit", message: not_submitted() });
        }
        let marks = self.marks;
        let submitted = self.submit_pending();
        let submitted = match submitted {
            // A part of it was handed over already: nothing brings that back.
            Err(error) if self.marks != marks => Err(Error::DeviceLost(format!("a submission broke off ({error})"))),
            other => other,
        };
        self.noticed(submitted)
    }

    fn submit_pending(&mut self) -> Result<()> {
        let (encoder, load) = self.encode_work(None)?;
        let Some(mut encoder) = encoder else { return Ok(()) };
        if self.pending.updates == 0 {
            self.run(encoder, load)?;
        } else {
            if self.ring.full() {
                self.receive(true)?;
            }
            let (stats, _) = self.program.at(Resource::Stats)?;
            self.ring.copy(&mut encoder, stats);
            let submission = hand_in(self.program.gpu(), self.profiler.as_mut(), encoder)?;
            watch(self.program.gpu(), &mut self.pace, load, &submission, true)?;
            self.latest = Some((submission.clone(), Instant::now()));
            self.ring.sent(Some(submission), self.sent());
            self.running.clear();
        }
        self.pending.clear();
        Ok(())
    }

    /// Whether [`Trainer::encode`] goes ahead without waiting. Two submissions may be on their way at once; while both
    /// are, a host that must not be held up leaves training out of its frame.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn ready(&mut self) -> Result<bool> {
        while self.receive(false)? {}
        Ok(!self.encoded && !self.ring.full())
    }

    /// Encodes what is scheduled into a host's own encoder, as one compute pass and one copy. When the host has submitted
    /// it, [`Trainer::submitted`] must be told before anything else is asked for. Waits only where [`Trainer::ready`]
    /// says no.
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
        self.alive()?;
        if self.encoded {
            return Err(Error::Shape { op: "encode", message: not_submitted() });
        }
        if self.ring.full() {
            self.receive(true)?;
        }
        (_, self.encoded_load) = self.encode_work(Some(encoder))?;
        let (stats, _) = self.program.at(Resource::Stats)?;
        self.ring.copy(encoder, stats);
        self.encoded = true;
        Ok(())
    }

    /// The host has submitted the encoder that [`Trainer::encode`] wrote to.
    pub fn submitted(&mut self) {
        if std::mem::take(&mut self.encoded) {
            if let Some(profiler) = &mut self.profiler {
                profiler.sent(None);
            }
            self.ring.sent(None, self.sent());
            self.pace.sent(self.encoded_load, true);
            self.pending.clear();
        }
    }

    /// What the submission of all that is scheduled must have come to.
    fn sent(&self) -> Sent {
        Sent { updates: self.pending.updates, sequence: self.sequence, marks: self.marks }
    }

    /// The updates that have been made since the last call, in order, without waiting for more; and those that were left
    /// out, which say why.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when work that was submitted is found not to have been done: from then on the trainer gives
    /// nothing else.
    pub fn finished(&mut self) -> Result<Vec<Update>> {
        let updates = self.arrived()?;
        Ok(self.after_earlier(updates))
    }

    /// The same without those that were asked for before a run.
    pub(super) fn arrived(&mut self) -> Result<Vec<Update>> {
        while self.receive(false)? {}
        Ok(std::mem::take(&mut self.finished))
    }

    fn after_earlier(&mut self, updates: Vec<Update>) -> Vec<Update> {
        let mut all = std::mem::take(&mut self.earlier);
        all.extend(updates);
        all
    }

    /// Submits what is scheduled, waits for all of it, and returns the updates as [`Trainer::finished`] does.
    ///
    /// # Errors
    /// As [`Trainer::finished`].
    pub fn finish(&mut self) -> Result<Vec<Update>> {
        self.caught_up()?;
        let updates = std::mem::take(&mut self.finished);
        Ok(self.after_earlier(updates))
    }
}
