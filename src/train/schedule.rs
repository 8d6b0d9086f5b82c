//! How windows come to a trainer: micro-batches out of the host's memory or out of the data on the GPU, and updates.

use std::time::Duration;

use super::pace::ENOUGH;
use super::settings::Update;
use super::trainer::{Trainer, not_submitted};
use super::work::{Clock, Item};
use crate::data::Batch;
use crate::graph::Resource;
use crate::plan::{BLOCK, SAMPLES};
use crate::{Error, Result};

impl Trainer {
    /// Waits for earlier work and puts a whole data set on the GPU. [`Trainer::schedule`] then takes rows from it by number.
    ///
    /// # Errors
    /// [`Error::Memory`] when it does not fit one buffer or binding of the adapter, or there is none left for it;
    /// [`Error::DeviceLost`] after work was lost. Then no data is attached.
    pub fn attach(&mut self, batch: &Batch) -> Result<()> {
        self.alive()?;
        let rows = self.format.check(batch)?;
        // What is scheduled already takes its rows from the data that was there, which then makes room.
        self.submit()?;
        self.program.detach();
        self.data_rows = 0;
        let mut records = Vec::new();
        self.format.write(batch, 0..rows, &mut records);
        let bytes: &[u8] = bytemuck::cast_slice(&records);
        let data = self.gpu().buffer("accrue.data", bytes.len() as u64, crate::gpu::usage::STORAGE)?;
        let attached = self.gpu().upload(&data, bytes).and_then(|()| self.program.attach(&data));
        if attached.is_err() {
            self.program.detach();
        }
        self.noticed(attached)?;
        self.data_rows = rows as u32;
        Ok(())
    }

    /// One micro-batch out of the host's memory: forward, backward, and its gradient added to the window's.
    ///
    /// Returns as soon as the work is submitted, unless the GPU is several micro-batches behind: then it first waits for
    /// the oldest of them.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows that are not the model's or more than planned, [`Error::DeviceLost`] after work was lost,
    /// [`Error::Diverged`] after an update that would have made a parameter infinite or not a number.
    pub fn micro_step(&mut self, batch: &Batch) -> Result<()> {
        let rows = self.format.check(batch)?;
        self.step_from_host(batch, 0..rows, false)
    }

    /// One micro-batch of some rows of a batch that the format has checked.
    pub(super) fn step_from_host(
        &mut self,
        batch: &Batch,
        mut rows: impl ExactSizeIterator<Item = usize>,
        last: bool,
    ) -> Result<()> {
        let count = rows.len();
        self.check_cut(count, last)?;
        self.submit()?;
        let mut left = count;
        while left > 0 {
            let slice = self.slice(left, false);
            left -= slice;
            self.records.clear();
            self.format.write(batch, rows.by_ref().take(slice), &mut self.records);
            let (buffer, _) = self.program.at(Resource::Record)?;
            self.gpu().write(buffer, 0, bytemuck::cast_slice(&self.records))?;
            self.push_micro_step(slice as u32, last && left == 0, false);
            self.submit()?;
        }
        Ok(())
    }

    /// A whole window of these rows of a batch that the format has checked, and its update.
    pub(super) fn stream_window(&mut self, batch: &Batch, samples: &[u32]) -> Result<()> {
        let mut left = samples.len();
        for micro_batch in samples.chunks(self.plan().micro_batch) {
            left -= micro_batch.len();
            self.step_from_host(batch, micro_batch.iter().map(|&sample| sample as usize), left == 0)?;
        }
        self.schedule_update()
    }

    /// Samples of the attached data.
    pub fn data_rows(&self) -> u32 {
        self.data_rows
    }

    /// Plans a whole window of rows of the attached data, cut into micro-batches, and its update. What does not fit one
    /// submission is submitted.
    ///
    /// # Errors
    /// As [`Trainer::schedule`] and [`Trainer::schedule_update`].
    pub fn schedule_window(&mut self, samples: &[u32]) -> Result<()> {
        let mut left = samples;
        while !left.is_empty() {
            let (micro_batch, rest) = left.split_at(self.slice(left.len(), true));
            if self.is_enough(None) || !self.has_room(micro_batch.len()) {
                self.submit()?;
            }
            self.schedule(micro_batch, rest.is_empty())?;
            left = rest;
        }
        self.schedule_update()
    }

    /// Plans one micro-batch of rows of the attached data. With `last` it is known to end its window, which costs less
    /// than finding out in [`Trainer::schedule_update`].
    ///
    /// Nothing runs before [`Trainer::submit`] or [`Trainer::encode`].
    ///
    /// # Errors
    /// [`Error::Shape`] for rows that are not there, do not fit or come after a window's last; [`Error::DeviceLost`] after work was lost;
    /// [`Error::Diverged`] after an update that would have made a parameter infinite or not a number.
    pub fn schedule(&mut self, samples: &[u32], last: bool) -> Result<()> {
        self.check_cut(samples.len(), last)?;
        if let Some(sample) = samples.iter().find(|&&sample| sample >= self.data_rows) {
            let message = format!("sample {sample}, but {} are attached", self.data_rows);
            return Err(Error::Shape { op: "micro-batch", message });
        }
        if !self.has_room(samples.len()) {
            let message = "too much for one submission; submit what is scheduled first".to_owned();
            return Err(Error::Shape { op: "micro-batch", message });
        }
        let mut left = samples;
        while !left.is_empty() {
            let (slice, rest) = left.split_at(self.slice_of_call(left.len(), samples.len()));
            self.push_micro_step(slice.len() as u32, last && rest.is_empty(), true);
            self.pending.samples.extend(slice);
            left = rest;
        }
        Ok(())
    }

    /// Whether a micro-batch of so many samples, and an update after it, still fit the next submission.
    pub fn has_room(&self, samples: usize) -> bool {
        self.pending.has_room(self.slices(samples), samples, SAMPLES.max(self.plan().micro_batch))
    }

    /// Whether so much is scheduled that it is worth a submission, or takes this time if one is given.
    pub(super) fn is_enough(&self, time: Option<Duration>) -> bool {
        let most = time.map_or(ENOUGH, |time| time.as_secs_f64().min(ENOUGH));
        !self.pending.is_empty() && self.pending.seconds >= most
    }

    fn check_cut(&self, rows: usize, last: bool) -> Result<()> {
        self.sound()?;
        if self.ended {
            let message = format!("the window ended at row {}, with its last micro-batch; update first", self.rows);
            return Err(Error::Shape { op: "micro-batch", message });
        }
        let most = self.plan().micro_batch;
        if rows == 0 || rows > most {
            let message = format!("{rows} rows; this trainer was planned for 1 to {most}");
            return Err(Error::Shape { op: "micro-batch", message });
        }
        if self.encoded {
            return Err(Error::Shape { op: "micro-batch", message: not_submitted() });
        }
        if self.open_blocks || last || (self.rows as usize + rows).is_multiple_of(BLOCK) {
            return Ok(());
        }
        let message = format!(
            "ends its window at row {}, inside a block of {BLOCK}; give multiples of {BLOCK} rows or set open_blocks",
            self.rows as usize + rows
        );
        Err(Error::Shape { op: "micro-batch", message })
    }

    fn push_micro_step(&mut self, rows: u32, last: bool, gather: bool) {
        let clock = Clock {
            rows,
            row0: self.rows,
            first: u32::from(self.rows == 0),
            last: u32::from(last),
            index0: self.pending.samples.len() as u32,
            gather: u32::from(gather),
            ..self.clock()
        };
        self.pending.push(Item::MicroStep { rows, gather }, clock, None);
        self.sequence = self.sequence.wrapping_add(1);
        self.count(Item::MicroStep { rows, gather });
        self.rows += rows;
        self.ended = last;
        self.closed = last || (self.rows as usize).is_multiple_of(BLOCK);
    }

    fn clock(&self) -> Clock {
        let (update, slot) = ((self.updates + 1) as u32, self.pending.updates as u32);
        Clock { update, slot, hold: u32::from(self.hold), sequence: self.sequence, ..Clock::default() }
    }

    /// Plans the update that ends the window. Nothing runs before [`Trainer::submit`] or [`Trainer::encode`].
    ///
    /// # Errors
    /// [`Error::Shape`] when the window is empty.
    pub fn schedule_update(&mut self) -> Result<()> {
        self.alive()?;
        if self.encoded {
            return Err(Error::Shape { op: "update", message: not_submitted() });
        }
        if self.rows == 0 {
            let message = "the window is empty; give it a micro-batch first".to_owned();
            return Err(Error::Shape { op: "update", message });
        }
        if !self.closed {
            self.pending.push(Item::Close, self.clock(), None);
            self.count(Item::Close);
        }
        let lr = self.lr_factor * self.schedule.lr(self.lr, self.updates + 1);
        let scalars = self.optimizer.scalars(self.updates + 1, lr);
        let shader = self.plan().update_steps().last().map(|step| step.shader);
        let shader = shader.ok_or_else(|| Error::Internal("a plan for training has an update".to_owned()))?;
        let scalars = self.gpu().reflection(shader)?.pack("scalars", &scalars).map_err(Error::Internal)?;
        self.pending.push(Item::Update, self.clock(), Some(&scalars));
        self.sequence = self.sequence.wrapping_add(1);
        self.count(Item::Update);
        self.updates += 1;
        let (update, samples) = (self.updates, self.rows);
        let promise = Update { update, samples, weight: 0.0, loss: 0.0, lr, made: false, left_out: None };
        self.promised.push_back(promise);
        self.abandon();
        Ok(())
    }

    /// Forgets the open window: the next micro-batch starts another one.
    pub(super) fn abandon(&mut self) {
        self.rows = 0;
        self.closed = true;
        self.ended = false;
    }

    /// Ends the window: one update from the gradient of all its micro-batches, divided by their total weight.
    ///
    /// # Errors
    /// As [`Trainer::schedule_update`] and [`Trainer::submit`].
    pub fn update(&mut self) -> Result<()> {
        self.schedule_update()?;
        self.submit()
    }
}
