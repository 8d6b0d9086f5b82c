//! Locates numbers in a window that are not finite by going through the window once more. This costs nothing as long as
//! training is healthy; and because the window's update was not made, everything is as it was.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::Run;
use crate::train::fit::FitConfig;
use crate::train::trainer::Trainer;
use crate::train::window_state::WindowSettings;
use crate::window::Window;
use crate::{NotFinite, Result, Suspect};

/// Most time spent on finding the row.
const PATIENCE: Duration = Duration::from_secs(10);

impl Run {
    /// The first micro-batch of a window that is not finite by itself, and its first row that is not; no row if it takes
    /// several rows together.
    pub(super) fn suspect(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        window: &Window,
        found: NotFinite,
    ) -> Result<Option<Suspect>> {
        if found == NotFinite::Parameter {
            return Ok(None);
        }
        trainer.caught_up()?;
        let begin = Instant::now();
        let all = window.start..window.start + u64::from(window.rows);
        let pieces = trainer.plan().micro_batch as u64;
        let Some(piece) = self.first_bad(trainer, fit, all, pieces, begin)? else { return Ok(None) };
        let rows = (piece.start - window.start) as u32..(piece.end - window.start) as u32;
        let row = self.first_bad(trainer, fit, piece.clone(), 1, begin)?;
        let sample = row.as_ref().and_then(|_| self.samples.first().copied());
        // If the next row does the same, the row is not at fault.
        let next = row.map_or(0..0, |row| row.end..piece.end.min(row.end + 1));
        let many = self.first_bad(trainer, fit, next, 1, begin)?.is_some();
        Ok(Some(Suspect { rows, sample: sample.filter(|_| !many) }))
    }

    /// The first piece of a stretch of the stream that is not finite as a window by itself.
    fn first_bad(
        &mut self,
        trainer: &mut Trainer,
        fit: &FitConfig,
        stretch: Range<u64>,
        pieces: u64,
        begin: Instant,
    ) -> Result<Option<Range<u64>>> {
        let mut at = stretch.start;
        while at < stretch.end && begin.elapsed() < PATIENCE {
            let piece = at..stretch.end.min(at + pieces);
            trainer.abandon();
            self.micro_step(trainer, fit, piece.clone(), true, WindowSettings::default())?;
            let finite = trainer.window_is_finite();
            trainer.abandon();
            if !finite? {
                return Ok(Some(piece));
            }
            at = piece.end;
        }
        Ok(None)
    }
}
