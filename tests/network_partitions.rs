//! As `partitions.rs`, on images and sequences: random networks of convolutions, pools, norms, dropout and branches, or of attention,
//! however the windows are cut; between groups of rows where a layer normalises by groups.
//!
//! `ACCRUE_CASES=500` tries more cases, `ACCRUE_CASE=17` runs one case again.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};

use accrue::nn::{Layer, Model};
use accrue::optim::{Adam, Sgd};
use accrue::plan::{Augment, ExecutionMode};
use accrue::window::Tail;
use common::runs::{Data, Path, Rest, Task};
use common::{Numbers, gpu};
use serde_json::{Value, json};

/// What is tried in a plain `cargo test`.
const CASES: u64 = 24;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} = {text:?} is not a number")))
}

fn any<T: Clone>(numbers: &mut Numbers, of: &[T]) -> T {
    of[numbers.below(of.len())].clone()
}

/// A layer that leaves an image's size as it is, and its channels if `keeps`.
fn same_size(numbers: &mut Numbers, channels: usize, keeps: bool, groups: &[usize]) -> Value {
    let made = if keeps { channels } else { 1 + numbers.below(9) };
    let conv = |extra: Value| {
        let mut table =
            json!({ "channels": made, "kernel": 1 + 2 * (extra == json!(null)) as usize, "padding": "same" });
        if extra != json!(null) {
            table["kernel"] = extra;
        }
        json!({ "conv2d": table })
    };
    match numbers.below(if keeps { 9 } else { 3 }) {
        0 => conv(json!(null)),
        1 => conv(json!([2, 3])),
        2 => conv(json!(1)),
        3 => json!({ "batch_norm": { "group": any(numbers, groups), "running": any(numbers, &["update", "group"]) } }),
        4 => json!({ "group_norm": { "groups": any(numbers, &[1, channels]) } }),
        5 => json!({ "dropout": any(numbers, &[0.2, 0.5]) }),
        6 => json!(any(numbers, &["relu", "gelu", "silu", "layer_norm"])),
        7 => {
            json!({ "conv2d": { "channels": channels, "kernel": 3, "padding": 1, "groups": channels, "bias": false } })
        }
        _ => json!({ "max_pool": { "kernel": 3, "stride": 1, "padding": 1 } }),
    }
}

fn body(numbers: &mut Numbers, channels: usize, groups: &[usize]) -> Vec<Value> {
    (0..1 + numbers.below(3)).map(|_| same_size(numbers, channels, true, groups)).collect()
}

/// A layer that keeps the columns of each token.
fn same_columns(numbers: &mut Numbers, columns: usize, heads: usize) -> Value {
    let linear = |outputs: usize, bias: bool| json!({ "linear": { "out_features": outputs, "bias": bias } });
    match numbers.below(6) {
        0 | 1 => json!({ "attention": {
            "heads": heads,
            "kv_heads": any(numbers, &[1, heads]),
            "causal": numbers.below(2) == 0,
            "bias": numbers.below(2) == 0,
        } }),
        2 => linear(columns, numbers.below(2) == 0),
        3 => json!({ "positions": "learned" }),
        4 => json!({ "dropout": 0.2 }),
        _ => json!(any(numbers, &["gelu", "silu", "layer_norm"])),
    }
}

/// A network of sequences with a target for each token: of tokens, whose embedding may be the last layer too, or of a series.
fn sequence_model(numbers: &mut Numbers) -> Model {
    let tokens = any(numbers, &[1, 2, 5, 9, 31, 33, 70]);
    let heads = any(numbers, &[1, 2]);
    let columns = 4 * heads * (1 + numbers.below(3));
    let of_tokens = numbers.below(3) > 0;
    let (channels, first) = if of_tokens {
        (1, json!({ "embedding": { "num_embeddings": 1 + numbers.below(9), "embedding_dim": columns } }))
    } else {
        (1 + numbers.below(5), json!(columns))
    };
    let mut layers = vec![first];
    for _ in 0..1 + numbers.below(3) {
        let body: Vec<Value> = (0..1 + numbers.below(3)).map(|_| same_columns(numbers, columns, heads)).collect();
        layers.push(match numbers.below(3) {
            0 => json!({ "residual": body }),
            1 => json!({ "repeat": { "times": 2, "layers": [{ "residual": body }] } }),
            _ => same_columns(numbers, columns, heads),
        });
    }
    layers.push(if of_tokens && numbers.below(2) == 0 { json!({ "tied": "0" }) } else { json!(1 + numbers.below(5)) });
    let layers: Vec<Layer> = serde_json::from_value(Value::Array(layers)).unwrap();
    Model::of_shape(&[tokens, channels], &layers, any(numbers, &["mse", "cross_entropy"])).unwrap()
}

/// A network of images; no size of it is round.
fn model(numbers: &mut Numbers, groups: &[usize]) -> Model {
    let shape = [3 + numbers.below(6), 3 + numbers.below(5), any(numbers, &[1, 3, 4])];
    let channels = 2 + numbers.below(7);
    let mut layers = vec![json!({ "conv2d": { "channels": channels, "kernel": 3, "padding": 1 } })];
    for _ in 0..1 + numbers.below(3) {
        layers.push(match numbers.below(5) {
            0 => json!({ "residual": body(numbers, channels, groups) }),
            1 => {
                let shortcut = json!([{ "conv2d": { "channels": channels, "kernel": 1 } }]);
                json!({ "residual": { "body": body(numbers, channels, groups), "shortcut": shortcut } })
            }
            2 => json!({ "repeat": { "times": 2, "layers": body(numbers, channels, groups) } }),
            _ => same_size(numbers, channels, true, groups),
        });
    }
    if numbers.below(3) == 0 {
        layers.push(json!({ "concat": [body(numbers, channels, groups), []] }));
    }
    layers.push(same_size(numbers, channels, false, groups));
    layers.push(any(numbers, &[json!({ "max_pool": 2 }), json!({ "avg_pool": 2 }), json!("relu")]));
    layers.push(any(numbers, &[json!("global_avg_pool"), json!("flatten")]));
    layers.push(json!(1 + numbers.below(5)));
    let layers: Vec<Layer> = serde_json::from_value(Value::Array(layers)).unwrap();
    Model::of_shape(&shape, &layers, any(numbers, &["mse", "cross_entropy"])).unwrap()
}

fn of_images(numbers: &mut Numbers) -> Task {
    let groups = any(numbers, &[vec![2, 4], vec![3], vec![5, 1], vec![64]]);
    let model = model(numbers, &groups);
    let augment = Augment { flip: numbers.below(2) == 0, crop: any(numbers, &[0, 0, 2]) };
    task(model, augment, numbers)
}

fn of_sequences(numbers: &mut Numbers) -> Task {
    task(sequence_model(numbers), Augment::default(), numbers)
}

fn task(model: Model, augment: Augment, numbers: &mut Numbers) -> Task {
    let rows = 4 + numbers.below(40);
    let mut data = Data::new(&model, rows, numbers);
    if model.shape.len() == 2 && model.shape[1] == 1 {
        data.features = (0..data.features.len()).map(|_| numbers.below(10) as f32).collect();
    }
    if numbers.below(3) == 0 {
        let each = any(numbers, &[1, model.positions()]);
        data.weights = Some((0..rows * each).map(|_| any(numbers, &[0.0, 1.0, 2.5])).collect());
    }
    let rest = Rest {
        adam: (numbers.below(2) == 0).then(Adam::default),
        kernels: Some(ExecutionMode::Ops),
        augment,
        ..Rest::default()
    };
    Task {
        model,
        data,
        sgd: Sgd { momentum: 0.9, ..Sgd::default() },
        lr: 0.01,
        epochs: 1 + numbers.below(2) as u32,
        batch: 1 + numbers.below(rows + 5) as u32,
        tail: any(numbers, &[Tail::Flush, Tail::Carry]),
        shuffle: (numbers.below(2) == 0).then(|| numbers.word()),
        rest,
    }
}

/// Sizes of micro-batches that end between groups of rows, or are whole windows.
fn cut(task: &Task, group: usize, numbers: &mut Numbers) -> Vec<usize> {
    let most = (task.batch as usize).div_ceil(group);
    (0..1 + numbers.below(3)).map(|_| group * (1 + numbers.below(most))).collect()
}

fn check(seed: u64, make: fn(&mut Numbers) -> Task) {
    let mut numbers = Numbers::new(1000 + seed);
    let mut task = make(&mut numbers);
    let group = task.model.network(false).unwrap().graph.group();
    let rows = task.data.rows();
    let about = format!("{:?}, {rows} rows in windows of {}, {:?}, {:?}", task.model, task.batch, task.tail, task.rest);
    let whole = task.run(gpu(), &Path::Schedule(vec![task.batch as usize], true));
    assert!(
        whole.updates.iter().all(|&(loss, ..)| f64::from_bits(loss).is_finite() || task.data.weights.is_some()),
        "{about}"
    );
    let size = |numbers: &mut Numbers| cut(&task, group, numbers)[0];
    let sizes: Vec<usize> = (0..6).map(|_| size(&mut numbers)).collect();
    let paths = [
        Path::FitConfig(sizes[0]),
        Path::Stream(sizes[1]),
        Path::MicroStep(cut(&task, group, &mut numbers)),
        Path::Schedule(cut(&task, group, &mut numbers), numbers.below(2) == 0),
        Path::Resumed(sizes[2..].iter().map(|&size| (size, numbers.below(3) as u32)).collect()),
    ];
    for path in paths {
        task.rest.kernels = any(&mut numbers, &[None, Some(ExecutionMode::Ops)]);
        let pieces = task.try_run(gpu(), &path).unwrap_or_else(|error| panic!("{path:?}: {error}; {about}"));
        assert_eq!(whole.updates, pieces.updates, "the updates by {path:?}; {about}");
        let parts = whole.parameters.iter().zip(&pieces.parameters).position(|(a, b)| a != b);
        assert!(parts.is_none(), "parameter {parts:?} differs by {path:?}; {about}");
        assert!(whole.then == pieces.then, "what follows differs by {path:?}; {about}");
    }
}

#[test]
fn any_partition_of_any_windows_of_images_gives_the_same_bits() {
    check_all(of_images);
}

#[test]
fn any_partition_of_any_windows_of_sequences_gives_the_same_bits() {
    check_all(of_sequences);
}

fn check_all(make: fn(&mut Numbers) -> Task) {
    let cases = match variable("ACCRUE_CASE") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("ACCRUE_CASES").unwrap_or(CASES),
    };
    for seed in cases {
        if catch_unwind(AssertUnwindSafe(|| check(seed, make))).is_err() {
            panic!("case {seed} fails; run it again with ACCRUE_CASE={seed} cargo test --test network_partitions");
        }
    }
}
