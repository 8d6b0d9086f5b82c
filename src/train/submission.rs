//! How scheduled work gets to the GPU, in our encoder or a host's, and how its results come back.

use super::faults::Sent;
use super::settings::Update;
use super::trainer::{Trainer, not_submitted};
use super::work::Item;
use crate::gpu::encode;
use crate::ops::Place;
use crate::{Error, Result};

/// Submissions of single micro-batches that may be on their way before [`Trainer::micro_step`] waits for the oldest.
const RUNNING: usize = 3;

impl Trainer {
    /// Submits what is scheduled. Waits only when two submissions with updates are on their way already.
    pub fn submit(&mut self) -> Result<()> {
        self.alive()?;
        if self.pending.is_empty() {
            return Ok(());
        }
        if self.encoded {
            return Err(Error::Shape { op: "submit", message: not_submitted() });
        }
        let submitted = self.submit_pending();
        self.noticed(submitted)
    }

    fn submit_pending(&mut self) -> Result<()> {
        let mut encoder =
            self.gpu().device().create_command_encoder(&wgpu::CommandEncoderDescriptor { label: Some("accrue") });
        self.encode_pending(&mut encoder)?;
        if self.pending.updates == 0 {
            if self.running.len() == RUNNING
                && let Some(oldest) = self.running.pop_front()
            {
                self.gpu().wait(Some(&oldest))?;
            }
            let submission = self.hand_in(encoder)?;
            self.running.push_back(submission);
            self.gpu().poll();
        } else {
            if self.ring.full() {
                self.receive(true)?;
            }
            let (stats, _) = self.program.at(Place::Stats)?;
            self.ring.copy(&mut encoder, stats);
            let submission = self.hand_in(encoder)?;
            self.ring.sent(Some(submission), self.sent());
            self.running.clear();
        }
        self.pending.clear();
        Ok(())
    }

    /// Whether [`Trainer::encode`] goes ahead without waiting. Two submissions may be on their way at once; while both
    /// are, a host that must not be held up leaves training out of its frame.
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
    pub fn encode(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        self.alive()?;
        if self.encoded {
            return Err(Error::Shape { op: "encode", message: not_submitted() });
        }
        if self.ring.full() {
            self.receive(true)?;
        }
        self.encode_pending(encoder)?;
        let (stats, _) = self.program.at(Place::Stats)?;
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
            self.pending.clear();
        }
    }

    /// What the submission of all that is scheduled must have come to.
    fn sent(&self) -> Sent {
        Sent { updates: self.pending.updates, links: self.links }
    }

    fn encode_pending(&mut self, encoder: &mut wgpu::CommandEncoder) -> Result<()> {
        // One kernel does it all, where the network is small enough and the rows are on the GPU.
        let whole = !self.program.windows.is_empty() && self.pending.is_attached();
        let loops = self.plan().windows.first().map(|step| step.loops).filter(|_| whole);
        let runs = loops.map_or_else(Vec::new, |loops| self.pending.runs(loops));
        let gpu = self.program.gpu();
        let mut profiler = self.profiler.as_mut();
        if let Some(profiler) = &mut profiler {
            profiler.begin(gpu)?;
        }
        gpu.write(self.program.clocks(), 0, &self.pending.clocks);
        if !self.pending.samples.is_empty() {
            let (samples, _) = self.program.at(Place::Sample)?;
            gpu.write(samples, 0, bytemuck::cast_slice(&self.pending.samples));
        }
        let descriptor = wgpu::ComputePassDescriptor { label: Some("accrue"), timestamp_writes: None };
        let mut pass = encoder.begin_compute_pass(&descriptor);
        let program = &self.program;
        for (clock, rows) in runs {
            encode(gpu, &mut pass, &program.windows, rows, clock, profiler.as_deref_mut());
        }
        for &(item, clock) in self.pending.items.iter().filter(|_| !whole) {
            match item {
                Item::MicroStep { rows, gather } => {
                    for list in program.micro_step_lists(gather) {
                        encode(gpu, &mut pass, list, rows, clock, profiler.as_deref_mut());
                    }
                }
                Item::Close => encode(gpu, &mut pass, &program.close, 0, clock, profiler.as_deref_mut()),
                Item::Update => encode(gpu, &mut pass, &program.update, 0, clock, profiler.as_deref_mut()),
            }
        }
        drop(pass);
        if let Some(profiler) = profiler {
            profiler.end(encoder);
        }
        Ok(())
    }

    /// The updates that have been made since the last call, in order, without waiting for more; and those that were left
    /// out, which say why.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when work that was submitted is found not to have been done: from then on the trainer gives
    /// nothing else.
    pub fn finished(&mut self) -> Result<Vec<Update>> {
        while self.receive(false)? {}
        Ok(std::mem::take(&mut self.finished))
    }

    /// Submits what is scheduled, waits for all of it, and returns the updates as [`Trainer::finished`] does.
    ///
    /// # Errors
    /// As [`Trainer::finished`].
    pub fn finish(&mut self) -> Result<Vec<Update>> {
        self.caught_up()?;
        Ok(std::mem::take(&mut self.finished))
    }
}
