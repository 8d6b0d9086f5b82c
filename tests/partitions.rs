//! The batch is for the maths, the micro-batch is for the memory, the bits are the same: on random models, batches,
//! weights, tails and optimizers, however the windows are cut.
//!
//! `ACCRUE_CASES=5000` tries more cases, `ACCRUE_CASE=17` runs one case again.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::process::Command;

use accrue::Error;
use accrue::doctor::updates::factors;
use accrue::graph::TargetKind;
use accrue::nn::{Layer, Model};
use accrue::ops::{activations, losses};
use accrue::optim::{self, Adam, Clip, LrFactors, Scaling, Schedule, ScheduleShape, Sgd};
use accrue::plan::ExecutionMode;
use accrue::window::{Batches, Tail};
use common::runs::{Data, Path, Rest, Task};
use common::{Numbers, gpu};
use serde_json::json;

/// What is tried in a plain `cargo test`.
const CASES: u64 = 120;

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} = {text:?} is not a number")))
}

fn any<T: Copy>(numbers: &mut Numbers, of: &[T]) -> T {
    of[numbers.below(of.len())]
}

/// A model, and the levels of each column that is an index into a table.
fn model(seed: u64, numbers: &mut Numbers) -> (Model, Vec<usize>) {
    let mut layers: Vec<Layer> = Vec::new();
    let inputs = 1 + numbers.below(40);
    // As for a table: learned rows of categories, and a factor for each feature.
    let tables = if numbers.below(4) == 0 { 1 + numbers.below(inputs.min(3)) } else { 0 };
    let tables: Vec<[usize; 2]> = (0..tables).map(|_| [1 + numbers.below(9), 1 + numbers.below(6)]).collect();
    if !tables.is_empty() {
        layers.push(Layer::With([("embedding".to_owned(), json!(tables))].into()));
    }
    if numbers.below(4) == 0 {
        layers.push("scale".into());
    }
    // Mostly one activation, so that kernels that do the whole network can be taken.
    let one = (numbers.below(4) > 0).then(|| any(numbers, &activations()));
    for _ in 0..numbers.below(4) {
        layers.push((1 + numbers.below(40)).into());
        // Every activation comes up, and now and then there is none, or two.
        for _ in 0..any(numbers, if one.is_some() { &[0, 1, 1, 1] } else { &[0, 1, 1, 1, 1, 2] }) {
            layers.push(one.unwrap_or_else(|| any(numbers, &activations())).into());
        }
    }
    layers.push((1 + numbers.below(12)).into());
    let losses = losses();
    let model = Model::new(inputs, &layers, losses[(seed % losses.len() as u64) as usize]).unwrap();
    (model, tables.into_iter().map(|[levels, _]| levels).collect())
}

fn weights(rows: usize, numbers: &mut Numbers) -> Option<Vec<f32>> {
    match numbers.below(4) {
        0 => None,
        1 => Some((0..rows).map(|_| numbers.below(2) as f32).collect()),
        2 => Some((0..rows).map(|_| any(numbers, &[0.0, 0.25, 1.0, 3.0])).collect()),
        _ => Some((0..rows).map(|_| numbers.float().abs()).collect()),
    }
}

fn task(seed: u64, numbers: &mut Numbers) -> Task {
    let (model, levels) = model(seed, numbers);
    let rows = 1 + numbers.below(150);
    let mut data = Data::new(&model, rows, numbers);
    for row in data.features.chunks_mut(model.inputs) {
        let indices = &mut row[model.inputs - levels.len()..];
        indices.iter_mut().zip(&levels).for_each(|(index, &levels)| *index = numbers.below(levels) as f32);
    }
    if model.reads() == TargetKind::Values && numbers.below(4) == 0 {
        data.values.iter_mut().for_each(|value| *value *= 4.0); // beyond Huber's bend
    }
    data.weights = weights(rows, numbers);
    let tail = any(numbers, &[Tail::Flush, Tail::Drop, Tail::Carry]);
    let batch = 1 + numbers.below(if tail == Tail::Drop { rows } else { rows + rows / 2 });
    let momentum = any(numbers, &[0.0, 0.9]);
    let nesterov = momentum > 0.0 && numbers.below(2) == 0;
    let dampening = if nesterov { 0.0 } else { any(numbers, &[0.0, 0.25]) };
    let weight_decay = any(numbers, &[0.0, 0.0, 0.01]);
    let lr_factors = if numbers.below(3) == 0 { factors() } else { LrFactors::default() };
    let label_smoothing = if model.loss == "cross_entropy" { any(numbers, &[0.0, 0.1, 0.7]) } else { 0.0 };
    Task {
        model,
        data,
        sgd: Sgd { momentum, dampening, weight_decay, nesterov },
        lr: any(numbers, &[0.01, 0.05, 0.1]),
        epochs: 1 + numbers.below(3) as u32,
        batch: batch as u32,
        tail,
        shuffle: (numbers.below(2) == 0).then(|| numbers.word()),
        rest: Rest { label_smoothing, lr_factors, ..rest(batch as u32, tail, numbers) },
    }
}

fn rest(batch: u32, tail: Tail, numbers: &mut Numbers) -> Rest {
    let adam = Adam {
        betas: any(numbers, &[(0.9, 0.999), (0.5, 0.9)]),
        weight_decay: any(numbers, &[0.0, 0.01]),
        decoupled: numbers.below(2) == 0,
        ..Adam::default()
    };
    let adam = (numbers.below(2) == 0).then_some(adam);
    let clip = Clip { norm: any(numbers, &[None, None, Some(0.05)]), value: any(numbers, &[None, None, Some(0.01)]) };
    let shape = any(
        numbers,
        &[
            ScheduleShape::Constant,
            ScheduleShape::Step { every: 2, factor: 0.7 },
            ScheduleShape::Cosine { updates: 6, floor: 0.1 },
            ScheduleShape::Coslog4 { updates: 6 },
        ],
    );
    let schedule = Schedule { warmup: any(numbers, &[0, 0, 3]), shape };
    // A quarter of the batch first, so that even sqrt doubles the rate exactly.
    let small = batch.div_ceil(4);
    let changes = if tail == Tail::Drop || numbers.below(2) == 0 {
        None
    } else {
        let at = 1 + numbers.below(3) as u64;
        let steps = [vec![(0, small), (at, 4 * small)], vec![(0, 4 * small), (at, small)]];
        Some(Batches::new(&steps[numbers.below(2)], numbers.below(2) == 0).unwrap())
    };
    let scaling = any(numbers, &[Scaling::None, Scaling::Linear { base: small }, Scaling::Sqrt { base: small }]);
    let scaling = if changes.is_some() { scaling } else { Scaling::None };
    // Any that is listed, now and then: those have settings of their own.
    let kind = numbers.below(optim::ALL.len());
    let listed = (kind, numbers.below((optim::ALL[kind].cases)().len()));
    let listed = (numbers.below(3) == 0).then_some(listed);
    let kernels = Some(ExecutionMode::Ops);
    Rest { adam, listed, clip, schedule, batches: changes, scaling, kernels, ..Rest::default() }
}

/// Sizes of micro-batches: mostly some of any size, now and then all of one row, but only where that is not too long.
fn cut(task: &Task, numbers: &mut Numbers) -> Vec<usize> {
    let few = task.data.rows() * task.epochs as usize <= 120;
    match numbers.below(6) {
        0 if few => vec![1],
        1 => vec![32],
        2 => vec![8 * (1 + numbers.below(12))],
        _ => (0..1 + numbers.below(4))
            .map(|_| 1 + numbers.below(task.batch as usize).max(usize::from(!few) * 3))
            .collect(),
    }
}

/// Tries one case, and says whether it diverged, after which there is nothing to compare.
fn check(seed: u64) -> bool {
    let mut numbers = Numbers::new(seed);
    let mut task = task(seed, &mut numbers);
    let about = format!(
        "{:?}, {} rows in windows of {}, {} epochs, {:?}, shuffle {:?}, {:?}, lr {}, {:?}, weights {:?}",
        task.model,
        task.data.rows(),
        task.batch,
        task.epochs,
        task.tail,
        task.shuffle,
        task.sgd,
        task.lr,
        task.rest,
        task.data.weights
    );
    let whole = task.run(gpu(), &Path::Schedule(vec![task.batches().most() as usize], true));
    let paths = [
        Path::FitConfig(cut(&task, &mut numbers)[0]),
        Path::Stream(cut(&task, &mut numbers)[0]),
        Path::MicroStep(cut(&task, &mut numbers)),
        Path::Schedule(cut(&task, &mut numbers), numbers.below(2) == 0),
        Path::Resumed((0..4).map(|_| (cut(&task, &mut numbers)[0], numbers.below(4) as u32)).collect()),
    ];
    // One that diverges does so at the same update; what a loss that is no number makes of parameters is nobody's promise.
    let diverged = whole.updates.iter().position(|&(_, weight, _, made)| !made && weight != 0).map(|at| at as u64 + 1);
    for path in paths {
        // Whole windows in one kernel take the driver a second to compile.
        let kernels = any(
            &mut numbers,
            &[ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Fused, ExecutionMode::Windows],
        );
        task.rest.kernels = Some(kernels);
        let path = (path, kernels);
        let pieces = match task.try_run(gpu(), &path.0) {
            Err(Error::Diverged { update, .. }) if Some(update) == diverged => continue,
            other => other.unwrap_or_else(|error| panic!("{path:?}: {error}; {about}")),
        };
        let until = diverged.map_or(whole.updates.len(), |update| update as usize - 1);
        assert_eq!(whole.updates[..until], pieces.updates[..until], "the updates by {path:?}; {about}");
        let parts = whole.parameters.iter().zip(&pieces.parameters).position(|(a, b)| a != b);
        assert!(diverged.is_some() || parts.is_none(), "parameter {parts:?} differs by {path:?}; {about}");
        assert!(diverged.is_some() || whole.then == pieces.then, "the optimizer's state differs by {path:?}; {about}");
    }
    diverged.is_some()
}

#[test]
fn any_partition_of_any_windows_of_any_model_gives_the_same_bits() {
    let cases = match variable("ACCRUE_CASE") {
        Some(seed) => seed..seed + 1,
        None => 0..variable("ACCRUE_CASES").unwrap_or(CASES),
    };
    let (mut count, mut diverged) = (0, 0);
    for seed in cases {
        match catch_unwind(AssertUnwindSafe(|| check(seed))) {
            Ok(this) => (count, diverged) = (count + 1, diverged + u64::from(this)),
            Err(_) => panic!("case {seed} fails; run it again with ACCRUE_CASE={seed} cargo test --test partitions"),
        }
    }
    println!("{count} cases, of which {diverged} diverged");
    assert!(
        count < CASES || 10 * diverged < count,
        "{diverged} of {count} cases diverged: too few are compared to their end"
    );
}

/// One number for what some runs leave behind, in the order of everything.
fn fingerprint() -> u64 {
    let mut sum = 0xcbf2_9ce4_8422_2325;
    let mut add = |word: u64| sum = (sum ^ word).wrapping_mul(0x0000_0100_0000_01b3);
    for seed in 0..24 {
        let mut numbers = Numbers::new(seed);
        let task = task(seed, &mut numbers);
        let left = task.run(gpu(), &Path::FitConfig(cut(&task, &mut numbers)[0]));
        left.updates.iter().flat_map(|&(loss, weight, ..)| [loss, weight]).for_each(&mut add);
        left.parameters.iter().chain(&left.then).for_each(|&bits| add(u64::from(bits)));
    }
    sum
}

#[test]
fn the_same_run_twice_gives_the_same_bits() {
    let first = fingerprint();
    println!("bits {first:016x}");
    assert_eq!(first, fingerprint());
}

/// Each child is this binary with one test in it. The variable is Mesa's: its software driver then uses that many threads.
#[test]
fn any_number_of_driver_threads_gives_the_same_bits() {
    let binary = std::env::current_exe().unwrap();
    let bits = |threads: &str| {
        let mut child = Command::new(&binary);
        child.args(["--exact", "the_same_run_twice_gives_the_same_bits", "--nocapture"]);
        let output = child.env("LP_NUM_THREADS", threads).output().unwrap();
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{threads} threads: {text}{}", String::from_utf8_lossy(&output.stderr));
        let at = text.find("bits ").unwrap_or_else(|| panic!("{threads} threads: {text}"));
        text[at..].split_whitespace().nth(1).unwrap().to_owned()
    };
    let here = format!("{:016x}", fingerprint());
    for threads in ["0", "1", "2", "4"] {
        assert_eq!(here, bits(threads), "{threads} threads");
    }
}

#[test]
fn a_window_that_takes_many_submissions_has_the_same_bits() {
    let model = Model::new(3, &[2.into()], "mse").unwrap();
    let data = Data::new(&model, 1300, &mut Numbers::new(2));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let task = Task {
        model,
        data,
        sgd,
        lr: 0.1,
        epochs: 2,
        batch: 1290,
        tail: Tail::Carry,
        shuffle: Some(9),
        rest: Rest::default(),
    };
    let whole = task.run(gpu(), &Path::FitConfig(1290));
    for path in [
        Path::FitConfig(1),
        Path::Stream(100),
        Path::MicroStep(vec![7]),
        Path::Schedule(vec![1], false),
        Path::FitConfig(2000),
    ] {
        assert_eq!(whole, task.run(gpu(), &path), "{path:?}");
    }
}
