//! The learning rate over the updates of a run.

use std::f64::consts::PI;

/// The learning rate's course over the updates. Its clock is the update, tails included; never the micro-batch.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Schedule {
    /// Updates in which it rises linearly to its full size; the first has 1/warmup of it.
    pub warmup: u64,
    /// The shape after the warm-up.
    pub shape: ScheduleShape,
}

/// The shape of a [`Schedule`] after its warm-up. `t` counts the updates after it, from 0.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum ScheduleShape {
    /// lr
    #[default]
    Constant,
    /// lr · factorᵏ with k = ⌊t / every⌋
    Step {
        /// Updates between two steps.
        every: u64,
        /// The factor of each step.
        factor: f64,
    },
    /// floor · lr + (1 - floor) · lr · (1 + cos(π t / T)) / 2, where T updates follow the warm-up; then floor · lr
    Cosine {
        /// Updates of the whole run, including the warm-up.
        updates: u64,
        /// The share of lr that is left at the end.
        floor: f64,
    },
    /// lr · (1 - cos(2π · log₂(1 + 15 t / T))) / 2, where T updates follow the warm-up: four waves from 0 to lr and back, each
    /// twice as long as the one before it (Holzmüller, Grinsztajn & Steinwart, *Better by default*, 2024). Then 0.
    Coslog4 {
        /// Updates of the whole run, including the warm-up.
        updates: u64,
    },
}

impl ScheduleShape {
    /// One of each.
    pub const ALL: [ScheduleShape; 4] = [
        ScheduleShape::Constant,
        ScheduleShape::Step { every: 1, factor: 1.0 },
        ScheduleShape::Cosine { updates: 1, floor: 1.0 },
        ScheduleShape::Coslog4 { updates: 1 },
    ];

    /// Its name in a configuration.
    pub fn name(&self) -> &'static str {
        match self {
            ScheduleShape::Constant => "constant",
            ScheduleShape::Step { .. } => "step",
            ScheduleShape::Cosine { .. } => "cosine",
            ScheduleShape::Coslog4 { .. } => "coslog4",
        }
    }
}

impl Schedule {
    /// The learning rate of an update, counted from 1; `lr` is the full learning rate.
    pub fn lr(&self, lr: f64, update: u64) -> f64 {
        if update <= self.warmup {
            return lr * update as f64 / self.warmup as f64;
        }
        let t = update - self.warmup - 1;
        let share = |updates: u64| (t as f64 / updates.saturating_sub(self.warmup).max(1) as f64).min(1.0);
        match self.shape {
            ScheduleShape::Constant => lr,
            ScheduleShape::Step { every, factor } => lr * factor.powf((t / every.max(1)) as f64),
            ScheduleShape::Cosine { updates, floor } => {
                lr * (floor + (1.0 - floor) * (1.0 + (PI * share(updates)).cos()) / 2.0)
            }
            ScheduleShape::Coslog4 { updates } => {
                lr * (0.5 - 0.5 * (2.0 * PI * (1.0 + 15.0 * share(updates)).log2()).cos())
            }
        }
    }
}

/// How the learning rate follows a batch that changes, relative to the batch `base` for which it is meant.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Scaling {
    /// Unchanged.
    #[default]
    None,
    /// By batch / base.
    Linear {
        /// The batch for which the learning rate is meant.
        base: u32,
    },
    /// By √(batch / base).
    Sqrt {
        /// The batch for which the learning rate is meant.
        base: u32,
    },
}

impl Scaling {
    /// One of each.
    pub const ALL: [Scaling; 3] = [Scaling::None, Scaling::Linear { base: 1 }, Scaling::Sqrt { base: 1 }];

    /// Its name in a configuration.
    pub fn name(self) -> &'static str {
        match self {
            Scaling::None => "none",
            Scaling::Linear { .. } => "linear",
            Scaling::Sqrt { .. } => "sqrt",
        }
    }

    /// The factor on the learning rate in windows of `batch`; a short tail counts as a whole one.
    pub fn factor(self, batch: u32) -> f64 {
        match self {
            Scaling::None => 1.0,
            Scaling::Linear { base } => f64::from(batch) / f64::from(base.max(1)),
            Scaling::Sqrt { base } => (f64::from(batch) / f64::from(base.max(1))).sqrt(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all(schedule: Schedule, updates: u64) -> Vec<f64> {
        (1..=updates).map(|update| (schedule.lr(8.0, update) * 1000.0).round() / 1000.0).collect()
    }

    #[test]
    fn a_warm_up_rises_in_equal_steps_to_the_full_rate() {
        let schedule = Schedule { warmup: 4, shape: ScheduleShape::Constant };
        assert_eq!(all(schedule, 6), [2.0, 4.0, 6.0, 8.0, 8.0, 8.0]);
    }

    #[test]
    fn a_step_multiplies_after_so_many_updates() {
        let schedule = Schedule { warmup: 1, shape: ScheduleShape::Step { every: 2, factor: 0.5 } };
        assert_eq!(all(schedule, 6), [8.0, 8.0, 8.0, 4.0, 4.0, 2.0]);
    }

    #[test]
    fn a_cosine_falls_from_the_full_rate_to_its_floor() {
        let schedule = Schedule { warmup: 0, shape: ScheduleShape::Cosine { updates: 4, floor: 0.25 } };
        assert_eq!(all(schedule, 6), [8.0, 7.121, 5.0, 2.879, 2.0, 2.0]);
    }

    #[test]
    fn coslog4_rises_and_falls_four_times_each_time_over_twice_as_many_updates() {
        // With 15 updates, 1 + 15 t is the number of the update: a wave ends where it is a power of two.
        let schedule = Schedule { warmup: 0, shape: ScheduleShape::Coslog4 { updates: 15 } };
        let wanted =
            [0.0, 0.0, 7.443, 0.0, 5.747, 7.443, 2.59, 0.0, 2.071, 5.747, 7.871, 7.443, 5.226, 2.59, 0.665, 0.0, 0.0];
        assert_eq!(all(schedule, 17), wanted);
    }
}
