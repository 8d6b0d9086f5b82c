//! Measures one training at a time, while it trains as `accrue train` does.

use std::ops::ControlFlow;
use std::rc::Rc;
use std::time::Instant;

use serde::Serialize;

use super::data::Data;
use super::workloads::Workload;
use crate::gpu::Gpu;
use crate::plan::needs_open_blocks;
use crate::train::{Event, FitConfig, Settings, Trainer, fixed_micro_batch};
use crate::window::Tail;
use crate::{Error, Result};

/// The warm-up before the clock starts, as a share of the round.
const WARM: f64 = 0.25;

/// Samples over which dispatches and bytes are counted, in whole windows.
const COUNTED: usize = 2048;

/// The operations that this may take, unless a single window takes more.
const COUNTED_FLOP: u64 = 5_000_000_000;

/// A training that is measured round by round.
pub struct Subject {
    /// The workload.
    pub workload: Workload,
    /// Floating-point operations per sample.
    pub flop_per_sample: u64,
    /// Bytes planned on the GPU, including the data.
    pub gpu_bytes: u64,
    data: Rc<Data>,
    trainer: Trainer,
}

/// The cost of a window and its update, counted over some that were submitted together.
pub struct Counted {
    /// Dispatches.
    pub dispatches: f64,
    /// Bytes that the host writes.
    pub bytes: f64,
}

/// The measurements of a round, after its warm-up.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Round {
    /// Seconds.
    pub seconds: f64,
    /// Updates made in that time.
    pub updates: u64,
    /// Command buffers submitted in that time.
    pub submits: u64,
}

impl Subject {
    /// Makes a trainer for a workload.
    ///
    /// # Errors
    /// [`Error::Memory`] if the plan or the data does not fit the adapter.
    pub fn new(gpu: &Gpu, workload: Workload, data: Rc<Data>) -> Result<Subject> {
        let model = &workload.network.model;
        let settings = Settings {
            micro_batch: workload.micro_batch,
            open_blocks: needs_open_blocks(workload.batch(), workload.micro_batch),
            lr: workload.lr,
            ..Settings::default()
        };
        let cut = (settings.micro_batch, settings.open_blocks);
        let chosen = fixed_micro_batch(gpu, model, &settings, cut, workload.rows, None)?;
        if !chosen.resident {
            let message = format!("the data of {} rows does not fit on this adapter; lower --rows", workload.rows);
            return Err(Error::Memory(message));
        }
        let trainer = Trainer::new(gpu, model, settings)?;
        let flop_per_sample = workload.network.flop_per_sample()?;
        Ok(Subject { workload, flop_per_sample, gpu_bytes: chosen.bytes, data, trainer })
    }

    /// Makes some updates and counts the cost of one.
    pub fn count(&mut self) -> Result<Counted> {
        self.trainer.attach(&self.data.batch())?;
        self.trainer.finish()?;
        let before = self.trainer.gpu().counts();
        let window: Vec<u32> = (0..self.workload.batch() as u32).collect();
        let samples = (COUNTED_FLOP / self.flop_per_sample.max(1)).min(COUNTED as u64) as usize;
        let windows = (samples / window.len()).clamp(1, 16);
        for _ in 0..windows {
            self.trainer.schedule_window(&window)?;
        }
        self.trainer.finish()?;
        let after = self.trainer.gpu().counts();
        let each = |all: u64| all as f64 / windows as f64;
        Ok(Counted {
            dispatches: each(after.dispatches - before.dispatches),
            bytes: each(after.written - before.written),
        })
    }

    /// Trains for about this many seconds after the warm-up. `first` is called when the first update has been made.
    pub fn round(&mut self, seconds: f64, mut first: impl FnMut()) -> Result<Round> {
        let gpu = self.trainer.gpu().clone();
        let batch = self.workload.batch() as u32;
        let fit = FitConfig { tail: Tail::Drop, ..FitConfig::new(self.data.batch(), batch, u32::MAX) };
        let mut watch = Watch::new(seconds);
        self.trainer.fit(&fit, |event| match event {
            Event::Update { .. } => {
                if watch.began.is_none() {
                    first();
                }
                watch.update(Instant::now(), gpu.counts().submits)
            }
            Event::Epoch { .. } => ControlFlow::Continue(()),
        })?;
        watch.round().ok_or_else(|| Error::Internal("a round has an end".to_owned()))
    }
}

/// Counts the updates between two moments. Updates are reported in bursts, one per submission, and a burst takes next to no
/// time: so both moments are those of a burst's first update, with equally many submissions in flight.
struct Watch {
    seconds: f64,
    began: Option<Instant>,
    told: u64,
    start: Option<Mark>,
    end: Option<Mark>,
}

#[derive(Clone, Copy)]
struct Mark {
    at: Instant,
    told: u64,
    submits: u64,
}

impl Watch {
    fn new(seconds: f64) -> Watch {
        Watch { seconds, began: None, told: 0, start: None, end: None }
    }

    fn update(&mut self, now: Instant, submits: u64) -> ControlFlow<()> {
        let began = *self.began.get_or_insert(now);
        let mark = Mark { at: now, told: self.told, submits };
        self.told += 1;
        match self.start {
            // The very first update may come from a first submission, in which drivers compile and allocate.
            None if self.told > 1 && (now - began).as_secs_f64() >= WARM * self.seconds => self.start = Some(mark),
            Some(start) if (now - start.at).as_secs_f64() >= self.seconds => {
                self.end = Some(mark);
                return ControlFlow::Break(());
            }
            _ => {}
        }
        ControlFlow::Continue(())
    }

    fn round(&self) -> Option<Round> {
        let (start, end) = (self.start?, self.end?);
        Some(Round {
            seconds: (end.at - start.at).as_secs_f64(),
            updates: end.told - start.told,
            submits: end.submits - start.submits,
        })
    }
}

/// A number measured once per round.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The median.
    pub median: f64,
    /// The minimum.
    pub min: f64,
    /// The maximum.
    pub max: f64,
    /// All, in order of the rounds.
    pub rounds: Vec<f64>,
}

impl Spread {
    /// The spread over the rounds, at least one.
    pub fn of(rounds: impl IntoIterator<Item = f64>) -> Spread {
        let rounds: Vec<f64> = rounds.into_iter().collect();
        let mut sorted = rounds.clone();
        sorted.sort_by(f64::total_cmp);
        let (low, high) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        Spread { median: (low + high) / 2.0, min: sorted[0], max: sorted[sorted.len() - 1], rounds }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_median_is_in_the_middle_of_odd_and_even_rounds() {
        let spread = Spread::of([3.0, 1.0, 2.0]);
        assert_eq!((spread.median, spread.min, spread.max), (2.0, 1.0, 3.0));
        assert_eq!(spread.rounds, [3.0, 1.0, 2.0]);
        assert_eq!(Spread::of([4.0, 1.0]).median, 2.5);
    }

    #[test]
    fn a_round_counts_whole_submissions_between_two_bursts() {
        // Submissions of 8 updates every 100 ms, reported within 8 µs: 80 updates per second, wherever the round starts.
        let (zero, mut watch) = (Instant::now(), Watch::new(1.0));
        for update in 0..1000 {
            let now = zero + Duration::from_millis(update / 8 * 100) + Duration::from_micros(update % 8);
            if watch.update(now, 3 + update / 8).is_break() {
                break;
            }
        }
        let round = watch.round().unwrap();
        assert_eq!((round.updates, round.submits), (80, 10));
        assert!((round.seconds - 1.0).abs() < 1e-9);
    }
}
