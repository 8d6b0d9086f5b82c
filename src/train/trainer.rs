//! A trainer: micro-batches in, updates out, results back when they are ready.

use std::collections::VecDeque;
use std::time::Instant;

use super::faults::{Faults, Sent};
use super::pace::{Load, Pace};
use super::predictor::Ahead;
use super::settings::{Settings, Update};
use super::work::Work;
use crate::data::records::Format;
use crate::gpu::{Gpu, Profiler, ReadbackRing, fresh};
use crate::graph::{Resource, Span};
use crate::nn::{Arrays, Model, initial};
use crate::optim::{Optimizer, Schedule};
use crate::plan::{BufferRole, Kernels, Plan, Program, Stats, Training};
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
    pub(super) program: Program,
    pub(super) model: Model,
    pub(super) format: Format,
    pub(super) optimizer: Box<dyn Optimizer>,
    pub(super) lr: f64,
    pub(super) schedule: Schedule,
    pub(super) open_blocks: bool,
    pub(super) stream: bool,
    pub(super) lr_factor: f64,
    pub(super) rows: u32,
    pub(super) closed: bool,
    pub(super) ended: bool,
    pub(super) hold: bool,
    pub(super) updates: u64,
    /// Goes on by one with each micro-batch and update that is asked for. Each trainer begins elsewhere, so that no memory
    /// that it gets can pass for work that it has done.
    pub(super) sequence: u32,
    /// Submissions that ended inside a micro-batch.
    pub(super) marks: u32,
    pub(super) pending: Work,
    pub(super) ring: ReadbackRing<Sent>,
    pub(super) promised: VecDeque<Update>,
    pub(super) running: VecDeque<wgpu::SubmissionIndex>,
    pub(super) finished: Vec<Update>,
    /// Updates that were asked for before a run began.
    pub(super) earlier: Vec<Update>,
    pub(super) records: Vec<f32>,
    pub(super) data_rows: u32,
    pub(super) encoded: bool,
    pub(super) faults: Faults,
    pub(super) encoded_load: Load,
    pub(super) pace: Pace,
    /// What was submitted last, and when.
    pub(super) latest: Option<(wgpu::SubmissionIndex, Instant)>,
    /// Outputs that will come, or that came and were not taken yet.
    pub(super) ahead: Option<Ahead>,
    pub(super) came: Option<Vec<f32>>,
    pub(super) profiler: Option<Profiler>,
}

impl Trainer {
    /// Plans the training of a model and makes everything that it needs on the device.
    ///
    /// # Errors
    /// [`Error::Config`] for settings that cannot be used, [`Error::Memory`] when the plan does not fit the device.
    pub fn new(gpu: &Gpu, model: &Model, settings: Settings) -> Result<Trainer> {
        let network = model.network(true)?;
        let loss = network.loss.ok_or_else(|| Error::Internal("a network for training has a loss".to_owned()))?;
        settings.clip.check()?;
        settings.optimizer.check()?;
        check_lr(settings.lr)?;
        let (optimizer, clip) = (&*settings.optimizer, settings.clip);
        let kernels = Kernels::of(gpu, settings.kernels);
        let training = Training { loss, optimizer, clip, open_blocks: settings.open_blocks, kernels };
        let plan = Plan::new(&network.graph, network.output, settings.micro_batch, Some(training))?;
        let format = Format::of(model);
        let program = Program::new(gpu, plan)?;
        let ring = ReadbackRing::new(gpu, program.results(), Stats::BYTES);
        let start = settings.start.unwrap_or_else(|| initial(model, settings.seed));
        let mut trainer = Trainer {
            program,
            model: model.clone(),
            format,
            optimizer: settings.optimizer,
            lr: settings.lr,
            schedule: settings.schedule,
            open_blocks: settings.open_blocks,
            stream: settings.stream,
            lr_factor: 1.0,
            rows: 0,
            closed: true,
            ended: false,
            hold: false,
            updates: 0,
            sequence: fresh() as u32,
            marks: 0,
            pending: Work::default(),
            ring,
            promised: VecDeque::new(),
            running: VecDeque::new(),
            finished: Vec::new(),
            earlier: Vec::new(),
            records: Vec::new(),
            data_rows: 0,
            encoded: false,
            faults: Faults::default(),
            encoded_load: Load::default(),
            pace: Pace::default(),
            latest: None,
            ahead: None,
            came: None,
            profiler: None,
        };
        trainer.set_parameters(&start)?;
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

    /// Updates that were asked for so far.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// Samples in the window that is open.
    pub fn open_rows(&self) -> u32 {
        self.rows
    }

    /// Sets the learning rate of the next updates, at full size.
    ///
    /// # Errors
    /// [`Error::Config`] when it is negative or not finite as a float.
    pub fn set_lr(&mut self, lr: f64) -> Result<()> {
        check_lr(lr)?;
        self.lr = lr;
        Ok(())
    }

    /// Waits for earlier work and replaces the parameters; the open window and the optimizer's state stay.
    ///
    /// # Errors
    /// [`Error::Config`] naming the array that is missing, superfluous or of another shape than the model's;
    /// [`Error::DeviceLost`] and [`Error::Memory`] when not all of them arrived: from then on the trainer gives nothing.
    pub fn set_parameters(&mut self, arrays: &Arrays) -> Result<()> {
        if self.encoded {
            return Err(Error::Shape { op: "parameters", message: not_submitted() });
        }
        // What is scheduled already computes with the parameters that are there.
        self.submit()?;
        let flat = self.program.plan().layout.pack(arrays).map_err(|message| Error::config("model.init", message))?;
        let (buffer, _) = self.program.at(Resource::Parameters(self.all()))?;
        let replaced = self.gpu().upload(buffer, bytemuck::cast_slice(&flat));
        self.replaced(replaced)
    }

    /// Waits for everything that was asked for, and returns the parameters under PyTorch's names. They are finite, whatever
    /// the data are, if those that training began with were.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] when an update that was asked for was not made, or when that was found earlier.
    pub fn parameters(&mut self) -> Result<Arrays> {
        self.caught_up()?;
        let flat = self.read(Resource::Parameters(self.all()))?;
        Ok(self.plan().layout.unpack(&flat))
    }

    /// Waits for everything that was asked for, and returns what the optimizer remembers: its moments one after the other,
    /// each under the parameters' names.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn optimizer_state(&mut self) -> Result<Vec<Arrays>> {
        self.caught_up()?;
        if !self.plan().buffers.iter().any(|buffer| buffer.role == BufferRole::Optimizer) {
            return Ok(Vec::new());
        }
        let floats = self.plan().layout.floats();
        let flat = self.read(Resource::OptimizerState(self.all()))?;
        Ok(flat.chunks_exact(floats).map(|moment| self.plan().layout.unpack(moment)).collect())
    }

    /// Waits, and returns the open window's gradient sums Σ_r w_r · ∂loss_r/∂θ over its closed blocks.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn gradient_sums(&mut self) -> Result<Arrays> {
        self.all_done()?;
        let flat = self.read(Resource::Gradients(self.all()))?;
        Ok(self.plan().layout.unpack(&flat))
    }

    /// A place that is a buffer of its own.
    pub(super) fn read(&mut self, place: Resource) -> Result<Vec<f32>> {
        let (buffer, bytes) = self.program.at(place)?;
        let flat = self.gpu().read_f32(buffer, (bytes.end / 4) as usize);
        self.noticed(flat)
    }

    pub(super) fn all(&self) -> Span {
        Span { start: 0, len: (self.plan().layout.floats() / 4) as u32 }
    }
}

fn check_lr(lr: f64) -> Result<()> {
    if lr >= 0.0 && (lr as f32).is_finite() {
        return Ok(());
    }
    Err(Error::config("optimizer.lr", format!("{lr}; give a finite number from 0")))
}

pub(super) fn not_submitted() -> String {
    "what was encoded last has not been submitted; submit it and call submitted() first".to_owned()
}
