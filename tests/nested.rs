//! Layers in layers train on the GPU: the same bits for every cut and every kind of kernels, and the reference's gradients.

mod common;

#[path = "../examples/own_op.rs"]
#[allow(dead_code)]
mod own_op;

use accrue::data::Batch;
use accrue::nn::{Layer, Model, ModelFile, initial};
use accrue::plan::ExecutionMode;
use accrue::train::{Settings, Trainer};
use common::{Numbers, bits, gpu};

const ROWS: usize = 50;

const LAYERS: &str = r#"[
    {"concat": [[3, "tanh"], [], [2]]},
    {"residual": ["tanh", 6, "silu", 9]},
    7,
    {"residual": ["relu", 7]},
    {"residual": {"body": [5, "tanh", 3], "shortcut": [3]}},
    {"repeat": {"times": 2, "layers": [6, "tanh", {"residual": ["layer_norm", 6]}]}},
    2
]"#;

fn model() -> Model {
    let layers: Vec<Layer> = serde_json::from_str(LAYERS).unwrap();
    Model::new(4, &layers, "mse").unwrap()
}

fn trained(micro_batch: usize, kernels: Option<ExecutionMode>) -> (Vec<f64>, Vec<u32>) {
    let mut numbers = Numbers::new(3);
    let (x, y) = (numbers.floats(ROWS * 4), numbers.floats(ROWS * 2));
    let settings = Settings { lr: 0.05, micro_batch, kernels, open_blocks: true, ..Settings::default() };
    let mut trainer = Trainer::new(gpu(), &model(), settings).unwrap();
    let mut losses = Vec::new();
    for _ in 0..4 {
        for (x, y) in x.chunks(micro_batch * 4).zip(y.chunks(micro_batch * 2)) {
            trainer.micro_step(&Batch::values(x, y)).unwrap();
        }
        trainer.update().unwrap();
        losses.push(trainer.finish().unwrap()[0].loss);
    }
    let weights = trainer.parameters().unwrap().values().flat_map(|array| bits(&array.values)).collect();
    (losses, weights)
}

#[test]
fn nested_layers_train_to_the_same_bits_for_every_cut_and_kind_of_kernels() {
    let whole = trained(ROWS, Some(ExecutionMode::Ops));
    assert!(whole.0.windows(2).all(|pair| pair[1] < pair[0]), "{:?}", whole.0);
    for micro_batch in [1, 7, 32, ROWS] {
        for kernels in [None, Some(ExecutionMode::Ops), Some(ExecutionMode::Fused)] {
            assert_eq!(trained(micro_batch, kernels), whole, "{micro_batch} rows at once, {kernels:?}");
        }
    }
}

#[test]
fn the_loss_falls_as_fast_as_its_gradient_says() {
    // With a small rate η, SGD lowers the loss by η |g|², where η g is what the weights moved by.
    let mut numbers = Numbers::new(5);
    let (x, y) = (numbers.floats(ROWS * 4), numbers.floats(ROWS * 2));
    let lr = 1e-3;
    let settings = Settings { lr, micro_batch: ROWS, ..Settings::default() };
    let mut trainer = Trainer::new(gpu(), &model(), settings).unwrap();
    let mut step = || {
        let before = trainer.parameters().unwrap();
        trainer.micro_step(&Batch::values(&x, &y)).unwrap();
        trainer.update().unwrap();
        let loss = trainer.finish().unwrap()[0].loss;
        let after = trainer.parameters().unwrap();
        let moved = |name: &String| before[name].values.iter().zip(&after[name].values).map(|(a, b)| f64::from(a - b));
        (loss, before.keys().flat_map(moved).map(|d| d * d).sum::<f64>() / lr)
    };
    let (first, second) = (step(), step());
    let (fell, wanted) = (first.0 - second.0, (first.1 + second.1) / 2.0);
    assert!((fell - wanted).abs() < 0.01 * wanted, "the loss fell by {fell}, but its gradient says {wanted}");
}

#[test]
fn running_statistics_are_kept_in_layers_of_layers_and_are_no_parameters() {
    let layers = r#"[8, {"residual": [{"batch_norm": 10}, "relu", 8]}, {"repeat": {"times": 2, "layers": [{"batch_norm": 10}]}}, 2]"#;
    let layers: Vec<Layer> = serde_json::from_str(layers).unwrap();
    let model = Model::new(4, &layers, "mse").unwrap();
    let first = initial(&model, 0);
    assert!(first["1.body.0.running_var"].values.iter().all(|&one| one == 1.0));
    let mut numbers = Numbers::new(8);
    let (x, y) = (numbers.floats(ROWS * 4), numbers.floats(ROWS * 2));
    let train = |micro_batch: usize| {
        let settings = Settings { lr: 0.05, micro_batch, ..Settings::default() };
        let mut trainer = Trainer::new(gpu(), &model, settings).unwrap();
        for (x, y) in x.chunks(micro_batch * 4).zip(y.chunks(micro_batch * 2)) {
            trainer.micro_step(&Batch::values(x, y)).unwrap();
        }
        trainer.update().unwrap();
        trainer.finish().unwrap();
        trainer.parameters().unwrap()
    };
    let after = train(10);
    assert_eq!(after, train(ROWS));
    assert_ne!(after["1.body.0.running_mean"], first["1.body.0.running_mean"]);
    assert_ne!(after["2.0.0.running_mean"], after["2.1.0.running_mean"]);
    let learned: u64 = model.summary().iter().map(|layer| layer.parameters).sum();
    assert_eq!(learned, 40 + 16 + 72 + 2 * 16 + 18);

    let saved = ModelFile { arrays: after, ..ModelFile::unnamed(&model) };
    let path = std::env::temp_dir().join(format!("accrue-statistics-{}", std::process::id()));
    saved.write(&path).unwrap();
    let read = ModelFile::read(&path);
    std::fs::remove_file(&path).unwrap();
    assert_eq!(read.unwrap(), saved);
}

#[test]
fn an_op_of_somebodys_own_is_trained_saved_and_read() {
    own_op::main().unwrap();
}
