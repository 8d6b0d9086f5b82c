//! Parameters, optimizer state and gradients on the host.

use super::Trainer;
use crate::graph::{Resource, Span};
use crate::nn::Arrays;
use crate::plan::{BufferRole, Layout};
use crate::{Error, Result};

impl Trainer {
    /// Waits for earlier work and replaces the parameters; the open window and the optimizer's state stay.
    ///
    /// # Errors
    /// [`Error::Config`] naming the array that is missing, superfluous or of another shape than the model's;
    /// [`Error::DeviceLost`] and [`Error::Memory`] if not all parameters arrived: from then on the trainer returns only errors.
    pub fn set_parameters(&mut self, arrays: &Arrays) -> Result<()> {
        self.host.check("parameters")?;
        // Work already scheduled uses the earlier parameters.
        self.submit()?;
        let flat = self.plan().layout.pack(arrays).map_err(|message| Error::config("model.init", message))?;
        let (buffer, _) = self.program.at(Resource::Parameters(self.all()))?;
        let replaced = self.gpu().upload(buffer, bytemuck::cast_slice(&flat));
        self.replaced(replaced)
    }

    /// Waits for all requested work, and returns the parameters under PyTorch's names. They are finite, whatever the data, if
    /// the first parameters were.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] if a requested update was not made, now or earlier.
    pub fn parameters(&mut self) -> Result<Arrays> {
        self.caught_up()?;
        let flat = self.read(Resource::Parameters(self.all()))?;
        Ok(self.plan().layout.unpack(&flat))
    }

    /// Waits for all requested work, and returns the optimizer's state: one map for each of its slots, under the parameters'
    /// names.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn optimizer_state(&mut self) -> Result<Vec<Arrays>> {
        self.caught_up()?;
        if !self.plan().buffers.iter().any(|buffer| buffer.role == BufferRole::Optimizer) {
            return Ok(Vec::new());
        }
        let learned = self.plan().layout.learned_only();
        let flat = self.read(Resource::OptimizerState(learned.all()))?;
        Ok(flat.chunks_exact(learned.floats()).map(|moment| learned.unpack(moment)).collect())
    }

    /// Waits, and returns the open window's gradient sums Σ_r w_r · ∂loss_r/∂θ over its closed blocks; that of a parameter
    /// which is used several times is the sum of its uses' sums, in order.
    ///
    /// # Errors
    /// [`Error::DeviceLost`] after work was lost.
    pub fn gradient_sums(&mut self) -> Result<Arrays> {
        let (mut sums, layout) = (self.sums_of_uses()?, &self.plan().layout);
        let own: Vec<String> = layout.arrays().map(|(name, _)| name.to_owned()).collect();
        for name in own {
            for nth in 2.. {
                let Some(later) = sums.remove(&Layout::name_of_use(&name, nth)) else { break };
                let Some(sum) = sums.get_mut(&name) else { break };
                sum.values.iter_mut().zip(later.values).for_each(|(sum, later)| *sum += later);
            }
        }
        Ok(sums)
    }

    /// The same for each use of a parameter by itself.
    pub(super) fn sums_of_uses(&mut self) -> Result<Arrays> {
        self.all_done()?;
        let flat = self.read(Resource::Gradients(self.plan().all_gradients()))?;
        Ok(self.plan().gradients.unpack(&flat))
    }

    /// Reads a resource that has a buffer of its own.
    pub(super) fn read(&mut self, place: Resource) -> Result<Vec<f32>> {
        let (buffer, bytes) = self.program.at(place)?;
        let flat = self.gpu().read_f32(buffer, (bytes.end / 4) as usize);
        self.ledger.noticed(flat)
    }

    /// Remembers if parameters or state were only partly replaced: what is there now belongs to no training.
    pub(super) fn replaced(&mut self, result: Result<()>) -> Result<()> {
        if let Err(error) = &result {
            self.program.mark_partially_written();
            self.ledger.lose(&format!("parameters or state were replaced in part ({error})"));
        }
        result
    }

    pub(super) fn all(&self) -> Span {
        Span { start: 0, len: (self.plan().layout.floats() / 4) as u32 }
    }
}
