//! Whole numbers stay in their own type on the GPU, and train to the bits of floats.

mod common;

use accrue::data::{Batch, Elements, Target};
use accrue::graph::Packing;
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::{Budget, ExecutionMode};
use accrue::tensor::Element;
use accrue::train::{Settings, Trainer, choose_micro_batch};
use common::{Numbers, bits, gpu};

const ROWS: usize = 90;
/// No multiple of what a word holds.
const FEATURES: usize = 7;

struct Data {
    bytes: Vec<u8>,
    shorts: Vec<u16>,
    words: Vec<u32>,
    floats: [Vec<f32>; 3],
    values: Vec<f32>,
    labels: Vec<u32>,
    weights: Vec<f32>,
}

fn data() -> Data {
    let mut numbers = Numbers::new(3);
    let count = ROWS * FEATURES;
    let bytes: Vec<u8> = (0..count).map(|_| numbers.below(256) as u8).collect();
    let shorts: Vec<u16> = (0..count).map(|_| numbers.below(1 << 16) as u16).collect();
    let words: Vec<u32> = (0..count).map(|_| numbers.below((1 << 24) + 1) as u32).collect();
    let floats = [
        bytes.iter().map(|&v| f32::from(v)).collect(),
        shorts.iter().map(|&v| f32::from(v)).collect(),
        words.iter().map(|&v| v as f32).collect(),
    ];
    let values = numbers.floats(2 * ROWS);
    let labels = (0..ROWS).map(|_| numbers.below(2) as u32).collect();
    let weights = (0..ROWS).map(|row| (row % 3) as f32 * 0.5).collect();
    Data { bytes, shorts, words, floats, values, labels, weights }
}

/// The parameters and losses of three windows out of data on the GPU, as bits.
fn trained(batch: &Batch, loss: &str, kernels: ExecutionMode) -> (Vec<u32>, Vec<u64>) {
    let model = Model::new(FEATURES, &[5.into(), "tanh".into(), 2.into()], loss).unwrap();
    let optimizer = Box::new(Sgd { momentum: 0.9, ..Sgd::default() });
    let settings = Settings { micro_batch: 20, optimizer, lr: 1e-3, kernels: Some(kernels), ..Settings::default() };
    let mut trainer = Trainer::new(gpu(), &model, settings).unwrap();
    trainer.attach(batch).unwrap();
    let packed = batch.features.element() != Element::F32;
    let taken = if packed && kernels == ExecutionMode::Windows { ExecutionMode::Fused } else { kernels };
    assert_eq!(trainer.plan().mode(true), taken, "the mode that is told is the one that is taken");
    // In an order of their own, and in micro-batches that end inside blocks.
    let samples: Vec<u32> = (0..ROWS as u32).map(|row| row * 7 % ROWS as u32).collect();
    for window in samples.chunks(30) {
        trainer.schedule_window(window).unwrap();
    }
    let losses = trainer.finish().unwrap().iter().map(|update| update.loss.to_bits()).collect();
    (trainer.parameters().unwrap().into_values().flat_map(|array| bits(&array.values)).collect(), losses)
}

#[test]
fn whole_numbers_on_the_gpu_train_to_the_bits_of_floats_in_every_mode() {
    let data = data();
    let packed = [Elements::from(&data.bytes[..]), Elements::from(&data.shorts[..]), Elements::U32(&data.words)];
    for (features, floats) in packed.into_iter().zip(&data.floats) {
        for (loss, targets) in [("mse", Target::Values(&data.values)), ("cross_entropy", Target::Classes(&data.labels))]
        {
            let of = |features| Batch { features, targets, weights: Some(&data.weights) };
            for mode in [ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Windows] {
                let wanted = trained(&of(Elements::F32(floats)), loss, mode);
                assert_eq!(wanted.1.len(), 3);
                assert!(trained(&of(features), loss, mode) == wanted, "{:?}, {loss}, {mode}", features.element());
            }
        }
    }
}

#[test]
fn the_planner_counts_the_bytes_that_packed_data_takes() {
    let model = Model::new(784, &[10.into()], "cross_entropy").unwrap();
    let bytes = |packing| {
        let settings = Settings { packing, ..Settings::default() };
        let budget = Budget::given(1 << 30);
        choose_micro_batch(gpu(), &model, &settings, 64, 1000, &budget).unwrap().data
    };
    // Features, then label and weight as floats.
    assert_eq!(bytes(Some(Packing::Rows { bits: 8 })), 1000 * (784 + 8));
    assert_eq!(bytes(Some(Packing::Rows { bits: 16 })), 1000 * (2 * 784 + 8));
    assert_eq!(bytes(None), 1000 * 4 * (784 + 4));
    let line = Packing::Line { bits: 16, tokens: 1001, stride: 1, ignore: u32::MAX };
    assert_eq!(bytes(Some(line)), 2 * 1002);
}
