//! A profile: every dispatch timed on the GPU, without a change of any bit.

mod common;

use std::ops::ControlFlow;

use accrue::Error;
use accrue::gpu::profile::Profile;
use accrue::gpu::{Choice, Gpu, TIMED};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::ExecutionMode;
use accrue::train::Event;
use accrue::window::Tail;
use common::Numbers;
use common::runs::{Data, Left, Path, Rest, Task, left};

/// A device made for profiles, of a test's own: what it counts is the test's.
fn open() -> Gpu {
    Gpu::new(&Choice { timestamps: true, ..Choice::default() }).expect("the tests need an adapter with timestamps")
}

fn task(epochs: u32) -> Task {
    let model = Model::new(6, &[11.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(11));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let rest = Rest { kernels: Some(ExecutionMode::Ops), ..Rest::default() };
    Task { model, data, sgd, lr: 0.1, epochs, batch: 40, tail: Tail::Flush, shuffle: Some(1), rest }
}

/// Fits under a profiler.
fn profiled(gpu: &Gpu, task: &Task, micro_batch: usize, events: usize) -> (Left, Profile) {
    let mut trainer = task.trainer(gpu, micro_batch, true);
    trainer.start_profile(events).unwrap();
    let mut updates = Vec::new();
    let on_event = |event| {
        if let Event::Update { update, .. } = event {
            updates.push(update);
        }
        ControlFlow::Continue(())
    };
    trainer.fit(&task.fit(), on_event).unwrap();
    let profile = trainer.finish_profile().unwrap().unwrap();
    (left(&mut trainer, updates), profile)
}

fn calls(profile: &Profile, kernel: &str) -> u64 {
    profile.kernels.iter().filter(|k| k.label.kernel == kernel).map(|k| k.calls).sum()
}

#[test]
fn a_profile_times_every_dispatch_and_changes_no_bit() {
    let (gpu, task) = (open(), task(20));
    let before = gpu.counts().dispatches;
    let (was, profile) = profiled(&gpu, &task, 7, 10);
    assert_eq!(profile.calls(), gpu.counts().dispatches - before, "each dispatch once");
    assert_eq!(profile.left_out, 0, "a fit submits no more than can be timed");
    assert_eq!(was, Left { then: Vec::new(), ..task.run(common::gpu(), &Path::FitConfig(7)) });
    assert_eq!(calls(&profile, "momentum.update"), 20 * 3);
    assert!(profile.kernels.iter().all(|kernel| kernel.seconds > 0.0 && kernel.bytes > 0), "{profile:?}");
    assert!(profile.dispatches.len() == 10 && profile.host.len() == 10, "as many as were asked for");
    let measured = profile.kernel_seconds() + profile.gaps + profile.between;
    assert!(measured <= profile.wall && profile.wall < 600.0, "{profile:?}");
}

#[test]
fn what_a_kernel_costs_follows_from_its_rows() {
    let (_, profile) = profiled(&open(), &task(1), 7, 0);
    let layer = profile.kernels.iter().find(|kernel| kernel.label.step == "0 linear forward").unwrap();
    assert_eq!(layer.flops, 2 * 6 * 11 * 96, "each of 96 rows once");
    assert_eq!(layer.bytes, 4 * ((6 + 11) * 96 + (6 * 11 + 11) * layer.calls));
    let update = profile.kernels.iter().find(|kernel| kernel.label.kernel == "momentum.update").unwrap();
    assert_eq!((update.flops, update.calls), (0, 3));
}

#[test]
fn dispatches_that_no_query_is_left_for_are_counted() {
    let (gpu, task) = (open(), task(1));
    let mut trainer = task.trainer(&gpu, 1, true);
    trainer.attach(&task.data.all()).unwrap();
    trainer.start_profile(0).unwrap();
    let before = gpu.counts().dispatches;
    while trainer.has_room(1) {
        trainer.schedule(&[0], false).unwrap();
    }
    trainer.schedule_update().unwrap();
    trainer.submit().unwrap();
    let all = gpu.counts().dispatches - before;
    let profile = trainer.finish_profile().unwrap().unwrap();
    assert!(all > TIMED as u64);
    assert_eq!((profile.calls(), profile.left_out), (TIMED as u64, all - TIMED as u64));
    assert!(trainer.finish_profile().unwrap().is_none(), "it has ended");
}

#[test]
fn a_hosts_own_encoder_is_timed_too() {
    let (gpu, task) = (open(), task(1));
    let host = Gpu::from_host(gpu.device(), gpu.queue()).unwrap();
    let mut trainer = task.trainer(&host, 8, true);
    trainer.attach(&task.data.all()).unwrap();
    trainer.start_profile(0).unwrap();
    for _ in 0..20 {
        trainer.schedule(&[0, 1, 2, 3], true).unwrap();
        trainer.schedule_update().unwrap();
        let mut encoder = host.device().create_command_encoder(&Default::default());
        trainer.encode(&mut encoder).unwrap();
        host.queue().submit([encoder.finish()]);
        trainer.submitted();
    }
    let profile = trainer.finish_profile().unwrap().unwrap();
    assert_eq!((calls(&profile, "momentum.update"), profile.submissions), (20, 20));
}

#[test]
fn a_device_without_timestamps_says_what_to_do() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let mut trainer = task(1).trainer(&gpu, 8, true);
    let buffers = gpu.counts().buffers;
    match trainer.start_profile(0) {
        Err(Error::NoAdapter(message)) => assert!(message.contains("timestamps: true"), "{message}"),
        other => panic!("{other:?}"),
    }
    assert_eq!(gpu.counts().buffers, buffers, "nothing is made");
}
