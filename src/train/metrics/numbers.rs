//! Metrics of numbers.

use serde::Serialize;

use super::Metric;

/// Metrics of one output. RMSE and MAE are in the target's unit.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct NumberMetrics {
    /// The root of the mean squared error.
    pub rmse: f64,
    /// The mean absolute error.
    pub mae: f64,
    /// 1 - squared errors / squared distances from the target's mean. Of a target that never changes: 1 if it was always hit,
    /// otherwise 0.
    pub r2: f64,
}

/// Sums over the rows of one target.
#[derive(Clone, Debug, Default)]
pub(super) struct NumberTally {
    weight: f64,
    mean: f64,
    /// Σ w (t - mean)²
    spread: f64,
    /// Σ w (y - t)²
    squares: f64,
    /// Σ w |y - t|
    distances: f64,
}

impl NumberTally {
    /// Adds a row's output and target. The mean moves along with the rows, after Welford, so that one pass is enough.
    pub fn add(&mut self, y: f64, t: f64, weight: f64) {
        self.weight += weight;
        let away = t - self.mean;
        self.mean += away * (weight / self.weight);
        self.spread += weight * away * (t - self.mean);
        self.squares += weight * (y - t).powi(2);
        self.distances += weight * (y - t).abs();
    }

    fn finish(&self, unit: f64) -> NumberMetrics {
        let NumberTally { weight, spread, squares, distances, .. } = self;
        let hit = f64::from(u8::from(*squares == 0.0));
        NumberMetrics {
            rmse: unit * (squares / weight).sqrt(),
            mae: unit * distances / weight,
            r2: if *spread > 0.0 { 1.0 - squares / spread } else { hit },
        }
    }
}

/// The metrics of all outputs together and of each; `unit` gives the size of each output's unit in the target's own unit.
pub(super) fn finish(tallies: &[NumberTally], unit: Option<&[f64]>) -> (Vec<(&'static str, f64)>, Vec<NumberMetrics>) {
    let size = |column: usize| unit.map_or(1.0, |unit| unit[column]);
    let each: Vec<NumberMetrics> =
        tallies.iter().enumerate().map(|(column, tally)| tally.finish(size(column))).collect();
    let columns = each.len() as f64;
    let mut squares = 0.0;
    for (column, tally) in tallies.iter().enumerate() {
        squares += size(column) * size(column) * tally.squares / tally.weight;
    }
    let (mut mae, mut r2) = (0.0, 0.0);
    for of in &each {
        mae += of.mae;
        r2 += of.r2;
    }
    let metrics = vec![
        (Metric::Rmse.name(), (squares / columns).sqrt()),
        (Metric::Mae.name(), mae / columns),
        (Metric::R2.name(), r2 / columns),
    ];
    (metrics, each)
}
