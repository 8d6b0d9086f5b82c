//! The settings of a trainer, and its report of each update.

use std::sync::Arc;

use crate::graph::{Op, Packing};
use crate::nn::{Arrays, FirstWeights, Model, Network};
use crate::ops::CrossEntropy;
use crate::optim::{Clip, Decay, LrFactors, Optimizer, Schedule, Sgd};
use crate::plan::{Augment, ExecutionMode};
use crate::{Error, NotFinite, Result};

/// How a model is trained.
pub struct Settings {
    /// Rows that the GPU holds at once. They decide memory and speed, never the result.
    pub micro_batch: usize,
    /// The optimizer.
    pub optimizer: Box<dyn Optimizer>,
    /// How the gradient is clipped.
    pub clip: Clip,
    /// What the learning rate of each kind of parameter is multiplied with.
    pub lr_factors: LrFactors,
    /// Which parameters the optimizer's weight decay acts on.
    pub decay: Decay,
    /// The full learning rate.
    pub lr: f64,
    /// The share of each target that all classes have alike, with the loss `cross_entropy`; 0 to below 1. It changes what is
    /// trained, not how [`Trainer::evaluate`](super::Trainer::evaluate) measures.
    pub label_smoothing: f64,
    /// The learning rate's course over the updates.
    pub schedule: Schedule,
    /// The weights to start from; by default [`initial_of`](crate::nn::initial_of) with `seed`.
    pub start: Option<Arrays>,
    /// The distributions of the first weights.
    pub first_weights: FirstWeights,
    /// The seed of the first weights, of dropout and of what is done to images.
    pub seed: u64,
    /// What is done to images at random.
    pub augment: Augment,
    /// Whether micro-batches may end at any row of their window. Without it they must be multiples of
    /// [`BLOCK`](crate::plan::BLOCK) rows, except a window's last one, and one copy of the gradients less is kept.
    pub open_blocks: bool,
    /// Whether kernels may read copies in textures, on adapters where that is faster. They take memory, and change no bit.
    /// A predictor always may.
    pub copies: bool,
    /// Whether [`Trainer::fit`](super::Trainer::fit) streams its data from the host's memory, micro-batch by micro-batch, instead
    /// of keeping it on the GPU. Data that the adapter cannot hold is always streamed.
    pub stream: bool,
    /// How the data that stays on the GPU is packed, for the planner, which counts its bytes; [`packing`](super::packing) says it. A
    /// trainer takes any.
    pub packing: Option<Packing>,
    /// Which kernels to take, if network and adapter allow it. They decide the speed, never the result; by default network and
    /// adapter decide.
    pub kernels: Option<ExecutionMode>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            micro_batch: 64,
            optimizer: Box::new(Sgd::default()),
            clip: Clip::default(),
            lr_factors: LrFactors::default(),
            decay: Decay::default(),
            lr: 0.01,
            label_smoothing: 0.0,
            schedule: Schedule::default(),
            start: None,
            first_weights: FirstWeights::default(),
            seed: 0,
            augment: Augment::default(),
            open_blocks: true,
            copies: true,
            stream: false,
            packing: None,
            kernels: None,
        }
    }
}

impl Settings {
    /// The model as a graph for training, with the loss of these settings.
    pub(super) fn network(&self, model: &Model) -> Result<Network> {
        let smoothing = self.label_smoothing;
        let plain = CrossEntropy::default();
        if smoothing == 0.0 {
            return model.network(true);
        }
        if model.loss != plain.name() {
            let message = format!("belongs to the loss {}, but this is {}; leave it out", plain.name(), model.loss);
            return Err(Error::config("model.label_smoothing", message));
        }
        if !(0.0..1.0).contains(&smoothing) || smoothing as f32 >= 1.0 {
            return Err(Error::config(
                "model.label_smoothing",
                format!("{smoothing}; give a number from 0 to below 1"),
            ));
        }
        model.network_with(Some(Arc::new(CrossEntropy { smoothing })))
    }
}

/// An update that the GPU has made, or left out.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Update {
    /// Its number, from 1.
    pub update: u64,
    /// Samples in its window.
    pub samples: u32,
    /// Their weight: Σ_r w_r.
    pub weight: f64,
    /// The window's loss: Σ_r w_r · loss_r / Σ_r w_r. NaN if the window had no weight.
    pub loss: f64,
    /// The learning rate.
    pub lr: f64,
    /// Why it was not made; `None` if it was.
    pub left_out: Option<LeftOut>,
}

/// Why an update was left out. Except with [`NotFinite::Parameter`], it changed no parameter and no optimizer state.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The samples of its window have no weight.
    NoWeight,
    /// Something was infinite or NaN. If it was a parameter or optimizer state that this update would have written, the four
    /// floats around it kept their values, the others got their update, and no update is made after this one.
    NotFinite(NotFinite),
    /// An earlier update was left out because something was not finite, which ended the training.
    Stopped,
}

impl Update {
    /// Whether it was made, to all parameters.
    pub fn made(&self) -> bool {
        self.left_out.is_none()
    }

    /// Fails if the training diverged at this update.
    ///
    /// # Errors
    /// [`Error::Diverged`] if it was left out because something was not finite.
    pub fn check(&self) -> Result<()> {
        match self.left_out {
            Some(LeftOut::NotFinite(found)) => Err(Error::Diverged { update: self.update, found, suspect: None }),
            _ => Ok(()),
        }
    }
}
