//! Trials of speed.

use std::time::Instant;

use super::trainer::Trainer;
use crate::Result;
use crate::data::Batch;

/// A trainer whose windows are timed; its weights are discarded.
pub struct SpeedTrial<'a> {
    trainer: Trainer,
    data: &'a Batch<'a>,
    window: Vec<u32>,
    resident: bool,
}

impl<'a> SpeedTrial<'a> {
    /// Trains windows of `batch` rows of the data, which stays on the GPU if the trainer can keep it there.
    ///
    /// # Errors
    /// [`Error::Shape`](crate::Error::Shape) if the data is not the model's.
    pub fn new(mut trainer: Trainer, batch: usize, data: &'a Batch<'a>) -> Result<SpeedTrial<'a>> {
        let samples = trainer.format().check(data)?;
        let mut window = Vec::new();
        trainer.format().order(data, samples, None).extend(0..batch as u64, &mut window);
        let resident = trainer.keep(data)?;
        Ok(SpeedTrial { trainer, data, window, resident })
    }

    /// Whether the data stays on the GPU.
    pub fn resident(&self) -> bool {
        self.resident
    }

    /// Rows of a window.
    pub fn batch(&self) -> usize {
        self.window.len()
    }

    /// Seconds for this many windows, from the first to the results of the last; nothing waits between them.
    ///
    /// # Errors
    /// The errors of [`Trainer::schedule_window`] and of the submission.
    pub fn run(&mut self, windows: usize) -> Result<f64> {
        let start = Instant::now();
        for _ in 0..windows {
            if self.resident {
                self.trainer.schedule_window(&self.window)?;
            } else {
                self.trainer.stream_window(self.data, &self.window)?;
            }
        }
        self.trainer.finish()?;
        Ok(start.elapsed().as_secs_f64())
    }
}
