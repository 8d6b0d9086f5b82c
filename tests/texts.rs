//! A line of tokens trains as the same sequences written out do, wherever it lies.

mod common;

use std::ops::ControlFlow;

use accrue::data::{Batch, Elements, Sequences};
use accrue::nn::{Layer, Layers, Model};
use accrue::train::metrics::{Evaluation, evaluate};
use accrue::train::{Event, FitConfig, Settings, Trainer};
use accrue::window::Tail;
use common::{Numbers, bits, gpu};
use serde_json::json;

const CONTEXT: usize = 5;
const KINDS: usize = 11;
const TOKENS: usize = 93;

fn model() -> Model {
    Layers::new()
        .with("embedding", json!({ "num_embeddings": KINDS, "embedding_dim": 8 }))
        .with("positions", json!("learned"))
        .residual(|body| body.with("attention", json!({ "heads": 2, "causal": true })))
        .with("tied", json!("0"))
        .model(&[CONTEXT, 1], "cross_entropy")
        .unwrap()
}

fn tokens() -> Vec<u32> {
    let mut numbers = Numbers::new(5);
    (0..TOKENS).map(|_| numbers.below(KINDS) as u32).collect()
}

fn trainer(micro_batch: usize, stream: bool) -> Trainer {
    let settings = Settings { micro_batch, stream, lr: 0.1, ..Settings::default() };
    Trainer::new(gpu(), &model(), settings).unwrap()
}

/// Losses, parameters and evaluations of a training, all as bits.
#[derive(Debug, PartialEq)]
struct Trained {
    losses: Vec<u64>,
    parameters: Vec<u32>,
    measured: Vec<Vec<u64>>,
}

fn trained(mut trainer: Trainer, fit: &FitConfig) -> Trained {
    let (mut losses, mut measured) = (Vec::new(), Vec::new());
    let numbers = |found: Evaluation| found.metrics.iter().map(|(_, value)| value.to_bits()).collect();
    trainer
        .fit(fit, |event| {
            match event {
                Event::Update { update, .. } => losses.push(update.loss.to_bits()),
                Event::Epoch { validation, .. } => measured.extend(validation.map(numbers)),
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let parameters = trainer.parameters().unwrap();
    Trained { losses, parameters: parameters.values().flat_map(|array| bits(&array.values)).collect(), measured }
}

fn fit<'a>(train: Batch<'a>, validation: Option<Batch<'a>>, shuffle: Option<u64>) -> FitConfig<'a> {
    FitConfig { validation, shuffle, tail: Tail::Carry, ..FitConfig::new(train, 6, 3) }
}

/// Sequences written out: inputs, targets and weights.
fn written(line: &[u32], starts: impl Iterator<Item = usize>, ignore: Option<u32>) -> (Vec<u32>, Vec<u32>, Vec<f32>) {
    let (mut inputs, mut targets, mut weights) = (Vec::new(), Vec::new(), Vec::new());
    for at in starts.flat_map(|start| start..start + CONTEXT) {
        let next = line.get(at + 1).copied().filter(|&token| Some(token) != ignore);
        inputs.push(line.get(at).copied().unwrap_or(0));
        targets.push(next.unwrap_or(0));
        weights.push(f32::from(u8::from(next.is_some())));
    }
    (inputs, targets, weights)
}

#[test]
fn a_line_of_tokens_trains_to_the_bits_of_its_sequences_written_out() {
    let words = tokens();
    let bytes: Vec<u8> = words.iter().map(|&token| token as u8).collect();
    let shorts: Vec<u16> = words.iter().map(|&token| token as u16).collect();
    let lines = [Elements::U8(&bytes), Elements::U16(&shorts), Elements::U32(&words)];
    for ignore in [None, Some(3)] {
        let text = Sequences { ignore, ..Sequences::anywhere(TOKENS, CONTEXT).unwrap() };
        let all = Sequences { ignore, ..Sequences::end_to_end(TOKENS, CONTEXT).unwrap() };
        let (x, y, w) = written(&words, (0..text.epoch).map(|at| at * CONTEXT), ignore);
        let (held_x, held_y, held_w) = written(&words, (0..all.count).map(|at| at * CONTEXT), ignore);
        let train = Batch::classes(Elements::U32(&x), &y).weighted(&w);
        let held = Batch::classes(Elements::U32(&held_x), &held_y).weighted(&held_w);
        let mut wanted = trained(trainer(6, false), &fit(train, Some(held), None));
        // Of classes there are more metrics; accuracy is the first of both.
        wanted.measured.iter_mut().for_each(|found| found.truncate(1));
        assert_eq!((wanted.losses.len(), wanted.measured.len()), ((3 * text.epoch).div_ceil(6), 3));
        for line in lines {
            for (micro_batch, stream) in [(6, false), (4, false), (1, true)] {
                let (train, held) = (Batch::sequences(line, text), Batch::sequences(line, all));
                let mut found = trained(trainer(micro_batch, stream), &fit(train, Some(held), None));
                assert!(found.measured.iter().all(|found| found.len() == 2));
                found.measured.iter_mut().for_each(|found| found.truncate(1));
                assert!(found == wanted, "{ignore:?}, {:?}, {micro_batch}, {stream}", line.element());
            }
        }
    }
}

#[test]
fn each_epoch_of_a_text_begins_somewhere_else() {
    let words = tokens();
    let text = Sequences::anywhere(TOKENS, CONTEXT).unwrap();
    let shuffled = |seed, per_epoch, micro_batch, stream| {
        let train = Batch::sequences(Elements::U32(&words), text.per_epoch(per_epoch));
        trained(trainer(micro_batch, stream), &fit(train, None, seed))
    };
    let wanted = shuffled(Some(1), 99, 6, false);
    assert_eq!(wanted, shuffled(Some(1), 99, 4, false));
    assert_eq!(wanted, shuffled(Some(1), 99, 1, true));
    for (seed, per_epoch) in [(Some(2), 99), (None, 99), (Some(1), 8)] {
        assert_ne!(wanted, shuffled(seed, per_epoch, 6, false), "{seed:?}, {per_epoch}");
    }
    assert_eq!(shuffled(Some(1), 8, 6, false).losses.len(), 4, "three epochs of eight sequences");
}

#[test]
fn a_whole_text_is_measured_token_by_token() {
    let words = tokens();
    let all = Sequences::end_to_end(TOKENS, CONTEXT).unwrap();
    let mut trainer = trainer(4, false);
    let found = trainer.evaluate(&Batch::sequences(Elements::U32(&words), all), None).unwrap();
    let (x, y, w) = written(&words, (0..all.count).map(|at| at * CONTEXT), None);
    let floats: Vec<f32> = x.iter().map(|&token| token as f32).collect();
    let outputs = trainer.predict(&floats).unwrap();
    let wanted = evaluate(&model(), &outputs, &Batch::classes(&floats, &y).weighted(&w), None).unwrap();
    assert_eq!((found.loss, found.metric("accuracy")), (wanted.loss, wanted.metric("accuracy")));
    assert_eq!(w.iter().sum::<f32>(), (TOKENS - 1) as f32);
    assert!((found.metric("perplexity").unwrap() - found.loss.exp()).abs() < 1e-9);
}

#[test]
fn a_text_that_is_not_the_models_is_refused() {
    let words = tokens();
    let mut trainer = trainer(4, false);
    let mut refused = |batch: &Batch| trainer.attach(batch).unwrap_err().to_string();
    let text = |context| Sequences::anywhere(TOKENS, context).unwrap();
    let other = refused(&Batch::sequences(Elements::U32(&words), text(4)));
    assert!(other.contains("sequences of 4 tokens") && other.contains("takes 5 numbers"), "{other}");
    let mut strange = words.clone();
    strange[17] = KINDS as u32;
    let strange = refused(&Batch::sequences(Elements::U32(&strange), text(CONTEXT)));
    assert!(strange.contains("token 17 is 11, but the model has 11"), "{strange}");
    let short = refused(&Batch::sequences(Elements::U32(&words[..20]), text(CONTEXT)));
    assert!(short.contains("do not lie in 20"), "{short}");
    let floats = vec![0.0; TOKENS];
    let floats = refused(&Batch::sequences(Elements::F32(&floats), text(CONTEXT)));
    assert!(floats.contains("tokens are whole numbers"), "{floats}");
    let rows = Model::new(CONTEXT, &[Layer::Linear(KINDS)], "cross_entropy").unwrap();
    let mut rows = Trainer::new(gpu(), &rows, Settings::default()).unwrap();
    let one = rows.attach(&Batch::sequences(Elements::U32(&words), text(CONTEXT))).unwrap_err().to_string();
    assert!(one.contains("has an output at 1 positions"), "{one}");
}
