//! Where in its window a training came to numbers that are not finite. The window is gone through once more, which costs
//! nothing as long as all is well: its update was not made, so that everything is as it was.

use std::ops::Range;
use std::time::{Duration, Instant};

use super::faults::whole;
use super::fit::FitConfig;
use super::run::Run;
use super::trainer::Trainer;
use crate::gpu::encode;
use crate::graph::Resource;
use crate::plan::Stats;
use crate::window::Window;
use crate::{NotFinite, Result, Suspect};

/// Nobody waits longer for the row.
const PATIENCE: Duration = Duration::from_secs(10);

impl Run {
    /// The first micro-batch of a window that is not finite by itself, and its first row of which the same is true. None where it
    /// takes several.
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
        // Where the next row does the same it is no fault of the row's.
        let next = row.map_or(0..0, |row| row.end..piece.end.min(row.end + 1));
        let many = self.first_bad(trainer, fit, next, 1, begin)?.is_some();
        Ok(Some(Suspect { rows, sample: sample.filter(|_| !many) }))
    }

    /// The first piece of a stretch of the stream that is not finite when it is a window by itself.
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
            self.micro_step(trainer, fit, piece.clone(), true)?;
            let finite = is_finite(trainer);
            trainer.abandon();
            if !finite? {
                return Ok(Some(piece));
            }
            at = piece.end;
        }
        Ok(None)
    }
}

/// Whether loss and gradient of the window are, which had its last micro-batch.
fn is_finite(trainer: &mut Trainer) -> Result<bool> {
    trainer.submit()?;
    let program = &trainer.program;
    let gpu = program.gpu();
    let mut encoder = gpu.encoder()?;
    let mut pass = encoder.begin_compute_pass(&wgpu::ComputePassDescriptor::default());
    // What an update begins with: it folds and looks at all gradients.
    let looks = program.plan().folds() + 1;
    encode(gpu, &mut pass, &program.update()[..looks.min(program.update().len())], 0, 0, None);
    drop(pass);
    let (stats, _) = program.at(Resource::Stats)?;
    let stats = gpu.read_after(encoder, stats, Stats::HEADER);
    let stats = stats.and_then(|stats| whole(&stats, trainer.sequence, trainer.marks).map(|()| stats));
    Ok(Stats::of(&trainer.noticed(stats)?).is_finite())
}
