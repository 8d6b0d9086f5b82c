//! Work that was handed over and never done: a driver that drops a submission says nothing, and one that stalls says
//! nothing either. Each loss is injected; `Gpu::drop_submission` counts submissions, so each test opens a device of its own.

#[path = "../common/mod.rs"]
mod common;
mod device;
mod drops;
mod parts;
mod stall;

use std::ops::ControlFlow;

use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::ExecutionMode;
use accrue::train::Trainer;
use accrue::window::Tail;
use accrue::{Error, Result};
use common::Numbers;
use common::runs::{Data, Path, Rest, Task};

const MODES: [ExecutionMode; 3] = [ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Windows];

/// Four windows of 48 of 96 rows.
fn task(mode: ExecutionMode) -> Task {
    let model = Model::new(6, &[11.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(11));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let rest = Rest { kernels: Some(mode), ..Rest::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 2, batch: 48, tail: Tail::Flush, shuffle: None, rest }
}

fn own() -> Gpu {
    Gpu::new(&Choice::default()).expect("the tests need an adapter")
}

/// The device is found to be lost, and from then on nothing is given: no parameters, no results, no prediction.
fn stays_lost(about: &str, trainer: &mut Trainer, task: &Task, error: Result<()>) {
    assert!(matches!(error, Err(Error::DeviceLost(_))), "{about}: {error:?}");
    let lost = |what: &str, result: Result<()>| {
        assert!(matches!(result, Err(Error::DeviceLost(_))), "{about}, then {what}: {result:?}");
    };
    lost("parameters", trainer.parameters().map(drop));
    lost("moments", trainer.optimizer_state().map(drop));
    lost("gradient_sums", trainer.gradient_sums().map(drop));
    lost("finished", trainer.finished().map(drop));
    lost("finish", trainer.finish().map(drop));
    lost("ready", trainer.ready().map(drop));
    lost("predict", trainer.predict(&task.data.features).map(drop));
    lost("micro_step", trainer.micro_step(&task.data.stretch(0..4)));
    lost("schedule", trainer.schedule(&[0], false));
    lost("schedule_update", trainer.schedule_update());
    lost("encode", trainer.encode(&mut trainer.gpu().device().create_command_encoder(&Default::default())));
    lost("fit", trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).map(drop));
    lost("set_parameters", trainer.set_parameters(&accrue::nn::initial(&task.model, 1)));
}

/// Three micro-batches out of the host's memory, and the update: four submissions.
fn micro_steps(trainer: &mut Trainer, task: &Task, window: usize) -> Result<()> {
    let start = window % 2 * 48;
    for at in [0, 20, 40] {
        trainer.micro_step(&task.data.stretch(start + at..start + (at + 20).min(48)))?;
    }
    trainer.update()
}

fn rows(window: usize) -> Vec<u32> {
    let start = window as u32 % 2 * 48;
    (start..start + 48).collect()
}

/// A whole window at once.
fn whole(trainer: &mut Trainer, _: &Task, window: usize) -> Result<()> {
    trainer.schedule_window(&rows(window))?;
    trainer.submit()
}

/// The device did nothing wrong but for what was dropped: a new trainer on it trains as on any other.
fn usable(gpu: &Gpu) {
    let task = task(ExecutionMode::Fused);
    let wanted = task.run(common::gpu(), &Path::Schedule(vec![20], true));
    assert_eq!(wanted, task.run(gpu, &Path::Schedule(vec![20], true)));
    assert_eq!(wanted, task.run(gpu, &Path::MicroStep(vec![20])));
}
