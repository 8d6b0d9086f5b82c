//! Metrics of classes.

use serde::Serialize;

use super::Metric;
use super::auc::Scores;
use super::class_of;

/// The most classes of which the confusion matrix is kept.
const MOST_CONFUSED: usize = 100;

/// Metrics of each class, in the order of the classes. Weights of rows count as often as they say.
#[derive(Clone, Debug, PartialEq)]
pub struct Classes {
    /// Each class by itself.
    pub each: Vec<ClassMetrics>,
    /// The weight of the rows of each class (first index) that were taken for each class (second); up to 100 classes.
    pub confusion: Option<Vec<Vec<f64>>>,
}

/// Metrics of one class.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct ClassMetrics {
    /// The share of rows taken for this class that are of it; 0 if there are none.
    pub precision: f64,
    /// The share of its rows that were taken for it; 0 if there are none.
    pub recall: f64,
    /// 2 · precision · recall / (precision + recall), or 0.
    pub f1: f64,
    /// The weight of its rows: their number, if all weigh 1.
    pub support: f64,
}

/// Sums over the rows so far.
#[derive(Clone, Debug, Default)]
pub(super) struct ClassTally {
    /// Weights by class: of its rows, of the rows taken for it, and of those that are both.
    support: Vec<f64>,
    taken: Vec<f64>,
    right: Vec<f64>,
    /// (class, taken for), if it is kept.
    confusion: Vec<f64>,
    log_loss: f64,
    scores: Scores,
}

impl ClassTally {
    pub fn of(classes: usize) -> ClassTally {
        let zeros = |count: usize| vec![0.0; count];
        let confusion = if classes <= MOST_CONFUSED { zeros(classes * classes) } else { Vec::new() };
        ClassTally {
            support: zeros(classes),
            taken: zeros(classes),
            right: zeros(classes),
            confusion,
            ..ClassTally::default()
        }
    }

    /// Adds a row by its logits.
    pub fn add(&mut self, logits: &[f32], label: u32, weight: f32) {
        let (classes, class, found, w) = (self.support.len(), label as usize, class_of(logits), f64::from(weight));
        self.support[class] += w;
        self.taken[found] += w;
        if found == class {
            self.right[class] += w;
        }
        if !self.confusion.is_empty() {
            self.confusion[class * classes + found] += w;
        }
        self.log_loss += w * log_loss(logits, class);
        self.scores.add(logits, classes, label, weight);
    }

    /// The metrics of rows that weigh so much.
    pub fn finish(&self, weight: f64) -> (Vec<(&'static str, f64)>, Classes) {
        let classes = self.support.len();
        let share = |part: f64, of: f64| if of > 0.0 { part / of } else { 0.0 };
        let class = |class: usize| {
            let (support, taken, right) = (self.support[class], self.taken[class], self.right[class]);
            ClassMetrics {
                precision: share(right, taken),
                recall: share(right, support),
                f1: share(2.0 * right, support + taken),
                support,
            }
        };
        let each: Vec<ClassMetrics> = (0..classes).map(class).collect();
        let occurring = (0..classes).filter(|&class| self.support[class] > 0.0);
        let balanced = mean(occurring.map(|class| each[class].recall));
        let met = (0..classes).filter(|&class| self.support[class] + self.taken[class] > 0.0);
        let f1 = mean(met.map(|class| each[class].f1));
        let mut metrics = vec![
            (Metric::Accuracy.name(), self.right.iter().sum::<f64>() / weight),
            (Metric::BalancedAccuracy.name(), balanced),
            (Metric::F1.name(), f1),
        ];
        metrics.extend(self.scores.area(classes).map(|area| (Metric::Auc.name(), area)));
        metrics.push((Metric::LogLoss.name(), self.log_loss / weight));
        let confusion =
            (!self.confusion.is_empty()).then(|| self.confusion.chunks(classes).map(<[f64]>::to_vec).collect());
        (metrics, Classes { each, confusion })
    }
}

fn mean(values: impl Iterator<Item = f64>) -> f64 {
    let (sum, count) = values.fold((0.0, 0), |(sum, count), value| (sum + value, count + 1));
    sum / f64::from(count)
}

/// -log p of a class.
pub(super) fn log_loss(logits: &[f32], class: usize) -> f64 {
    if let [logit] = logits {
        let against = if class == 1 { -f64::from(*logit) } else { f64::from(*logit) };
        return against.max(0.0) + (-against.abs()).exp().ln_1p();
    }
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &logit| most.max(f64::from(logit)));
    let sum: f64 = logits.iter().map(|&logit| (f64::from(logit) - most).exp()).sum();
    sum.ln() + most - f64::from(logits[class])
}
