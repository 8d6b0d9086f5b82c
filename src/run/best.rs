//! The search for the best epoch, and for how long it may find none.

use serde::{Deserialize, Serialize};

use crate::train::Event;
use crate::train::metrics::Metric;

/// The best epoch by the metrics on the validation rows; of equally good ones the first.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Best {
    /// The epoch, counted from 1.
    pub epoch: u32,
    /// Its last update.
    pub update: u64,
    /// The metric that decides.
    #[serde(default)]
    pub metric: Metric,
    /// Its value on the validation rows.
    #[serde(alias = "loss")]
    pub value: f64,
}

/// The search for the best epoch of a training: it sees every event, and says when no better epoch came for too long. A
/// checkpoint keeps it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Search {
    /// The best epoch so far.
    pub best: Option<Best>,
    /// The last epoch that was validated.
    #[serde(default)]
    epoch: u32,
    /// The epoch from which those without a better one are counted.
    #[serde(default)]
    since: u32,
}

impl Search {
    /// Takes in an event; true after the best epoch so far.
    pub fn saw(&mut self, event: &Event, metric: Metric) -> bool {
        let &Event::Epoch { epoch, update, validation: Some(ref validation), .. } = event else { return false };
        self.epoch = epoch;
        let Some(value) = validation.value(metric) else { return false };
        let is_best = match self.best {
            None => value.is_finite(),
            Some(best) => metric.is_better(value, best.value),
        };
        if is_best {
            self.best = Some(Best { epoch, update, metric, value });
            self.since = epoch;
        }
        is_best
    }

    /// Forgets the best epoch: that of the epochs to come is wanted.
    pub(super) fn forget(&mut self) {
        (self.best, self.since) = (None, self.epoch);
    }

    /// The last epoch, if no better one came for so many, or for one.
    pub fn ran_out(&self, patience: Option<u32>) -> Option<u32> {
        patience.filter(|&patience| self.epoch.saturating_sub(self.since) >= patience.max(1)).map(|_| self.epoch)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::train::metrics::{Detail, Evaluation};

    fn after(epoch: u32, r2: f64) -> Event {
        let metrics = vec![(Metric::R2.name(), r2)];
        let validation = Some(Evaluation { loss: 1.0, metrics, detail: Detail::Numbers(Vec::new()) });
        Event::Epoch { epoch, update: 3 * u64::from(epoch), train_loss: 1.0, validation }
    }

    #[test]
    fn the_first_of_the_best_epochs_is_kept_and_the_epochs_after_it_are_counted() {
        let mut search = Search::default();
        let mut seen = Vec::new();
        for (epoch, r2) in (1..).zip([f64::NAN, 0.1, 0.5, 0.5, f64::NAN, 0.4]) {
            let better = search.saw(&after(epoch, r2), Metric::R2);
            seen.push((better, search.ran_out(Some(2))));
        }
        let over = [None, None, None, None, Some(5), Some(6)];
        assert_eq!(seen, [false, true, true, false, false, false].into_iter().zip(over).collect::<Vec<_>>());
        assert_eq!(search.best, Some(Best { epoch: 3, update: 9, metric: Metric::R2, value: 0.5 }));
        assert_eq!(search.ran_out(None), None);
        search.forget();
        assert_eq!((search.best, search.ran_out(Some(1))), (None, None));
    }

    #[test]
    fn a_metric_that_is_never_there_runs_out_too() {
        let mut search = Search::default();
        assert!((1..4).all(|epoch| !search.saw(&after(epoch, 0.5), Metric::Auc)));
        assert_eq!(search.ran_out(Some(3)), Some(3));
    }

    #[test]
    fn a_checkpoint_of_before_there_were_metrics_to_choose_from_is_read() {
        let search: Search = serde_json::from_str(r#"{"best":{"epoch":7,"update":21,"loss":0.25}}"#).unwrap();
        assert_eq!(search.best, Some(Best { epoch: 7, update: 21, metric: Metric::Loss, value: 0.25 }));
    }
}
