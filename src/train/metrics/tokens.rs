//! Metrics of the tokens of texts.

use super::classes::log_loss;
use super::{Metric, class_of};

/// Sums over the tokens so far.
#[derive(Clone, Debug, Default)]
pub(super) struct TokenTally {
    right: f64,
    log_loss: f64,
}

impl TokenTally {
    /// Adds a token by its logits.
    pub fn add(&mut self, logits: &[f32], token: usize, weight: f64) {
        if class_of(logits) == token {
            self.right += weight;
        }
        self.log_loss += weight * log_loss(logits, token);
    }

    /// The metrics of tokens that weigh so much.
    pub fn finish(&self, weight: f64) -> Vec<(&'static str, f64)> {
        vec![
            (Metric::Accuracy.name(), self.right / weight),
            (Metric::Perplexity.name(), (self.log_loss / weight).exp()),
        ]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_perplexity_of_a_guess_is_the_number_of_tokens() {
        let mut tally = TokenTally::default();
        for token in [0, 1, 2, 4] {
            tally.add(&[0.5; 5], token, 2.0);
        }
        let found = tally.finish(8.0);
        assert_eq!(found[0], ("accuracy", 0.25));
        assert!(found[1].0 == "perplexity" && (found[1].1 - 5.0).abs() < 1e-12, "{found:?}");
    }
}
