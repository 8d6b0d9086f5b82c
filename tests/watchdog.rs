//! Drivers end work that takes long: no dispatch and no submission does, however slow the adapter is.

mod common;

use std::collections::BTreeMap;

use accrue::gpu::profile::Profile;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::{Adam, Clip, Sgd};
use accrue::plan::ExecutionMode;
use accrue::train::{Event, Settings, Trainer};
use accrue::window::Tail;
use common::Numbers;
use common::runs::{Data, Left, Path, Rest, Task, left, pieces};

/// Times slower than two cores of a CPU: so slow that nothing of the tasks below fits one dispatch as a whole.
const SLOW: f64 = 40_000.0;

fn task(kernels: ExecutionMode, adam: bool) -> Task {
    let model = Model::new(12, &[40.into(), "tanh".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 300, &mut Numbers::new(5));
    let rest = Rest {
        adam: adam.then(Adam::default),
        clip: Clip { norm: adam.then_some(0.5), value: None },
        kernels: Some(kernels),
        ..Rest::default()
    };
    let (batch, tail) = (200, Tail::Carry);
    Task { model, data, sgd: Sgd::default(), lr: 0.1, epochs: 2, batch, tail, shuffle: Some(2), rest }
}

fn timed() -> Gpu {
    Gpu::new(&Choice { timestamps: true, ..Choice::default() }).expect("the tests need an adapter with timestamps")
}

/// What training leaves on an adapter that is taken to be slow, and how many dispatches and submissions it took.
fn slowed(
    gpu: &Gpu,
    task: &Task,
    path: &Path,
    (micro_batch, open_blocks): (usize, bool),
    slow: f64,
) -> (Left, Profile) {
    let stream = matches!(path, Path::Stream(_));
    let settings = Settings { stream, ..task.settings(micro_batch, open_blocks) };
    let mut trainer = Trainer::new(gpu, &task.model, settings).unwrap();
    trainer.pretend_slow(slow);
    trainer.start_profile(100_000).unwrap();
    let mut updates = Vec::new();
    match path {
        Path::MicroStep(cut) => {
            for window in task.windows() {
                let data = task.data.pick(&window);
                pieces(window.len(), cut).for_each(|rows| trainer.micro_step(&data.stretch(rows)).unwrap());
                trainer.update().unwrap();
            }
            updates = trainer.finish().unwrap();
        }
        Path::Schedule(_, _) => {
            trainer.attach(&task.data.all()).unwrap();
            for window in task.windows() {
                trainer.schedule_window(&window).unwrap();
            }
            updates = trainer.finish().unwrap();
        }
        Path::FitConfig(_) | Path::Stream(_) | Path::Resumed(_) => {
            let watch = |event| {
                if let Event::Update { update, .. } = event {
                    updates.push(update);
                }
                std::ops::ControlFlow::Continue(())
            };
            trainer.fit(&task.fit(), watch).unwrap();
        }
    }
    let profile = trainer.finish_profile().unwrap().unwrap();
    (left(&mut trainer, updates), profile)
}

#[test]
fn a_slow_adapter_gets_few_rows_at_once_and_learns_the_same_bits() {
    let gpu = timed();
    for (kernels, adam) in [
        (ExecutionMode::Ops, true),
        (ExecutionMode::Ops, false),
        (ExecutionMode::Fused, true),
        (ExecutionMode::Windows, false),
    ] {
        let task = task(kernels, adam);
        let wanted = Left { then: Vec::new(), ..task.run(common::gpu(), &Path::FitConfig(200)) };
        for path in [
            Path::FitConfig(200),
            Path::Stream(200),
            Path::Schedule(vec![200], true),
            Path::MicroStep(vec![200]),
            Path::MicroStep(vec![90, 3, 107]),
        ] {
            for open_blocks in [true, false] {
                if !open_blocks && matches!(path, Path::MicroStep(_)) {
                    continue;
                }
                let (found, profile) = slowed(&gpu, &task, &path, (200, open_blocks), SLOW);
                let name = format!("{kernels:?}, {path:?}, any cut {open_blocks}");
                assert_eq!(wanted, found, "{name}");
                assert_eq!(profile.left_out, 0, "{name}");
                let least = if open_blocks { 8 } else { 32 };
                keeps_to_the_estimate(&profile, least, &name);
            }
        }
    }
}

#[test]
fn a_dispatch_that_takes_long_whatever_the_rows_goes_in_parts_and_learns_the_same_bits() {
    let gpu = timed();
    let layers = [1400.into(), "relu".into(), 1300.into(), "relu".into(), 5.into()];
    let model = Model::new(1000, &layers, "cross_entropy").unwrap();
    let data = Data::new(&model, 100, &mut Numbers::new(6));
    let clip = Clip { norm: Some(0.5), value: None };
    let rest = Rest { adam: Some(Adam::default()), clip, kernels: Some(ExecutionMode::Ops), ..Rest::default() };
    let (batch, tail) = (64, Tail::Carry);
    let task = Task { model, data, sgd: Sgd::default(), lr: 0.01, epochs: 1, batch, tail, shuffle: Some(2), rest };
    let plan = task.trainer(common::gpu(), 64, true);
    let plan = plan.plan();
    let parts: Vec<(&str, usize)> = plan.steps().map(|step| (step.entry, step.parts.len())).collect();
    for entry in ["forward", "backward_input", "backward_weight", "close", "squares", "update"] {
        assert!(parts.iter().any(|&(name, count)| name == entry && count > 1), "{entry}: {parts:?}");
    }
    let wanted = Left { then: Vec::new(), ..task.run(common::gpu(), &Path::FitConfig(64)) };
    for path in [Path::FitConfig(64), Path::MicroStep(vec![45, 3, 16])] {
        for slow in [20.0, 400.0] {
            let (found, profile) = slowed(&gpu, &task, &path, (64, true), slow);
            assert!(wanted == found, "{path:?}, {slow} times slower");
            let name = |at: usize| profile.kernels[at].label.kernel.as_str();
            let updates = profile.dispatches.iter().filter(|dispatch| name(dispatch.kernel) == "adam.update").count();
            assert!(updates > 2, "{updates} dispatches for two updates");
        }
    }
}

/// No dispatch takes more than 50 ms by estimate, but where fewer rows were too few, and no submission of several 120 ms.
fn keeps_to_the_estimate(profile: &Profile, least: u32, name: &str) {
    let mut submissions: BTreeMap<u64, (f64, usize)> = BTreeMap::new();
    for dispatch in &profile.dispatches {
        let cost = profile.kernels[dispatch.kernel].label.cost;
        let seconds = SLOW * cost.seconds(dispatch.rows);
        assert!(seconds <= 0.05 || dispatch.rows <= least, "{name}: {dispatch:?} takes {seconds} s");
        let (all, count) = submissions.entry(dispatch.submission).or_default();
        (*all, *count) = (*all + seconds, *count + 1);
    }
    let long = submissions.values().find(|&&(seconds, count)| seconds > 0.12 && count > 1);
    assert_eq!(long, None, "{name}");
    let rows = profile.dispatches.iter().map(|dispatch| dispatch.rows).max();
    assert!(rows.is_some_and(|rows| rows < 200), "{name}: something was cut");
    assert!(submissions.len() > 20, "{name}: {} submissions", submissions.len());
}
