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
use accrue::data::{Batch, Sequences};
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{FirstWeights, Layers, Model};
use accrue::optim::{Adam, Clip, Decay, Schedule, ScheduleShape};
use accrue::train::{Event, FitConfig, Sampling, Settings, Trainer, generate};
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

    // Sequences from all over the text, and for each of their tokens the one that follows.
    let all = Sequences::anywhere(train.len(), CONTEXT)?.per_epoch(BATCH * UPDATES);
    let fit = FitConfig { shuffle: Some(0), ..FitConfig::new(Batch::sequences(train, all), BATCH as u32, 1) };
    trainer.fit(&fit, |event| {
        if let Event::Update { update, .. } = event
            && update.update % 100 == 0
        {
            println!("update {:4}: loss {:.4}", update.update, update.loss);
        }
        ControlFlow::Continue(())
    })?;

    let all = Sequences::end_to_end(held.len(), CONTEXT)?;
    let loss = trainer.evaluate(&Batch::sequences(held, all), None)?.loss;
    println!("loss on the last tenth of the text: {loss:.4}, perplexity {:.2}\n", loss.exp());

    let sampling = Sampling { temperature: 0.8, top_k: Some(20), seed: 0 };
    let prompt: Vec<u32> = "Call me".chars().filter_map(|c| kinds.binary_search(&c).ok()).map(|at| at as u32).collect();
    let (predictor, mut text) = (trainer.predictor(1)?, prompt.clone());
    generate(
        &model,
        &sampling,
        &prompt,
        300,
        |features| predictor.predict(features),
        |token| {
            text.push(token);
            ControlFlow::Continue(())
        },
    )?;
    println!("{}", text.into_iter().map(|token| kinds[token as usize]).collect::<String>());
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

fn read() -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("examples/data/moby-dick.txt.gz");
    let mut text = String::new();
    let file = File::open(path).expect("the text is there");
    flate2::read::GzDecoder::new(file).read_to_string(&mut text).expect("the text is packed by gzip");
    text
}
