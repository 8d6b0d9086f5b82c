//! From a configuration to a trainer: what `train`, `plan` and `verify` have in common.

use super::config::{Automatic, Config, Cut, MicroBatch};
use super::prepare::Prepared;
use super::tune::{Key, Table, Tuned};
use crate::gpu::Gpu;
use crate::plan::{Budget, Chosen, ExecutionMode, Plan, needs_open_blocks};
use crate::train::{
    FitConfig, Settings, Trainer, build, choose_micro_batch, fastest, fixed_micro_batch, plan_training,
};
use crate::window::Windows;
use crate::{Error, Result};

/// A configuration with its data and its windows.
pub struct Session {
    /// The configuration.
    pub config: Config,
    /// Model and data.
    pub prepared: Prepared,
    /// How the windows are cut.
    pub cut: Cut,
    /// All windows of the run.
    pub windows: Windows,
    /// Whether the trainer goes on inside a block of rows.
    pub open_blocks: bool,
    /// What `accrue tune` found about the kernels, where it counts; known once there is a plan.
    pub tuned: Option<Tuned>,
}

impl Session {
    /// Reads the data and finds the windows; nothing runs on a GPU yet.
    pub fn new(config: Config) -> Result<Session> {
        let prepared = Prepared::new(&config)?;
        let cut = config.train.cut()?;
        let tail = config.train.tail.into();
        let windows = Windows::new(prepared.train.rows(), config.train.epochs, cut.batches.clone(), tail)?;
        Ok(Session { config, prepared, cut, windows, open_blocks: false, tuned: None })
    }

    /// The library's settings, but for the micro-batch.
    pub fn settings(&self) -> Result<Settings> {
        let optimizer = &self.config.optimizer;
        Ok(Settings {
            optimizer: optimizer.make(),
            clip: optimizer.clip(),
            lr: optimizer.lr,
            schedule: optimizer.schedule(self.windows.updates()),
            start: self.prepared.start.clone(),
            seed: self.config.train.seed,
            kernels: self.config.train.kernels.mode().or(self.tuned.as_ref().map(|tuned| tuned.mode)),
            ..Settings::default()
        })
    }

    /// Rows of the largest window.
    pub fn batch(&self) -> usize {
        let rows = self.prepared.train.rows() as u64;
        let most = if self.config.train.tail == super::config::Tail::Carry {
            rows * u64::from(self.config.train.epochs)
        } else {
            rows
        };
        u64::from(self.cut.batches.most()).min(most) as usize
    }

    /// The memory that training may take.
    pub fn budget(&self, gpu: &Gpu) -> Result<Budget> {
        let given = self.config.train.memory_bytes()?;
        Ok(given.map_or_else(|| Budget::of(gpu.info(), gpu.limits()), Budget::given))
    }

    /// The plan by arithmetic alone: the configured micro-batch, or the most rows that fit, and the kernels of the table.
    pub fn plan(&mut self, gpu: &Gpu) -> Result<Chosen> {
        let chosen = self.untuned(gpu)?;
        self.look_up(gpu, chosen)
    }

    fn untuned(&self, gpu: &Gpu) -> Result<Chosen> {
        let (batch, samples, model) = (self.batch(), self.prepared.train.rows(), &self.prepared.saved.model);
        let settings = self.settings()?;
        match self.cut.micro_batch {
            MicroBatch::Automatic(_) => {
                self.opened(gpu, choose_micro_batch(gpu, model, &settings, batch, samples, &self.budget(gpu)?)?)
            }
            MicroBatch::Rows(rows) => {
                let budget = self.given_budget(gpu)?;
                let rows = (rows as usize).min(batch);
                let opens =
                    self.open_blocks || self.cut.batches.sizes().any(|size| needs_open_blocks(size as usize, rows));
                fixed_micro_batch(gpu, model, &settings, (rows, opens), samples, budget.as_ref())
            }
        }
    }

    /// As chosen, but with an open block of gradients: with fewer rows if the budget has no room for both.
    fn opened(&self, gpu: &Gpu, chosen: Chosen) -> Result<Chosen> {
        if chosen.open_blocks || !self.open_blocks {
            return Ok(chosen);
        }
        let (samples, model) = (self.prepared.train.rows(), &self.prepared.saved.model);
        let (settings, budget) = (self.settings()?, self.budget(gpu)?);
        let held = |rows, budget| fixed_micro_batch(gpu, model, &settings, (rows, true), samples, budget);
        let mut rows = chosen.micro_batch;
        loop {
            match held(rows, Some(&budget)) {
                Err(Error::Memory(_)) if rows > 1 => rows /= 2,
                Err(Error::Memory(_)) => {
                    let bytes = held(rows, None)?.bytes;
                    return Err(Error::Memory(format!(
                        "the checkpoint is inside of a window, where its open block needs memory too: {bytes} bytes on the \
                         GPU, but {} are allowed; raise train.memory, or start over with --fresh",
                        budget.bytes
                    )));
                }
                held => return Ok(Chosen { why: chosen.why, ..held? }),
            }
        }
    }

    /// The budget that a plan is held to: without one of the user's, a micro-batch that was asked for is tried.
    fn given_budget(&self, gpu: &Gpu) -> Result<Option<Budget>> {
        let free = matches!(self.cut.micro_batch, MicroBatch::Rows(_)) && self.config.train.memory.is_none();
        if free { Ok(None) } else { self.budget(gpu).map(Some) }
    }

    /// Whether a plan fits the adapter, and beside the data the memory.
    ///
    /// # Errors
    /// [`Error::Memory`] naming what is too large.
    pub fn fits(&self, gpu: &Gpu, plan: &Plan, chosen: &Chosen) -> Result<()> {
        plan.check(gpu)?;
        let bytes = self.given_budget(gpu)?.map_or(u64::MAX, |budget| budget.bytes);
        plan.fits(gpu.limits(), bytes.saturating_sub(chosen.data))
    }

    /// As [`Session::plan`], without a table and with the trial of micro-batches that the configuration may ask for.
    pub fn settled(&self, gpu: &Gpu) -> Result<Chosen> {
        let (chosen, model) = (self.untuned(gpu)?, &self.prepared.saved.model);
        match self.cut.micro_batch {
            MicroBatch::Automatic(Automatic::Fastest) => {
                let data = self.prepared.train.batch();
                self.opened(gpu, fastest(gpu, model, self.batch(), &chosen, &data, || self.settings())?)
            }
            _ => Ok(chosen),
        }
    }

    /// What a table of kernels calls this training.
    pub fn key(&self, chosen: &Chosen) -> Result<Key> {
        let settings = self.settings()?;
        Ok(Key {
            network: self.prepared.saved.model.clone(),
            optimizer: settings.optimizer.name().to_owned(),
            clip_norm: settings.clip.norm.is_some(),
            micro_batch: chosen.micro_batch,
            data_on_gpu: chosen.resident,
        })
    }

    /// Takes the kernels that a table says are fastest, unless kernels were asked for or those do not fit. The micro-batch
    /// stays: it is what they were measured with.
    fn look_up(&mut self, gpu: &Gpu, chosen: Chosen) -> Result<Chosen> {
        let asked = self.config.train.kernels.mode().or_else(ExecutionMode::from_environment);
        let table = Table::of(gpu.info()).filter(|_| asked.is_none());
        let key = self.key(&chosen)?;
        self.tuned = table.and_then(|table| table.find(&key));
        if self.tuned.is_none() {
            return Ok(chosen);
        }
        let plan = plan_training(gpu, &self.prepared.saved.model, &self.settings()?, &chosen)?;
        if self.fits(gpu, &plan, &chosen).is_err() {
            self.tuned = None;
            return Ok(chosen);
        }
        Ok(Chosen { bytes: plan.bytes() + chosen.data, ..chosen })
    }

    /// The trainer, with everything that it needs on the GPU.
    pub fn trainer(&mut self, gpu: &Gpu) -> Result<(Trainer, Chosen)> {
        let chosen = self.settled(gpu)?;
        let chosen = self.look_up(gpu, chosen)?;
        let (batch, model) = (self.batch(), &self.prepared.saved.model);
        match self.cut.micro_batch {
            MicroBatch::Automatic(_) => build(gpu, model, batch, chosen, || self.settings()),
            MicroBatch::Rows(_) => {
                let (micro_batch, open_blocks) = (chosen.micro_batch, chosen.open_blocks);
                let settings = Settings { micro_batch, open_blocks, stream: !chosen.resident, ..self.settings()? };
                Ok((Trainer::new(gpu, model, settings)?, chosen))
            }
        }
    }

    /// What is fitted.
    pub fn fit(&self) -> FitConfig<'_> {
        let train = &self.config.train;
        FitConfig {
            train: self.prepared.train.batch(),
            validation: self.prepared.validation.as_ref().map(|data| data.batch()),
            unit: self.prepared.unit(),
            epochs: train.epochs,
            batch: self.cut.batches.clone(),
            lr_scaling: self.config.optimizer.scaling(self.cut.batches.first()),
            tail: train.tail.into(),
            shuffle: train.shuffle.then_some(train.seed),
            on_nonfinite: train.on_nonfinite,
        }
    }

    /// Whether every update of the run can be numbered in 32 bits, as the GPU does.
    pub fn check_length(&self) -> Result<()> {
        match self.windows.updates() {
            updates if updates < u64::from(u32::MAX) => Ok(()),
            updates => {
                Err(Error::config("train.epochs", format!("{updates} updates are too many; 4294967294 can be made")))
            }
        }
    }
}
