//! Text that a model writes: token by token, each drawn from what the model expects after those before it.

use std::ops::ControlFlow;

use rand::Rng;

use crate::nn::Model;
use crate::random::{Purpose, stream};
use crate::{Error, Result};

/// How tokens are drawn.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Sampling {
    /// What the logits are divided by: less makes likely tokens likelier, and 0 always takes the likeliest.
    pub temperature: f64,
    /// Only so many of the likeliest tokens are drawn from; of all without it.
    pub top_k: Option<usize>,
    /// The seed.
    pub seed: u64,
}

impl Default for Sampling {
    /// As the model expects them.
    fn default() -> Sampling {
        Sampling { temperature: 1.0, top_k: None, seed: 0 }
    }
}

/// Writes `count` tokens after the `prompt`, and hands each to `told` as soon as it is drawn, which may end it. The model sees the last tokens, as
/// many as its context; `predict` returns its outputs (positions, outputs) for the features of one row. The same model, prompt and
/// sampling give the same tokens on the same adapter.
///
/// # Errors
/// [`Error::Config`] for a temperature that is none; [`Error::Shape`] for a model that does not predict a token at each position, or
/// a prompt that is empty or has other tokens; those of `predict`.
pub fn generate(
    model: &Model,
    sampling: &Sampling,
    prompt: &[u32],
    count: usize,
    mut predict: impl FnMut(&[f32]) -> Result<Vec<f32>>,
    mut told: impl FnMut(u32) -> ControlFlow<()>,
) -> Result<()> {
    let (context, outputs) = (model.inputs, model.outputs());
    check(model, sampling, prompt)?;
    let mut random = stream(sampling.seed, Purpose::Generate, 0);
    let mut seen: Vec<u32> = prompt.to_vec();
    let mut features = vec![0.0; context];
    for _ in 0..count {
        seen.drain(..seen.len().saturating_sub(context));
        // No token sees those behind it, so it does not matter what stands there.
        features.iter_mut().zip(&seen).for_each(|(feature, &token)| *feature = token as f32);
        let logits = predict(&features)?;
        let Some(last) = logits.chunks(outputs).nth(seen.len() - 1) else {
            return Err(Error::Shape { op: "generate", message: format!("{} outputs are too few", logits.len()) });
        };
        // One draw for each token, whether it decides or not.
        let uniform = (random.next_u64() >> 11) as f64 / (1u64 << 53) as f64;
        let token = draw(last, sampling, uniform) as u32;
        if told(token).is_break() {
            break;
        }
        seen.push(token);
    }
    Ok(())
}

impl Sampling {
    /// Fails for a temperature or a number of tokens that is none.
    ///
    /// # Errors
    /// [`Error::Config`].
    pub fn check(&self) -> Result<()> {
        if !(self.temperature.is_finite() && self.temperature >= 0.0) {
            return Err(Error::config("temperature", format!("{}; give a number from 0", self.temperature)));
        }
        match self.top_k {
            Some(0) => Err(Error::config("top_k", "0 tokens to draw from; give 1 or more")),
            _ => Ok(()),
        }
    }
}

fn check(model: &Model, sampling: &Sampling, prompt: &[u32]) -> Result<()> {
    let wrong = |message: String| Err(Error::Shape { op: "generate", message });
    sampling.check()?;
    if model.positions() != model.inputs {
        return wrong("the model does not predict a token at each position".to_owned());
    }
    match prompt.iter().find(|&&token| token as usize >= model.outputs()) {
        Some(token) => wrong(format!("token {token} of the prompt is none of {}", model.outputs())),
        None if prompt.is_empty() => wrong("a prompt has one token at least".to_owned()),
        None => Ok(()),
    }
}

/// The token at this place, from 0 to below 1, of all that may be drawn, the likeliest first; of equally likely ones the first.
fn draw(logits: &[f32], sampling: &Sampling, uniform: f64) -> usize {
    let mut order: Vec<usize> = (0..logits.len()).collect();
    order.sort_by(|&a, &b| logits[b].total_cmp(&logits[a]));
    order.truncate(sampling.top_k.unwrap_or(usize::MAX));
    let Some(&first) = order.first() else { return 0 };
    if sampling.temperature == 0.0 {
        return first;
    }
    let most = f64::from(logits[first]);
    let odds: Vec<f64> =
        order.iter().map(|&token| ((f64::from(logits[token]) - most) / sampling.temperature).exp()).collect();
    let mut left = uniform * odds.iter().sum::<f64>();
    for (&token, odds) in order.iter().zip(&odds) {
        left -= odds;
        if left < 0.0 {
            return token;
        }
    }
    first
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::nn::Layer;
    use serde_json::json;

    /// Five tokens, a context of three.
    fn model() -> Model {
        let layers = [Layer::with("embedding", json!({ "num_embeddings": 5, "embedding_dim": 4 })), Layer::Linear(5)];
        Model::of_shape(&[3, 1], &layers, "cross_entropy").unwrap()
    }

    /// A model that expects the token after the last, and a little the one after that.
    fn next(features: &[f32]) -> Result<Vec<f32>> {
        let logits = |token: usize| (0..5).map(move |c| [2.0, 1.0, -9.0, -9.0, -9.0][(c + 9 - token) % 5]);
        Ok(features.iter().flat_map(|&token| logits(token as usize)).collect())
    }

    fn written(sampling: &Sampling, prompt: &[u32], count: usize) -> Vec<u32> {
        let mut tokens = Vec::new();
        generate(&model(), sampling, prompt, count, next, |token| {
            tokens.push(token);
            ControlFlow::Continue(())
        })
        .unwrap();
        tokens
    }

    #[test]
    fn the_likeliest_token_follows_where_nothing_is_drawn() {
        let cold = Sampling { temperature: 0.0, ..Sampling::default() };
        assert_eq!(written(&cold, &[2], 7), [3, 4, 0, 1, 2, 3, 4]);
        let one = Sampling { top_k: Some(1), ..Sampling::default() };
        assert_eq!(written(&one, &[0, 1, 2, 3, 4], 3), [0, 1, 2]);
    }

    #[test]
    fn a_seed_always_writes_the_same() {
        let two = Sampling { top_k: Some(2), seed: 1, ..Sampling::default() };
        let tokens = written(&two, &[0], 1000);
        assert_eq!(tokens, written(&two, &[0], 1000));
        assert_eq!(tokens[..100], written(&two, &[0], 100));
        assert_ne!(tokens, written(&Sampling { seed: 2, ..two }, &[0], 1000));
        // The odds of the two are e to 1.
        let before = [0].iter().chain(&tokens);
        let likely = before.zip(&tokens).filter(|(before, token)| (*before + 1) % 5 == **token).count();
        assert!((680..780).contains(&likely), "{likely}");
    }

    #[test]
    fn what_cannot_be_written_is_refused() {
        let refused = |sampling: Sampling, prompt: &[u32]| {
            generate(&model(), &sampling, prompt, 1, next, |_| ControlFlow::Break(())).unwrap_err().to_string()
        };
        let plain = Sampling::default();
        assert!(refused(plain, &[]).contains("one token at least"));
        assert!(refused(plain, &[5]).contains("token 5 of the prompt is none of 5"));
        assert!(refused(Sampling { temperature: -1.0, ..plain }, &[0]).starts_with("temperature: -1"));
        assert!(refused(Sampling { top_k: Some(0), ..plain }, &[0]).starts_with("top_k: 0"));
    }
}
