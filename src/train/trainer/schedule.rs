//! How windows reach a trainer: micro-batches from the host's memory or from the data on the GPU, and updates.

use super::Trainer;
use crate::data::Batch;
use crate::graph::Resource;
use crate::train::clock::Clock;
use crate::train::commands::Command;
use crate::train::ledger::Promise;
use crate::train::window_state::WindowSettings;
use crate::{Error, Result};

impl Trainer {
    /// Trains one micro-batch from the host's memory: forward, backward, and its gradient added to the window's.
    ///
    /// Returns as soon as the work is submitted, unless the GPU is several micro-batches behind: then it first waits for the
    /// oldest of them.
    ///
    /// # Errors
    /// [`Error::Shape`] for rows that are not the model's or more than planned, [`Error::DeviceLost`] after work was lost,
    /// [`Error::Diverged`] after an update that would have made a parameter infinite or not a number.
    pub fn micro_step(&mut self, batch: &Batch) -> Result<()> {
        let rows = self.format.check(batch)?;
        self.step_from_host(batch, 0..rows, false, WindowSettings::default())
    }

    /// Trains one micro-batch of rows of a batch that the format has checked.
    pub(in crate::train) fn step_from_host(
        &mut self,
        batch: &Batch,
        mut rows: impl ExactSizeIterator<Item = usize>,
        last: bool,
        settings: WindowSettings,
    ) -> Result<()> {
        let count = rows.len();
        self.check_micro_batch(count, last)?;
        self.submit()?;
        let mut left = count;
        while left > 0 {
            let slice = self.slice(left, false);
            left -= slice;
            self.records.clear();
            self.format.write(batch, rows.by_ref().take(slice), &mut self.records);
            let (buffer, _) = self.program.at(Resource::Record)?;
            self.gpu().write(buffer, 0, bytemuck::cast_slice(&self.records))?;
            self.push_micro_step(slice as u32, last && left == 0, false, settings);
            self.submit()?;
        }
        Ok(())
    }

    /// Trains a whole window of these rows of a batch that the format has checked, with its update.
    pub(in crate::train) fn stream_window(&mut self, batch: &Batch, samples: &[u32]) -> Result<()> {
        let mut left = samples.len();
        for micro_batch in samples.chunks(self.plan().micro_batch) {
            left -= micro_batch.len();
            let rows = micro_batch.iter().map(|&sample| sample as usize);
            self.step_from_host(batch, rows, left == 0, WindowSettings::default())?;
        }
        self.schedule_update()
    }

    /// Schedules a whole window of rows of the attached data, cut into micro-batches, with its update. Submits what does not
    /// fit into one submission.
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

    /// Schedules one micro-batch of rows of the attached data. `last` says that it ends its window, which costs less than
    /// finding out in [`Trainer::schedule_update`].
    ///
    /// Nothing runs before [`Trainer::submit`] or [`Trainer::encode`].
    ///
    /// # Errors
    /// [`Error::Shape`] for rows that are not there, do not fit or come after a window's last; [`Error::DeviceLost`] after
    /// work was lost;
    /// [`Error::Diverged`] after an update that would have made a parameter infinite or not a number.
    pub fn schedule(&mut self, samples: &[u32], last: bool) -> Result<()> {
        self.schedule_with(samples, last, WindowSettings::default())
    }

    /// As [`Trainer::schedule`], with settings of the window.
    pub(in crate::train) fn schedule_with(
        &mut self,
        samples: &[u32],
        last: bool,
        settings: WindowSettings,
    ) -> Result<()> {
        self.check_micro_batch(samples.len(), last)?;
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
            self.push_micro_step(slice.len() as u32, last && rest.is_empty(), true, settings);
            self.scheduled.push_samples(slice);
            left = rest;
        }
        Ok(())
    }

    fn check_micro_batch(&self, rows: usize, last: bool) -> Result<()> {
        self.ledger.sound()?;
        self.host.check("micro-batch")?;
        self.window.check_micro_batch(rows, last)
    }

    fn push_micro_step(&mut self, rows: u32, last: bool, gather: bool, settings: WindowSettings) {
        let clock = self.clock(settings);
        let row0 = self.window.add(rows, last);
        let clock = Clock {
            rows,
            row0,
            first: u32::from(row0 == 0),
            last: u32::from(last),
            index0: self.scheduled.samples().len() as u32,
            gather: u32::from(gather && self.program.gathers()),
            ..clock
        };
        self.push(Command::MicroStep { rows, gather }, clock, None);
        self.ledger.count();
    }

    fn push(&mut self, command: Command, clock: Clock, scalars: Option<&[u8]>) {
        let seconds = self.seconds_of(command);
        self.scheduled.push(command, seconds, clock, scalars);
    }

    fn clock(&self, settings: WindowSettings) -> Clock {
        let (update, slot) = ((self.updates() + 1) as u32, self.scheduled.updates() as u32);
        let (hold, sequence) = (u32::from(settings.hold), self.ledger.sequence());
        Clock { update, slot, hold, sequence, ..Clock::default() }
    }

    /// Schedules the update that ends the window. Nothing runs before [`Trainer::submit`] or [`Trainer::encode`].
    ///
    /// # Errors
    /// [`Error::Shape`] if the window is empty.
    pub fn schedule_update(&mut self) -> Result<()> {
        self.schedule_update_with(WindowSettings::default())
    }

    /// As [`Trainer::schedule_update`], with settings of the window.
    pub(in crate::train) fn schedule_update_with(&mut self, settings: WindowSettings) -> Result<()> {
        self.ledger.alive()?;
        self.host.check("update")?;
        self.window.check_update()?;
        if !self.window.is_closed() {
            self.push(Command::Close, self.clock(settings), None);
        }
        let lr = self.window.next_lr(settings);
        let scalars = self.scalars(lr)?;
        self.push(Command::Update, self.clock(settings), Some(&scalars));
        let (update, samples) = self.window.end();
        self.ledger.promise(Promise { update, samples, lr });
        Ok(())
    }

    /// The scalars of the optimizer's kernel for the next update.
    fn scalars(&self, lr: f64) -> Result<Vec<u8>> {
        let scalars = self.optimizer.scalars(self.updates() + 1, lr);
        let shader = self.plan().update_steps().last().map(|step| step.shader);
        let shader = shader.ok_or_else(|| Error::Internal("a plan for training has an update".to_owned()))?;
        shader.reflection()?.pack("scalars", &scalars).map_err(Error::Internal)
    }

    /// Forgets the open window: the next micro-batch starts another one.
    pub(in crate::train) fn abandon(&mut self) {
        self.window.abandon();
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
