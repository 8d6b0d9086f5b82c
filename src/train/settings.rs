//! What a trainer is told, and what it tells of each update.

use crate::nn::Arrays;
use crate::optim::{Clip, Optimizer, Schedule, Sgd};
use crate::plan::ExecutionMode;
use crate::tensor::Element;
use crate::{Error, NotFinite, Result};

/// How a model is trained.
pub struct Settings {
    /// Rows that the GPU holds at once. It decides the memory and the speed, never the result.
    pub micro_batch: usize,
    /// What makes the updates.
    pub optimizer: Box<dyn Optimizer>,
    /// How large the gradient may be.
    pub clip: Clip,
    /// Its learning rate, at full size.
    pub lr: f64,
    /// How the learning rate goes from update to update.
    pub schedule: Schedule,
    /// The weights to start from; without them [`initial`](crate::nn::initial) by `seed`.
    pub start: Option<Arrays>,
    /// For the first weights.
    pub seed: u64,
    /// Whether micro-batches may end at any row of their window. Without it they must be multiples of [`BLOCK`](crate::plan::BLOCK) rows,
    /// but for a window's last, and one copy of the gradients less is kept.
    pub open_blocks: bool,
    /// Whether [`Trainer::fit`](super::Trainer::fit) streams its data from the host's memory, micro-batch by micro-batch, instead
    /// of keeping it on the GPU. Data that the adapter cannot hold is always streamed.
    pub stream: bool,
    /// The type of the features that stay on the GPU, for the planner, which counts their bytes. A trainer takes any.
    pub features: Element,
    /// Which kernels to take, where the network and the adapter allow it. It decides the speed, never the result; without
    /// it the choice follows from both.
    pub kernels: Option<ExecutionMode>,
}

impl Default for Settings {
    fn default() -> Settings {
        Settings {
            micro_batch: 64,
            optimizer: Box::new(Sgd::default()),
            clip: Clip::default(),
            lr: 0.01,
            schedule: Schedule::default(),
            start: None,
            seed: 0,
            open_blocks: true,
            stream: false,
            features: Element::F32,
            kernels: None,
        }
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
    /// The window's loss: Σ_r w_r · loss_r / Σ_r w_r. Not a number when the window had no weight.
    pub loss: f64,
    /// The learning rate.
    pub lr: f64,
    /// Why it was not made, if so.
    pub left_out: Option<LeftOut>,
}

/// Why an update was left out. But for [`NotFinite::Parameter`] nothing was changed by it: no parameter and no moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeftOut {
    /// The samples of its window weigh nothing together.
    NoWeight,
    /// Something was infinite or not a number. If it was a parameter or moment that this update would have made, the four
    /// floats around it stayed as they were, the others got their update, and no update is made after this one.
    NotFinite(NotFinite),
    /// One before it was left out because something was not finite, which ended the training.
    Stopped,
}

impl Update {
    /// Whether it was made, to all parameters.
    pub fn made(&self) -> bool {
        self.left_out.is_none()
    }

    /// Makes an error of an update at which the training diverged.
    ///
    /// # Errors
    /// [`Error::Diverged`] when it was left out because something was not finite.
    pub fn check(&self) -> Result<()> {
        match self.left_out {
            Some(LeftOut::NotFinite(found)) => Err(Error::Diverged { update: self.update, found, suspect: None }),
            _ => Ok(()),
        }
    }
}
