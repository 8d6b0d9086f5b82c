//! From a configuration to a trainer: what `train`, `plan` and `verify` have in common.

use super::config::{Automatic, Config, Cut, MicroBatch};
use super::prepare::Prepared;
use crate::gpu::Gpu;
use crate::plan::{Budget, Chosen, opens_blocks};
use crate::train::{Fit, Settings, Trainer, build, choose_micro_batch, fastest, fixed_micro_batch};
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
}

impl Session {
    /// Reads the data and finds the windows; nothing runs on a GPU yet.
    pub fn new(config: Config) -> Result<Session> {
        let prepared = Prepared::new(&config)?;
        let cut = config.train.cut()?;
        let tail = config.train.tail.into();
        let windows = Windows::new(prepared.train.rows(), config.train.epochs, cut.batches.clone(), tail)?;
        Ok(Session { config, prepared, cut, windows })
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
            kernels: self.config.train.kernels.passes(),
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

    /// The micro-batch by arithmetic alone: the configured one, or the most rows that fit.
    pub fn plan(&self, gpu: &Gpu) -> Result<Chosen> {
        let (batch, samples, model) = (self.batch(), self.prepared.train.rows(), &self.prepared.saved.model);
        let (settings, budget) = (self.settings()?, self.budget(gpu)?);
        match self.cut.micro_batch {
            MicroBatch::Automatic(_) => choose_micro_batch(gpu, model, &settings, batch, samples, &budget),
            MicroBatch::Rows(rows) => {
                // Without a budget of the user's, what was asked for is tried.
                let budget = self.config.train.memory.is_some().then_some(&budget);
                let rows = (rows as usize).min(batch);
                let opens = self.cut.batches.sizes().any(|size| opens_blocks(size as usize, rows));
                fixed_micro_batch(gpu, model, &settings, (rows, opens), samples, budget)
            }
        }
    }

    /// The trainer, with everything that it needs on the GPU.
    pub fn trainer(&self, gpu: &Gpu) -> Result<(Trainer, Chosen)> {
        let (batch, model) = (self.batch(), &self.prepared.saved.model);
        let chosen = self.plan(gpu)?;
        match self.cut.micro_batch {
            MicroBatch::Automatic(Automatic::Fastest) => {
                let data = self.prepared.train.batch();
                let chosen = fastest(gpu, model, batch, &chosen, &data, || self.settings())?;
                build(gpu, model, batch, chosen, || self.settings())
            }
            MicroBatch::Automatic(Automatic::Auto) => build(gpu, model, batch, chosen, || self.settings()),
            MicroBatch::Rows(_) => {
                let (micro_batch, any_cut) = (chosen.micro_batch, chosen.open_blocks);
                let settings = Settings { micro_batch, any_cut, stream: !chosen.resident, ..self.settings()? };
                Ok((Trainer::new(gpu, model, settings)?, chosen))
            }
        }
    }

    /// What is fitted.
    pub fn fit(&self) -> Fit<'_> {
        let train = &self.config.train;
        Fit {
            train: self.prepared.train.batch(),
            validation: self.prepared.validation.as_ref().map(|data| data.batch()),
            unit: self.prepared.unit(),
            epochs: train.epochs,
            batch: self.cut.batches.clone(),
            lr_scaling: self.config.optimizer.scaling(self.cut.batches.first()),
            tail: train.tail.into(),
            shuffle: train.shuffle.then_some(train.seed),
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
