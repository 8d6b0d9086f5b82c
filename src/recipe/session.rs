//! From a configuration to a trainer.

use std::collections::BTreeSet;

use super::best;
use super::config::{Automatic, Config, Cut, MicroBatch};
use super::folds::Fold;
use super::prepare::Prepared;
use crate::data::{Dataset, Targets};
use crate::gpu::Gpu;
use crate::nn::Model;
use crate::plan::{Budget, Chosen, ExecutionMode, Plan, needs_open_blocks};
use crate::run::{Claim, Identity, RunFolder, checksum};
use crate::train::{
    FitConfig, Settings, Trainer, build, choose_micro_batch, fastest, fixed_micro_batch, packing, plan_training,
};
use crate::window::{Tail, Windows};
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
    /// Whether the trainer can resume inside a block of rows.
    pub open_blocks: bool,
    /// Kernels to take if the configuration names none; see [`Session::prefer`].
    pub preferred: Option<ExecutionMode>,
}

impl Session {
    /// Reads the data and finds the windows; nothing runs on a GPU yet.
    ///
    /// # Errors
    /// [`Error::Config`], [`Error::Data`] and [`Error::Io`]: what cannot be trained, and why.
    pub fn new(config: Config) -> Result<Session> {
        Session::of(config, None)
    }

    /// As [`Session::new`], but the rows of a fold are the validation rows, and all others train.
    ///
    /// # Errors
    /// Those of [`Session::new`] and [`folds`](crate::data::split::folds).
    pub fn of_fold(config: Config, fold: Fold) -> Result<Session> {
        Session::of(config, Some(fold))
    }

    fn of(config: Config, fold: Option<Fold>) -> Result<Session> {
        let prepared = Prepared::of(&config, fold)?;
        best::check(&config, &prepared)?;
        let cut = config.train.cut()?;
        let train = &config.train;
        let windows = Windows::new(prepared.train.epoch(), train.last_epoch(), cut.batches.clone(), train.tail)?;
        check_groups(&prepared.saved.model, &windows, &cut)?;
        Ok(Session { config, prepared, cut, windows, open_blocks: false, preferred: None })
    }

    /// Trains so many epochs instead of those configured.
    pub(super) fn set_epochs(&mut self, epochs: u32) -> Result<()> {
        (self.config.train.epochs, self.config.train.stop_after) = (epochs, None);
        let train = &self.config.train;
        self.windows = Windows::new(self.prepared.train.epoch(), epochs, self.cut.batches.clone(), train.tail)?;
        Ok(())
    }

    /// As [`Session::new`], for a run that begins or resumes. A resumed run has the checkpoint's weights, so the file that it
    /// began with may be gone.
    ///
    /// # Errors
    /// Those of [`Session::new`]; [`Error::Config`] for more updates than can be numbered.
    pub fn of_run(mut config: Config, claim: &Claim) -> Result<Session> {
        if claim.goes_on() {
            config.model.init = None;
        }
        // A window that is open inside a block of rows needs the memory for it.
        let session = Session { open_blocks: claim.has_open_block(), ..Session::new(config)? };
        session.check_length()?;
        Ok(session)
    }

    /// Writes the model with the trained weights.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if they were not trained; [`Error::Io`].
    pub fn save(&mut self, trainer: &mut Trainer, folder: &RunFolder) -> Result<()> {
        self.prepared.saved.arrays = trainer.parameters()?;
        self.prepared.saved.write(&folder.model())
    }

    /// The trainer's settings, except for the micro-batch.
    pub fn settings(&self) -> Result<Settings> {
        let (optimizer, train) = (&self.config.optimizer, &self.config.train);
        // The schedule is that of all epochs, also where the run stops before.
        let all = Windows::new(self.prepared.train.epoch(), train.epochs, self.cut.batches.clone(), train.tail)?;
        Ok(Settings {
            optimizer: optimizer.make()?,
            clip: optimizer.clip(),
            lr_factors: optimizer.lr_factors.clone(),
            decay: optimizer.decay,
            lr: optimizer.lr,
            label_smoothing: self.config.model.label_smoothing,
            schedule: optimizer.schedule(all.updates()),
            start: self.prepared.start.clone(),
            first_weights: self.config.model.first_weights,
            seed: self.config.train.seed,
            augment: self.config.data.augments(),
            packing: packing(&self.prepared.train.batch()),
            kernels: self.config.train.kernels.or(self.preferred),
            ..Settings::default()
        })
    }

    /// Rows of the largest window.
    pub fn batch(&self) -> usize {
        let rows = self.prepared.train.epoch() as u64;
        let most =
            if self.config.train.tail == Tail::Carry { rows * u64::from(self.config.train.last_epoch()) } else { rows };
        u64::from(self.cut.batches.most()).min(most) as usize
    }

    /// The memory budget.
    pub fn budget(&self, gpu: &Gpu) -> Result<Budget> {
        let given = self.config.train.memory_bytes()?;
        Ok(given.map_or_else(|| Budget::of(gpu.info(), gpu.limits()), Budget::given))
    }

    /// The micro-batch by arithmetic alone: as configured, or the most rows that fit.
    ///
    /// # Errors
    /// [`Error::Memory`] if it does not fit.
    pub fn planned(&self, gpu: &Gpu) -> Result<Chosen> {
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

    /// As chosen, but with an open block of gradients, and fewer rows if the budget has no room for both.
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

    /// The budget for a plan; without a user's budget, a configured micro-batch is tried as it is.
    fn given_budget(&self, gpu: &Gpu) -> Result<Option<Budget>> {
        let free = matches!(self.cut.micro_batch, MicroBatch::Rows(_)) && self.config.train.memory.is_none();
        if free { Ok(None) } else { self.budget(gpu).map(Some) }
    }

    /// Checks that a plan fits the adapter and, together with the data, the budget.
    ///
    /// # Errors
    /// [`Error::Memory`] naming what is too large.
    pub fn fits(&self, gpu: &Gpu, plan: &Plan, chosen: &Chosen) -> Result<()> {
        plan.check(gpu)?;
        let bytes = self.given_budget(gpu)?.map_or(u64::MAX, |budget| budget.bytes);
        plan.fits(gpu.limits(), bytes.saturating_sub(chosen.data))
    }

    /// As [`Session::planned`], but with the trial of micro-batches if the configuration asks for it.
    ///
    /// # Errors
    /// [`Error::Memory`] if it does not fit; those of [`fastest`].
    pub fn settled(&self, gpu: &Gpu) -> Result<Chosen> {
        let (chosen, model) = (self.planned(gpu)?, &self.prepared.saved.model);
        match self.cut.micro_batch {
            MicroBatch::Automatic(Automatic::Fastest) => {
                let data = self.prepared.train.batch();
                self.opened(gpu, fastest(gpu, model, self.batch(), &chosen, &data, || self.settings())?)
            }
            _ => Ok(chosen),
        }
    }

    /// Takes these kernels if the configuration names none; false if they do not fit. The micro-batch stays.
    ///
    /// # Errors
    /// Those of [`Session::settings`].
    pub fn prefer(&mut self, gpu: &Gpu, kernels: ExecutionMode, chosen: &mut Chosen) -> Result<bool> {
        self.preferred = Some(kernels);
        let plan = plan_training(gpu, &self.prepared.saved.model, &self.settings()?, chosen)?;
        if self.fits(gpu, &plan, chosen).is_err() {
            self.preferred = None;
            return Ok(false);
        }
        chosen.bytes = plan.bytes() + chosen.data;
        Ok(true)
    }

    /// Makes the trainer for a micro-batch of [`Session::settled`], with everything it needs on the GPU; halves the micro-batch
    /// if the driver refuses the memory.
    ///
    /// # Errors
    /// [`Error::Memory`] if the driver refuses even one row, or a configured micro-batch.
    pub fn trainer(&self, gpu: &Gpu, chosen: Chosen) -> Result<(Trainer, Chosen)> {
        let (batch, model) = (self.batch(), &self.prepared.saved.model);
        match self.cut.micro_batch {
            MicroBatch::Automatic(_) => build(gpu, model, batch, chosen, || self.settings()),
            MicroBatch::Rows(_) => {
                let Chosen { micro_batch, open_blocks, copies, resident, .. } = chosen;
                let settings = Settings { micro_batch, open_blocks, copies, stream: !resident, ..self.settings()? };
                Ok((Trainer::new(gpu, model, settings)?, chosen))
            }
        }
    }

    /// The configuration of the fit.
    pub fn fit(&self) -> FitConfig<'_> {
        let train = &self.config.train;
        FitConfig {
            train: self.prepared.train.batch(),
            validation: self.prepared.validation.as_ref().map(|data| data.batch()),
            unit: self.prepared.unit(),
            epochs: train.last_epoch(),
            batch: self.cut.batches.clone(),
            lr_scaling: self.config.optimizer.scaling(self.cut.batches.first()),
            tail: train.tail,
            shuffle: train.shuffle.then_some(train.seed),
            on_nonfinite: train.on_nonfinite,
        }
    }

    /// The identity of its run on an adapter. `config` is the configuration as text.
    pub fn identity(&self, config: String, info: &wgpu::AdapterInfo) -> Identity {
        let data = [Some(&self.prepared.train), self.prepared.validation.as_ref()].into_iter().flatten();
        let batches: Vec<_> = data.map(|data| (data.batch(), classes(data))).collect();
        let rows = checksum(batches.iter().map(|(batch, classes)| (batch, *classes)));
        let scale = self.prepared.scale_of_images().map(|scale| format!(" {scale}"));
        Identity::new(config, rows + scale.as_deref().unwrap_or_default(), info)
    }

    /// Checks that 32 bits, as on the GPU, can number every update of the run.
    pub fn check_length(&self) -> Result<()> {
        match self.windows.updates() {
            updates if updates < u64::from(u32::MAX) => Ok(()),
            updates => {
                Err(Error::config("train.epochs", format!("{updates} updates are too many; 4294967294 can be made")))
            }
        }
    }
}

/// The names of the classes, if any.
fn classes(data: &Dataset) -> &[String] {
    match &data.targets {
        Targets::Classes { classes, .. } => classes,
        Targets::Values { .. } => &[],
        Targets::Next { tokens, .. } => tokens,
    }
}

/// Refuses windows with a group of one number, which has no variance, and micro-batches that end inside of groups.
fn check_groups(model: &Model, windows: &Windows, cut: &Cut) -> Result<()> {
    let graph = model.network(false)?.graph;
    let group = graph.group();
    if group == 1 {
        return Ok(());
    }
    let sizes: BTreeSet<u32> = windows.clone().map(|window| window.rows).collect();
    if let Some((rows, name)) = sizes.iter().find_map(|&rows| Some((rows, graph.lonely(rows as usize)?))) {
        return Err(Error::config(
            "train.batch",
            format!(
                "a window of {rows} rows leaves the layer \"{name}\" one row by itself, which has no variance; give another \
                 batch or group, or train.tail = \"drop\""
            ),
        ));
    }
    match cut.micro_batch {
        MicroBatch::Rows(rows)
            if !(rows as usize).is_multiple_of(group) && sizes.last().is_some_and(|&most| rows < most) =>
        {
            let message = format!(
                "{rows} rows end inside a group of {group} rows that are normalised together; give a \
                 multiple of {group}, the whole batch, or \"auto\""
            );
            Err(Error::config("train.micro_batch", message))
        }
        _ => Ok(()),
    }
}
