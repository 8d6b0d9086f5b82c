//! From a model's outputs to what the report shows of them.

use super::unit_of;
use crate::cli::report::{ClassAnswer, ClassAnswers, MOST_CURVES, NumberAnswers, Said};
use crate::data::{Dataset, Targets};
use crate::nn::ModelFile;
use crate::train::metrics::class_of;

/// What outputs (rows, outputs) say of rows. A row that does not count says nothing.
pub fn said(saved: &ModelFile, rows: &Dataset, outputs: &[f32]) -> Said {
    let weight = |row: usize| rows.weights.as_ref().map_or(1.0, |weights| f64::from(weights[row]));
    let counting = || (0..rows.rows()).filter(|&row| weight(row) != 0.0);
    let width = saved.model.outputs();
    match &rows.targets {
        Targets::Classes { classes, labels, .. } => {
            let answer = |row: usize| {
                let logits = &outputs[row * width..][..width];
                let (class, said) = (labels[row], class_of(logits) as u32);
                ClassAnswer { class, said, weight: weight(row), odds: odds(logits, classes.len()) }
            };
            Said::Classes(ClassAnswers { classes: classes.clone(), rows: counting().map(answer).collect() })
        }
        Targets::Values { names, values } => {
            let target = |(at, name): (usize, &String)| {
                let (mean, std) = unit_of(saved, at);
                let own = |values: &[f32], row: usize| f64::from(values[row * names.len() + at]) * std + mean;
                let rows = counting().map(|row| (own(values, row), own(outputs, row))).collect();
                NumberAnswers { name: name.clone(), rows }
            };
            Said::Numbers(names.iter().enumerate().map(target).collect())
        }
        Targets::Next { .. } => Said::Numbers(Vec::new()),
    }
}

/// The logarithms of the odds: of the second of two classes, of each of a few.
fn odds(logits: &[f32], classes: usize) -> Vec<f64> {
    let logits: Vec<f64> = logits.iter().map(|&logit| f64::from(logit)).collect();
    match logits[..] {
        [logit] => vec![logit],
        [no, yes] => vec![yes - no],
        _ if classes <= MOST_CURVES => (0..classes).map(|class| against_others(&logits, class)).collect(),
        _ => Vec::new(),
    }
}

/// log p / (1 - p)
fn against_others(logits: &[f64], class: usize) -> f64 {
    let others = || logits.iter().enumerate().filter(|&(other, _)| other != class).map(|(_, logit)| *logit);
    let most = others().fold(f64::NEG_INFINITY, f64::max);
    logits[class] - most - others().map(|logit| (logit - most).exp()).sum::<f64>().ln()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn odds_are_those_of_the_probabilities() {
        assert_eq!(odds(&[0.5], 2), [0.5]);
        assert_eq!(odds(&[0.5, 2.0], 2), [1.5]);
        let p = 2f64.exp() / (1.0 + 2f64.exp() + 0.5f64.exp());
        assert!((odds(&[0.0, 2.0, 0.5], 3)[1] - (p / (1.0 - p)).ln()).abs() < 1e-12);
        // Probabilities of 1 in f64 still differ.
        assert!(odds(&[60.0, 0.0, 0.0], 3)[0] > odds(&[50.0, 0.0, 0.0], 3)[0]);
        assert!(odds(&[0.0; 30], 30).is_empty());
    }
}
