//! A small language model of characters: attention on sequences of 32, each token with a target of its own.
//!
//! The shape of nanoGPT's smallest tutorial: 2 layers of 2 heads, 64 wide, the embedding's weight used again by the output, AdamW
//! whose decay acts on matrices. 1000 updates of 16 sequences, each in two micro-batches of 8, on *Moby-Dick*; then it writes.
//!
//!     cargo run --release --example text

use std::fs::File;
use std::io::Read;
use std::ops::ControlFlow;
use std::path::Path;

use accrue::Result;
use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{FirstWeights, Layers, Model, probabilities};
use accrue::optim::{Adam, Clip, Decay, Schedule, ScheduleShape};
use accrue::train::{Event, FitConfig, Predictor, Settings, Trainer};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};
use serde_json::json;

/// Tokens of a sequence.
const CONTEXT: usize = 32;
const WIDTH: usize = 64;
const BATCH: usize = 16;
const UPDATES: usize = 1000;

fn main() -> Result<()> {
    let text = read();
    let mut kinds: Vec<char> = text.chars().collect();
    kinds.sort_unstable();
    kinds.dedup();
    let tokens: Vec<u8> = text.chars().filter_map(|c| kinds.binary_search(&c).ok()).map(|at| at as u8).collect();
    let (train, held) = tokens.split_at(tokens.len() * 9 / 10);

    let gpu = Gpu::new(&Choice::default())?;
    let model = model(kinds.len())?;
    println!("{} characters, {} kinds of them, on {}", tokens.len(), kinds.len(), gpu.info().name);
    let settings = Settings {
        micro_batch: BATCH / 2,
        optimizer: Box::new(Adam { betas: (0.9, 0.99), weight_decay: 0.1, ..Adam::decoupled() }),
        decay: Decay::Matrices,
        clip: Clip { norm: Some(1.0), value: None },
        lr: 1e-3,
        schedule: Schedule { warmup: 100, shape: ScheduleShape::Cosine { updates: UPDATES as u64, floor: 0.1 } },
        first_weights: FirstWeights::Gpt2,
        ..Settings::default()
    };
    let mut trainer = Trainer::new(&gpu, &model, settings)?;

    // A sequence anywhere in the text, and for each of its tokens the one that follows.
    let mut random = ChaCha8Rng::seed_from_u64(0);
    let starts: Vec<usize> = (0..BATCH * UPDATES).map(|_| random.random_range(0..train.len() - CONTEXT)).collect();
    let (inputs, targets) = sequences(train, starts.into_iter());
    let fit = FitConfig::new(Batch::classes(&inputs[..], &targets), BATCH as u32, 1);
    trainer.fit(&fit, |event| {
        if let Event::Update { update, .. } = event
            && update.update % 100 == 0
        {
            println!("update {:4}: loss {:.4}", update.update, update.loss);
        }
        ControlFlow::Continue(())
    })?;

    let (inputs, targets) = sequences(held, (0..held.len() - CONTEXT).step_by(CONTEXT));
    let loss = trainer.evaluate(&Batch::classes(&inputs[..], &targets), None)?.loss;
    println!("loss on the last tenth of the text: {loss:.4}, perplexity {:.2}\n", loss.exp());
    let predictor = trainer.predictor(1)?;
    println!("{}", generate(&predictor, &kinds, "Call me", 300, &mut random)?);
    Ok(())
}

fn model(kinds: usize) -> Result<Model> {
    Layers::new()
        .with("embedding", json!({ "num_embeddings": kinds, "embedding_dim": WIDTH }))
        .with("positions", json!("learned"))
        .repeat(2, |block| {
            let attention = json!({ "heads": 2, "causal": true, "bias": false });
            let linear = |outputs: usize| json!({ "out_features": outputs, "bias": false });
            block.residual(|body| body.named("layer_norm").with("attention", attention)).residual(|body| {
                body.named("layer_norm").with("linear", linear(4 * WIDTH)).named("gelu").with("linear", linear(WIDTH))
            })
        })
        .named("layer_norm")
        .with("tied", json!("0"))
        .model(&[CONTEXT, 1], "cross_entropy")
}

/// Sequences that begin at these places, one after the other, and the token behind each of their tokens.
fn sequences(tokens: &[u8], starts: impl Iterator<Item = usize>) -> (Vec<u8>, Vec<u32>) {
    let (mut inputs, mut targets) = (Vec::new(), Vec::new());
    for start in starts {
        inputs.extend(&tokens[start..start + CONTEXT]);
        targets.extend(tokens[start + 1..start + CONTEXT + 1].iter().map(|&token| u32::from(token)));
    }
    (inputs, targets)
}

/// So many characters more, each drawn from the 20 likeliest ones.
fn generate(
    predictor: &Predictor,
    kinds: &[char],
    prompt: &str,
    count: usize,
    random: &mut ChaCha8Rng,
) -> Result<String> {
    let mut text: Vec<usize> = prompt.chars().filter_map(|c| kinds.binary_search(&c).ok()).collect();
    for _ in 0..count {
        // A token sees none behind it, so what stands there does not matter.
        let seen = &text[text.len().saturating_sub(CONTEXT)..];
        let mut input = [0.0; CONTEXT];
        input.iter_mut().zip(seen).for_each(|(input, &token)| *input = token as f32);
        let outputs = predictor.predict(&input)?;
        let logits: Vec<f32> =
            outputs[(seen.len() - 1) * kinds.len()..][..kinds.len()].iter().map(|l| l / 0.8).collect();
        let mut likely: Vec<(usize, f64)> = probabilities(&logits).into_iter().enumerate().collect();
        likely.sort_by(|a, b| b.1.total_cmp(&a.1));
        likely.truncate(20);
        let mut left = random.random_range(0.0..likely.iter().map(|(_, p)| p).sum());
        let drawn = likely.iter().find(|(_, p)| {
            left -= p;
            left <= 0.0
        });
        text.push(drawn.unwrap_or(&likely[0]).0);
    }
    Ok(text.into_iter().map(|token| kinds[token]).collect())
}

fn read() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/moby-dick.txt.gz");
    let mut text = String::new();
    let file = File::open(path).expect("the text is there");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the text is packed by gzip");
    text
}
