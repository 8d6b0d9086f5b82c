//! Mean and deviation of a metric over several evaluations.

use serde::Serialize;

use crate::train::metrics::{Evaluation, Metric};

/// How a metric spreads over folds.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Spread {
    /// The mean; `None` without numbers.
    pub mean: Option<f64>,
    /// The standard deviation of a sample, by n - 1; `None` for fewer than two numbers.
    pub std: Option<f64>,
    /// The folds in which the metric is a finite number.
    pub folds: usize,
}

impl Spread {
    /// That of a metric over these evaluations.
    pub fn of(evaluations: &[&Evaluation], metric: Metric) -> Spread {
        let values = evaluations.iter().filter_map(|evaluation| evaluation.value(metric));
        let values: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        let count = values.len() as f64;
        let mean = values.iter().sum::<f64>() / count;
        let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
        Spread {
            mean: (count > 0.0).then_some(mean),
            std: (count > 1.0).then(|| (squares / (count - 1.0)).sqrt()),
            folds: values.len(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::Detail;

    #[test]
    fn the_deviation_is_that_of_a_sample_and_folds_without_a_number_do_not_count() {
        let values = [1.0, 2.0, f64::NAN, 3.0, 6.0];
        let evaluations = values.map(|r2| {
            let metrics = vec![(Metric::R2.name(), r2)];
            Evaluation { loss: 0.5, metrics, detail: Detail::Numbers(Vec::new()) }
        });
        let all: Vec<&Evaluation> = evaluations.iter().collect();
        let std = Some((14f64 / 3.0).sqrt());
        assert_eq!(Spread::of(&all, Metric::R2), Spread { mean: Some(3.0), std, folds: 4 });
        assert_eq!(Spread::of(&all, Metric::Loss), Spread { mean: Some(0.5), std: Some(0.0), folds: 5 });
        assert_eq!(Spread::of(&all[..1], Metric::R2), Spread { mean: Some(1.0), std: None, folds: 1 });
        assert_eq!(Spread::of(&all, Metric::Auc), Spread { mean: None, std: None, folds: 0 });
    }
}
