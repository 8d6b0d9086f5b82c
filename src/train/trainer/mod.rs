//! A trainer: micro-batches in, updates out, results back when they are ready.

mod attach;
mod host;
mod parameters;
mod predict;
mod profile;
mod results;
mod schedule;
mod slices;
mod state;
mod submit;

use host::HostEncoding;
pub use state::{Counters, State};

use super::ahead::Ahead;
use super::commands::CommandList;
use super::format::Format;
use super::forward::Columns;
use super::ledger::Ledger;
use super::settings::Settings;
use super::submitter::Submitter;
use super::window_state::WindowState;
use crate::gpu::{Gpu, fresh};
use crate::graph::Graph;
use crate::nn::{Model, initial_of};
use crate::optim::Optimizer;
use crate::plan::{Kernels, Plan, Program, Stats, Training};
use crate::{Error, Result};

/// Trains a model. It holds one micro-batch on the GPU at a time, while each update sees the whole window.
///
/// ```no_run
/// use accrue::{data::Batch, gpu::{Choice, Gpu}, nn::Model, train::{Settings, Trainer}};
/// let gpu = Gpu::new(&Choice::default())?;
/// let model = Model::new(2, &[16.into(), "tanh".into(), 1.into()], "mse")?;
/// let mut trainer = Trainer::new(&gpu, &model, Settings { lr: 0.1, ..Settings::default() })?;
/// # let (x, y) = ([[0f32; 128]; 3], [[0f32; 64]; 3]);
/// for step in 0..3 {
///     trainer.micro_step(&Batch::values(&x[step], &y[step]))?;
/// }
/// trainer.update()?; // one update from all three micro-batches, exactly as from one batch
/// println!("loss {}", trainer.finish()?[0].loss);
/// # Ok::<(), accrue::Error>(())
/// ```
pub struct Trainer {
    model: Model,
    format: Format,
    columns: Columns,
    optimizer: Box<dyn Optimizer>,
    /// Whether data is streamed even if it fits on the GPU.
    stream: bool,
    program: Program,
    window: WindowState,
    ledger: Ledger,
    submitter: Submitter,
    /// The next submission.
    scheduled: CommandList,
    host: HostEncoding,
    ahead: Ahead,
    /// Samples of the data on the GPU; 0 without.
    data_rows: u32,
    /// Host memory in which a micro-batch's records are formatted.
    records: Vec<f32>,
}

impl Trainer {
    /// Plans the training of a model and makes everything it needs on the device.
    ///
    /// # Errors
    /// [`Error::Config`] for invalid settings, [`Error::Memory`] if the plan does not fit the device.
    pub fn new(gpu: &Gpu, model: &Model, settings: Settings) -> Result<Trainer> {
        let network = settings.network(model)?;
        let loss = network.loss.ok_or_else(|| Error::Internal("a network for training has a loss".to_owned()))?;
        settings.clip.check()?;
        settings.optimizer.check()?;
        let window = WindowState::new(&settings, network.graph.group())?;
        settings.lr_factors.check(&kinds(&network.graph))?;
        let (optimizer, clip, lr_factors) = (&*settings.optimizer, settings.clip, settings.lr_factors);
        let kernels = Kernels::with(gpu, settings.kernels, settings.copies);
        let (open_blocks, seed, augment) = (settings.open_blocks, settings.seed, settings.augment);
        let decay = settings.decay;
        let training = Training { loss, optimizer, clip, lr_factors, decay, open_blocks, kernels, seed, augment };
        let plan = Plan::new(&network.graph, network.output, settings.micro_batch, Some(training))?;
        let program = Program::new(gpu, plan)?;
        let mut trainer = Trainer {
            model: model.clone(),
            format: Format::of(model),
            columns: Columns::of(model),
            optimizer: settings.optimizer,
            stream: settings.stream,
            window,
            ledger: Ledger::new(fresh() as u32),
            submitter: Submitter::new(&program),
            program,
            scheduled: CommandList::default(),
            host: HostEncoding::default(),
            ahead: Ahead::default(),
            data_rows: 0,
            records: Vec::new(),
        };
        let first = || initial_of(model, settings.first_weights, settings.seed);
        trainer.set_parameters(&settings.start.unwrap_or_else(first))?;
        trainer.set_stats(vec![0; Stats::HEADER as usize])?;
        Ok(trainer)
    }

    /// The plan: its steps, and every buffer with its bytes.
    pub fn plan(&self) -> &Plan {
        self.program.plan()
    }

    /// The device.
    pub fn gpu(&self) -> &Gpu {
        self.program.gpu()
    }

    /// The model.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Updates requested so far.
    pub fn updates(&self) -> u64 {
        self.window.updates()
    }

    /// Samples in the open window.
    pub fn open_rows(&self) -> u32 {
        self.window.rows()
    }

    /// Samples of the attached data.
    pub fn data_rows(&self) -> u32 {
        self.data_rows
    }

    /// Sets the full learning rate of the next updates.
    ///
    /// # Errors
    /// [`Error::Config`] if it is negative or not finite as a float.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        self.window.set_lr(lr)
    }

    /// The layout of samples in memory.
    pub(in crate::train) fn format(&self) -> &Format {
        &self.format
    }

    fn columns(&self) -> Columns {
        self.columns
    }
}

/// The kinds of parameters: those of every op, and those of the network's, which may have ops of its own.
fn kinds(graph: &Graph) -> Vec<&'static str> {
    let mut kinds = crate::ops::parameter_kinds();
    for node in graph.nodes() {
        let shapes = graph.shapes(node);
        kinds.extend(node.op.parameters(shapes[0]).iter().map(|part| node.op.kind_of(part)));
    }
    kinds
}
