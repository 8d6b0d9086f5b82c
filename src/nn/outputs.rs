//! The meaning of a model's outputs.

/// Softmax of the logits of one row: the probability of each class. With one logit, those of no and yes.
pub fn probabilities(logits: &[f32]) -> Vec<f64> {
    if let [logit] = logits {
        let yes = 1.0 / (1.0 + (-f64::from(*logit)).exp());
        return vec![1.0 - yes, yes];
    }
    let most = logits.iter().fold(f64::NEG_INFINITY, |most, &logit| most.max(f64::from(logit)));
    let powers: Vec<f64> = logits.iter().map(|&logit| (f64::from(logit) - most).exp()).collect();
    let sum: f64 = powers.iter().sum();
    powers.into_iter().map(|power| power / sum).collect()
}
