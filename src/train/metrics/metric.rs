//! The metrics by name, and which way is better.

use serde::{Deserialize, Serialize};

/// A metric of a model on some rows. The names are those of `metrics.jsonl`, of `accrue eval` and of `train.best`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// The loss that the model is trained with.
    #[default]
    Loss,
    /// The share of rows with the right class.
    Accuracy,
    /// The mean recall of the classes that occur.
    BalancedAccuracy,
    /// The mean F1 of the classes that occur or are predicted.
    F1,
    /// The area under the ROC curve; with more than two classes the mean of one class against the others.
    Auc,
    /// The cross entropy without label smoothing, in nats.
    LogLoss,
    /// e to the power of the cross entropy: among how many tokens the model is undecided, of texts.
    Perplexity,
    /// The root of the mean squared error, in the target's unit.
    Rmse,
    /// The mean absolute error, in the target's unit.
    Mae,
    /// The share of the target's variance that is explained.
    R2,
}

/// What a model predicts, as metrics see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Predicted {
    /// One of several classes.
    Classes,
    /// Numbers.
    Numbers,
    /// Each next token of a text.
    Tokens,
}

impl Predicted {
    /// In words.
    pub fn words(self) -> &'static str {
        match self {
            Predicted::Classes => "classes",
            Predicted::Numbers => "numbers",
            Predicted::Tokens => "texts",
        }
    }
}

impl Metric {
    /// All of them; those of classes and those of numbers in the order in which they are shown.
    pub const ALL: [Metric; 10] = [
        Metric::Loss,
        Metric::Accuracy,
        Metric::BalancedAccuracy,
        Metric::F1,
        Metric::Auc,
        Metric::LogLoss,
        Metric::Perplexity,
        Metric::Rmse,
        Metric::Mae,
        Metric::R2,
    ];

    /// Its name, as in `balanced_accuracy`.
    pub fn name(self) -> &'static str {
        match self {
            Metric::Loss => "loss",
            Metric::Accuracy => "accuracy",
            Metric::BalancedAccuracy => "balanced_accuracy",
            Metric::F1 => "f1",
            Metric::Auc => "auc",
            Metric::LogLoss => "log_loss",
            Metric::Perplexity => "perplexity",
            Metric::Rmse => "rmse",
            Metric::Mae => "mae",
            Metric::R2 => "r2",
        }
    }

    /// Whether a target of this kind has it.
    pub fn is_of(self, predicted: Predicted) -> bool {
        match self {
            Metric::Loss => true,
            Metric::Accuracy => predicted != Predicted::Numbers,
            Metric::Perplexity => predicted == Predicted::Tokens,
            Metric::Rmse | Metric::Mae | Metric::R2 => predicted == Predicted::Numbers,
            _ => predicted == Predicted::Classes,
        }
    }

    /// Whether `value` is better than `other`. A value that is not finite is never better, and an equal one is not.
    pub fn is_better(self, value: f64, other: f64) -> bool {
        let lower = matches!(self, Metric::Loss | Metric::LogLoss | Metric::Perplexity | Metric::Rmse | Metric::Mae);
        value.is_finite() && if lower { value < other } else { value > other }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_metric_is_written_by_its_name() {
        for metric in Metric::ALL {
            assert_eq!(serde_json::to_string(&metric).unwrap(), format!("{:?}", metric.name()));
        }
    }

    #[test]
    fn errors_are_better_when_lower_and_shares_when_higher() {
        let lower: Vec<_> = Metric::ALL.into_iter().filter(|metric| metric.is_better(1.0, 2.0)).collect();
        assert_eq!(lower, [Metric::Loss, Metric::LogLoss, Metric::Perplexity, Metric::Rmse, Metric::Mae]);
        for metric in Metric::ALL {
            assert_ne!(metric.is_better(1.0, 2.0), metric.is_better(2.0, 1.0));
            assert!(!metric.is_better(f64::NAN, 2.0) && !metric.is_better(2.0, 2.0), "{}", metric.name());
        }
    }
}
