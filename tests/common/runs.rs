//! Training runs on made-up data, along every path that the library has, and what they leave behind as bits.

use std::ops::{ControlFlow, Range};

use accrue::data::{Batch, Target};
use accrue::gpu::Gpu;
use accrue::nn::{Arrays, Model};
use accrue::ops::Reads;
use accrue::optim::{Scaling, Sgd};
use accrue::train::{Event, Fit, Settings, Trainer, Update};
use accrue::window::{Order, Tail, Windows};

use super::{Numbers, bits};

/// Rows for a model, owned.
#[derive(Clone)]
pub struct Data {
    pub features: Vec<f32>,
    pub values: Vec<f32>,
    pub classes: Vec<u32>,
    pub weights: Option<Vec<f32>>,
    inputs: usize,
    targets: usize,
    reads: Reads,
}

impl Data {
    /// So many rows of numbers that look random, without weights.
    pub fn new(model: &Model, rows: usize, numbers: &mut Numbers) -> Data {
        let reads = model.reads();
        let values = match reads {
            Reads::Flags => (0..rows * model.targets()).map(|_| numbers.below(2) as f32).collect(),
            _ => numbers.floats(rows * model.targets()),
        };
        let classes = (0..rows).map(|_| numbers.below(model.outputs()) as u32).collect();
        let features = numbers.floats(rows * model.inputs);
        Data { features, values, classes, weights: None, inputs: model.inputs, targets: model.targets(), reads }
    }

    /// A stretch of the rows.
    pub fn stretch(&self, rows: Range<usize>) -> Batch<'_> {
        let targets = match self.reads {
            Reads::Class => Target::Classes(&self.classes[rows.clone()]),
            _ => Target::Values(&self.values[rows.start * self.targets..rows.end * self.targets]),
        };
        let features = &self.features[rows.start * self.inputs..rows.end * self.inputs];
        Batch { features, targets, weights: self.weights.as_ref().map(|weights| &weights[rows]) }
    }

    /// All rows.
    pub fn all(&self) -> Batch<'_> {
        self.stretch(0..self.classes.len())
    }

    /// The named rows, in the order given.
    pub fn pick(&self, rows: &[u32]) -> Data {
        let take = |values: &[f32], width: usize| -> Vec<f32> {
            rows.iter().flat_map(|&row| &values[row as usize * width..][..width]).copied().collect()
        };
        Data {
            features: take(&self.features, self.inputs),
            values: take(&self.values, self.targets),
            classes: rows.iter().map(|&row| self.classes[row as usize]).collect(),
            weights: self.weights.as_ref().map(|weights| take(weights, 1)),
            ..*self
        }
    }
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
}

/// How the windows are cut and by which path they go to the device.
#[derive(Clone, Debug)]
pub enum Path {
    /// `fit` with this `micro_batch`.
    Fit(usize),
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
    let bits = |u: &Update| (u.loss.to_bits(), u.weight.to_bits(), u.samples, u.made);
    Left { updates: updates.iter().map(bits).collect(), parameters: parameters(trainer) }
}

impl Task {
    /// A trainer for micro-batches of so many rows at most.
    pub fn trainer(&self, gpu: &Gpu, micro_batch: usize, any_cut: bool) -> Trainer {
        let optimizer = Box::new(self.sgd);
        let settings = Settings { micro_batch, optimizer, lr: self.lr, any_cut, ..Settings::default() };
        Trainer::new(gpu, &self.model, settings).unwrap()
    }

    /// The samples of each window.
    pub fn windows(&self) -> Vec<Vec<u32>> {
        let samples = self.data.classes.len();
        let mut order = Order::new(samples as u32, self.shuffle);
        let windows = Windows::new(samples, self.epochs, self.batch, self.tail).unwrap();
        let window = |w: accrue::window::Window| {
            let mut rows = Vec::new();
            order.extend(w.start..w.start + u64::from(w.rows), &mut rows);
            rows
        };
        windows.map(window).collect()
    }

    /// What [`Trainer::fit`] is given.
    pub fn fit(&self) -> Fit<'_> {
        Fit {
            train: self.data.all(),
            validation: None,
            unit: None,
            epochs: self.epochs,
            batch: self.batch.into(),
            lr_scaling: Scaling::None,
            tail: self.tail,
            shuffle: self.shuffle,
        }
    }

    /// Trains along a path that ends well.
    pub fn run(&self, gpu: &Gpu, path: &Path) -> Left {
        self.try_run(gpu, path).unwrap_or_else(|error| panic!("{path:?}: {error}"))
    }

    /// Trains along a path.
    pub fn try_run(&self, gpu: &Gpu, path: &Path) -> accrue::Result<Left> {
        let left = match path {
            Path::Fit(micro_batch) => {
                let mut trainer = self.trainer(gpu, *micro_batch, true);
                let mut updates = Vec::new();
                let watch = |event| {
                    if let Event::Update { update, .. } = event {
                        updates.push(update);
                    }
                    ControlFlow::Continue(())
                };
                trainer.fit(&self.fit(), watch)?;
                left(&mut trainer, updates)
            }
            Path::MicroStep(cut) => {
                let mut trainer = self.trainer(gpu, *cut.iter().max().unwrap(), true);
                for window in self.windows() {
                    let data = self.data.pick(&window);
                    pieces(window.len(), cut).for_each(|rows| trainer.micro_step(&data.stretch(rows)).unwrap());
                    trainer.update().unwrap();
                }
                let updates = trainer.finish().unwrap();
                left(&mut trainer, updates)
            }
            Path::Schedule(cut, last) => {
                let mut trainer = self.trainer(gpu, *cut.iter().max().unwrap(), true);
                trainer.attach(&self.data.all()).unwrap();
                for window in self.windows() {
                    for rows in pieces(window.len(), cut) {
                        if !trainer.has_room(rows.len()) {
                            trainer.submit().unwrap();
                        }
                        let last = *last && rows.end == window.len();
                        trainer.schedule(&window[rows], last).unwrap();
                    }
                    trainer.schedule_update().unwrap();
                }
                let updates = trainer.finish().unwrap();
                left(&mut trainer, updates)
            }
        };
        Ok(left)
    }
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
