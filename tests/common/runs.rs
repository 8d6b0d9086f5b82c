//! Training runs on made-up data, along every path that the library has, and what they leave behind as bits.

use std::ops::{ControlFlow, Range};
use std::path::{Path as FilePath, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};

use accrue::data::{Batch, Target};
use accrue::gpu::Gpu;
use accrue::graph::TargetKind;
use accrue::nn::{Arrays, Model};
use accrue::optim::{self, Adam, Clip, LrFactors, Optimizer, Scaling, Schedule, Sgd};
use accrue::plan::{Augment, ExecutionMode};
use accrue::train::{Checkpoint, Event, FitConfig, OnNonFinite, Run, Settings, Trainer, Update};
use accrue::window::{Batches, Order, Tail, Windows};

use super::{Numbers, bits};

/// Rows for a model, owned.
#[derive(Clone)]
pub struct Data {
    pub features: Vec<f32>,
    pub values: Vec<f32>,
    pub classes: Vec<u32>,
    pub weights: Option<Vec<f32>>,
    inputs: usize,
    /// Targets of a row: of all its positions.
    targets: usize,
    positions: usize,
    reads: TargetKind,
}

impl Data {
    /// So many rows of numbers that look random, without weights.
    pub fn new(model: &Model, rows: usize, numbers: &mut Numbers) -> Data {
        let (reads, inputs, positions) = (model.reads(), model.inputs, model.positions());
        let targets = positions * model.targets();
        let values = match reads {
            TargetKind::Flags => (0..rows * targets).map(|_| numbers.below(2) as f32).collect(),
            _ => numbers.floats(rows * targets),
        };
        let classes = (0..rows * positions).map(|_| numbers.below(model.outputs()) as u32).collect();
        let features = numbers.floats(rows * inputs);
        Data { features, values, classes, weights: None, inputs, targets, positions, reads }
    }

    /// How many rows there are.
    pub fn rows(&self) -> usize {
        self.classes.len() / self.positions
    }

    /// Weights of a row: one, or one for each position.
    fn weighs(&self) -> usize {
        self.weights.as_ref().map_or(1, |weights| weights.len() / self.rows())
    }

    /// A stretch of the rows.
    pub fn stretch(&self, rows: Range<usize>) -> Batch<'_> {
        let targets = match self.reads {
            TargetKind::Class => Target::Classes(&self.classes[rows.start * self.positions..rows.end * self.positions]),
            _ => Target::Values(&self.values[rows.start * self.targets..rows.end * self.targets]),
        };
        let features = &self.features[rows.start * self.inputs..rows.end * self.inputs];
        let weights =
            self.weights.as_ref().map(|weights| &weights[rows.start * self.weighs()..rows.end * self.weighs()]);
        Batch { features: features.into(), targets, weights }
    }

    /// All rows.
    pub fn all(&self) -> Batch<'_> {
        self.stretch(0..self.rows())
    }

    /// The named rows, in the order given.
    pub fn pick(&self, rows: &[u32]) -> Data {
        Data {
            features: take(&self.features, self.inputs, rows),
            values: take(&self.values, self.targets, rows),
            classes: take(&self.classes, self.positions, rows),
            weights: self.weights.as_ref().map(|weights| take(weights, self.weighs(), rows)),
            ..*self
        }
    }
}

/// The named rows of so many values each.
fn take<T: Copy>(values: &[T], width: usize, rows: &[u32]) -> Vec<T> {
    rows.iter().flat_map(|&row| &values[row as usize * width..][..width]).copied().collect()
}

/// What is trained.
pub struct Task {
    pub model: Model,
    pub data: Data,
    pub sgd: Sgd,
    pub lr: f64,
    pub epochs: u32,
    pub batch: u32,
    pub tail: Tail,
    pub shuffle: Option<u64>,
    pub rest: Rest,
}

/// What most tasks do without.
#[derive(Clone, Debug, Default)]
pub struct Rest {
    /// In the place of SGD.
    pub adam: Option<Adam>,
    /// In the place of both: the optimizer's place in `optim::ALL`, and that of one of its cases.
    pub listed: Option<(usize, usize)>,
    pub clip: Clip,
    pub lr_factors: LrFactors,
    /// Only with the loss `cross_entropy`.
    pub label_smoothing: f64,
    pub schedule: Schedule,
    /// In the place of the one batch.
    pub batches: Option<Batches>,
    pub scaling: Scaling,
    /// In the place of our own choice.
    pub kernels: Option<ExecutionMode>,
    /// What is done to images at random.
    pub augment: Augment,
}

/// How the windows are cut and by which path they go to the device.
#[derive(Clone, Debug)]
pub enum Path {
    /// `fit` with this `micro_batch`.
    FitConfig(usize),
    /// The same with the data in the host's memory.
    Stream(usize),
    /// A run that is left after so many submissions, saved, and taken up by a trainer of its own with another `micro_batch` and
    /// other kernels, for each of these; the last goes on to the end.
    Resumed(Vec<(usize, u32)>),
    /// `micro_step` and `update` from the host's memory, in pieces of these sizes, over and over.
    MicroStep(Vec<usize>),
    /// `schedule` and `schedule_update` on attached data; whether a window's last piece is said to be the last.
    Schedule(Vec<usize>, bool),
}

/// What a run leaves behind.
#[derive(Clone, PartialEq, Debug)]
pub struct Left {
    /// For each update the bits of its loss, the bits of its weight, its samples and whether it was made.
    pub updates: Vec<(u64, u64, u32, bool)>,
    /// The bits of every array, one after the other.
    pub parameters: Vec<u32>,
    /// The same after one more update, of one row, in which the optimizer's state shows; empty where none was made.
    pub then: Vec<u32>,
}

/// The bits of a trainer's parameters.
pub fn parameters(trainer: &mut Trainer) -> Vec<u32> {
    flat(&trainer.parameters().unwrap())
}

/// The bits of arrays, one after the other.
pub fn flat(arrays: &Arrays) -> Vec<u32> {
    arrays.values().flat_map(|array| bits(&array.values)).collect()
}

/// Waits for a trainer, and takes what it leaves.
pub fn left(trainer: &mut Trainer, updates: Vec<Update>) -> Left {
    let bits = |u: &Update| (u.loss.to_bits(), u.weight.to_bits(), u.samples, u.made());
    Left { updates: updates.iter().map(bits).collect(), parameters: parameters(trainer), then: Vec::new() }
}

impl Task {
    /// A trainer for micro-batches of so many rows at most.
    pub fn trainer(&self, gpu: &Gpu, micro_batch: usize, open_blocks: bool) -> Trainer {
        Trainer::new(gpu, &self.model, self.settings(micro_batch, open_blocks)).unwrap()
    }

    /// Its settings.
    pub fn settings(&self, micro_batch: usize, open_blocks: bool) -> Settings {
        let optimizer: Box<dyn Optimizer> = match (self.rest.listed, self.rest.adam) {
            (Some((kind, case)), _) => (optim::ALL[kind].cases)().swap_remove(case),
            (None, Some(adam)) => Box::new(adam),
            (None, None) => Box::new(self.sgd),
        };
        let Rest { clip, schedule, label_smoothing, .. } = self.rest;
        let (kernels, lr) = (self.rest.kernels, self.lr);
        let augment = self.rest.augment;
        // Copies change no bit either.
        let copies = !micro_batch.is_multiple_of(3);
        let rest = Settings { micro_batch, open_blocks, copies, kernels, augment, ..Settings::default() };
        let lr_factors = self.rest.lr_factors.clone();
        Settings { optimizer, lr, lr_factors, clip, schedule, label_smoothing, ..rest }
    }

    /// Samples of each update.
    pub fn batches(&self) -> Batches {
        self.rest.batches.clone().unwrap_or_else(|| self.batch.into())
    }

    /// The samples of each window.
    pub fn windows(&self) -> Vec<Vec<u32>> {
        self.rated_windows().into_iter().map(|(window, _)| window).collect()
    }

    /// The samples of each window, and the learning rate at full size for a batch as large as the window's.
    fn rated_windows(&self) -> Vec<(Vec<u32>, f64)> {
        let samples = self.data.rows();
        let mut order = Order::new(samples as u32, self.shuffle);
        let windows = Windows::new(samples, self.epochs, self.batches(), self.tail).unwrap();
        let window = |w: accrue::window::Window| {
            let mut rows = Vec::new();
            order.extend(w.start..w.start + u64::from(w.rows), &mut rows);
            (rows, self.lr * self.rest.scaling.factor(w.batch))
        };
        windows.map(window).collect()
    }

    /// What [`Trainer::fit`] is given.
    pub fn fit(&self) -> FitConfig<'_> {
        FitConfig {
            train: self.data.all(),
            validation: None,
            unit: None,
            epochs: self.epochs,
            batch: self.batches(),
            lr_scaling: self.rest.scaling,
            tail: self.tail,
            shuffle: self.shuffle,
            on_nonfinite: OnNonFinite::Stop,
        }
    }

    /// Trains along a path that ends well.
    pub fn run(&self, gpu: &Gpu, path: &Path) -> Left {
        self.try_run(gpu, path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// Trains along a path.
    pub fn try_run(&self, gpu: &Gpu, path: &Path) -> accrue::Result<Left> {
        let (mut trainer, updates) = match path {
            Path::FitConfig(micro_batch) => self.fitted(gpu, self.settings(*micro_batch, true))?,
            Path::Stream(micro_batch) => {
                self.fitted(gpu, Settings { stream: true, ..self.settings(*micro_batch, true) })?
            }
            Path::Resumed(legs) => self.resumed(gpu, legs)?,
            Path::MicroStep(cut) => {
                let mut trainer = self.trainer(gpu, *cut.iter().max().unwrap(), true);
                for (window, lr) in self.rated_windows() {
                    let data = self.data.pick(&window);
                    pieces(window.len(), cut).for_each(|rows| trainer.micro_step(&data.stretch(rows)).unwrap());
                    trainer.set_lr(lr).unwrap();
                    trainer.update().unwrap();
                }
                let updates = trainer.finish().unwrap();
                (trainer, updates)
            }
            Path::Schedule(cut, last) => {
                let mut trainer = self.trainer(gpu, *cut.iter().max().unwrap(), true);
                trainer.attach(&self.data.all()).unwrap();
                for (window, lr) in self.rated_windows() {
                    for rows in pieces(window.len(), cut) {
                        if !trainer.has_room(rows.len()) {
                            trainer.submit().unwrap();
                        }
                        let last = *last && rows.end == window.len();
                        trainer.schedule(&window[rows], last).unwrap();
                    }
                    trainer.set_lr(lr).unwrap();
                    trainer.schedule_update().unwrap();
                }
                let updates = trainer.finish().unwrap();
                (trainer, updates)
            }
        };
        let mut left = left(&mut trainer, updates);
        let counts = |&row: &usize| {
            let weights = self.data.stretch(row..row + 1).weights;
            weights.is_none_or(|weights| weights.iter().any(|&weight| weight > 0.0))
        };
        if let Some(row) = (0..self.data.rows()).find(counts) {
            trainer.set_lr(self.lr).unwrap();
            trainer.micro_step(&self.data.stretch(row..row + 1)).unwrap();
            trainer.update().unwrap();
            trainer.finish().unwrap();
            left.then = parameters(&mut trainer);
        }
        Ok(left)
    }

    fn resumed(&self, gpu: &Gpu, legs: &[(usize, u32)]) -> accrue::Result<(Trainer, Vec<Update>)> {
        let (fit, file) = (self.fit(), checkpoint_file());
        let mut updates = Vec::new();
        let mut watch = |event| {
            if let Event::Update { update, .. } = event {
                updates.push(update);
            }
            ControlFlow::Continue(())
        };
        let kernels = [self.rest.kernels, Some(ExecutionMode::Ops), Some(ExecutionMode::Fused)];
        for (leg, &(micro_batch, submissions)) in legs.iter().enumerate() {
            let settings = self.settings(micro_batch, true);
            let settings = Settings { kernels: kernels[leg % 3], stream: leg % 4 == 3, ..settings };
            let mut trainer = Trainer::new(gpu, &self.model, settings)?;
            let mut run = if leg == 0 {
                Run::new(&mut trainer, &fit)?
            } else {
                let checkpoint = Checkpoint::read(&file)?;
                trainer.set_state(&checkpoint.state)?;
                Run::at(&mut trainer, &fit, &checkpoint.position)?
            };
            let mut left = if leg + 1 == legs.len() { u32::MAX } else { submissions };
            let mut done = false;
            while left > 0 && !done {
                done = run.advance(&mut trainer, &fit, &mut watch)?.is_some();
                left -= 1;
            }
            run.settle(&mut trainer, &fit, &mut watch)?;
            let (state, position) = (trainer.state()?, run.position());
            Checkpoint { state, position, about: "a test".to_owned() }.write(&file)?;
            if done {
                let _ = std::fs::remove_file(&file);
                return Ok((trainer, updates));
            }
        }
        panic!("the last leg ends the run")
    }

    fn fitted(&self, gpu: &Gpu, settings: Settings) -> accrue::Result<(Trainer, Vec<Update>)> {
        let mut trainer = Trainer::new(gpu, &self.model, settings)?;
        let mut updates = Vec::new();
        let watch = |event| {
            if let Event::Update { update, .. } = event {
                updates.push(update);
            }
            ControlFlow::Continue(())
        };
        trainer.fit(&self.fit(), watch)?;
        Ok((trainer, updates))
    }
}

/// A file of this process that no other test writes.
fn checkpoint_file() -> PathBuf {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    FilePath::new(env!("CARGO_TARGET_TMPDIR")).join(format!("{}-{number}.checkpoint", std::process::id()))
}

/// A window of `rows` rows in pieces of these sizes, over and over, the last one as short as it must be.
pub fn pieces(rows: usize, cut: &[usize]) -> impl Iterator<Item = Range<usize>> {
    let mut at = 0;
    cut.iter().cycle().map_while(move |&size| {
        let start = at;
        at = rows.min(at + size);
        (start < at).then_some(start..at)
    })
}
