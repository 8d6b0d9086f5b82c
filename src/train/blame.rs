//! Where in its window a training came to numbers that are not finite. The window is gone through once more, which costs
//! nothing as long as all is well: its update was not made, so that everything is as it was.

use super::fit::Fit;
use super::run::Run;
use super::trainer::Trainer;
use crate::window::Window;
use crate::{NotFinite, Result, Suspect};

/// Micro-batches of more rows are not gone through row by row.
const MOST: u64 = 4096;

impl Run {
    /// The first micro-batch of a window after which a sum is not finite, and its first row that comes to that alone.
    pub(super) fn suspect(
        &mut self,
        trainer: &mut Trainer,
        fit: &Fit,
        window: &Window,
        found: NotFinite,
    ) -> Result<Option<Suspect>> {
        if found == NotFinite::Parameter {
            return Ok(None);
        }
        trainer.finish()?;
        trainer.abandon();
        let end = window.start + u64::from(window.rows);
        let (mut at, mut bad) = (window.start, None);
        while at < end && bad.is_none() {
            let stop = end.min(at + trainer.plan().micro_batch as u64);
            self.micro_step(trainer, fit, at..stop, stop == end)?;
            bad = (!is_finite(trainer)?).then_some(at..stop);
            at = stop;
        }
        trainer.abandon();
        let Some(stretch) = bad else { return Ok(None) };
        let rows = (stretch.start - window.start) as u32..(stretch.end - window.start) as u32;
        let mut sample = None;
        let mut at = stretch.start;
        while stretch.end - stretch.start <= MOST && at < stretch.end && sample.is_none() {
            self.micro_step(trainer, fit, at..at + 1, true)?;
            sample = if is_finite(trainer)? { None } else { self.samples.first().copied() };
            trainer.abandon();
            at += 1;
        }
        Ok(Some(Suspect { rows, sample }))
    }
}

/// Whether the sums of the open window are finite so far.
fn is_finite(trainer: &mut Trainer) -> Result<bool> {
    let state = trainer.state()?;
    let arrays = state.gradients.values().chain(state.open_block.values());
    // The sums of the closed blocks and of the open one stand first.
    let sums = state.counts.stats.iter().take(4).map(|&bits| f32::from_bits(bits));
    Ok(sums.chain(arrays.flat_map(|array| array.values.iter().copied())).all(f32::is_finite))
}
