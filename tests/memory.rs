//! Known memory, no growth, no stall. ResourceCounts are of a whole device, so each test opens one of its own.

mod common;

use std::ops::ControlFlow;

use accrue::gpu::{Choice, Gpu, ResourceCounts};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::ExecutionMode;
use accrue::train::{Event, FitConfig, Outcome, Trainer};
use accrue::window::Tail;
use common::Numbers;
use common::runs::{Data, Rest, Task};

fn own_gpu() -> Gpu {
    Gpu::new(&Choice::default()).expect("the tests need an adapter")
}

fn task() -> Task {
    let model = Model::new(9, &[33.into(), "silu".into(), 5.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 150, &mut Numbers::new(3));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    Task {
        model,
        data,
        sgd,
        lr: 0.05,
        epochs: 4,
        batch: 48,
        tail: Tail::Carry,
        shuffle: Some(5),
        rest: Rest::default(),
    }
}

/// What is made once and for all.
fn made(counts: ResourceCounts) -> (u64, u64, u64, u64) {
    (counts.buffers, counts.bytes, counts.bind_groups, counts.pipelines)
}

#[test]
fn what_is_allocated_is_what_the_plan_says() {
    let task = task();
    for (micro_batch, open_blocks) in [(1, true), (7, true), (32, false), (64, true), (1000, false)] {
        let gpu = own_gpu();
        let trainer = task.trainer(&gpu, micro_batch, open_blocks);
        let plan = trainer.plan();
        assert_eq!(gpu.counts().bytes, plan.bytes(), "micro-batches of {micro_batch}");
        assert_eq!(gpu.counts().buffers, plan.buffers.len() as u64, "micro-batches of {micro_batch}");
    }
}

#[test]
fn no_buffer_and_no_bind_group_is_made_after_the_first_update() {
    let task = task();
    let gpu = own_gpu();
    let mut trainer = task.trainer(&gpu, 13, true);
    let fit = FitConfig { validation: Some(task.data.stretch(0..40)), ..task.fit() };
    let (mut first, mut updates, mut epochs) = (None, 0, 0);
    let watch = |event| {
        let now = *first.get_or_insert(made(gpu.counts()));
        assert_eq!(now, made(gpu.counts()), "update {updates}");
        match event {
            Event::Update { .. } => updates += 1,
            Event::Epoch { validation, .. } => epochs += u32::from(validation.is_some()),
        }
        ControlFlow::Continue(())
    };
    assert_eq!(trainer.fit(&fit, watch).unwrap(), Outcome::Done);
    assert_eq!((updates, epochs), (13, 4), "600 samples in windows of 48");

    let before = made(gpu.counts());
    for _ in 0..100 {
        for piece in [0..5, 5..18] {
            trainer.micro_step(&task.data.stretch(piece)).unwrap();
        }
        trainer.update().unwrap();
        trainer.schedule(&[3, 1, 4], true).unwrap();
        trainer.schedule_update().unwrap();
        trainer.submit().unwrap();
    }
    trainer.evaluate(&task.data.all(), None).unwrap();
    trainer.parameters().unwrap();
    assert_eq!(trainer.finish().unwrap().len(), 200);
    assert_eq!(before, made(gpu.counts()));
}

#[test]
fn memory_does_not_depend_on_the_accumulation_steps() {
    let peak = |batch: u32| {
        let gpu = own_gpu();
        let mut task = task();
        task.batch = batch;
        task.trainer(&gpu, 8, true).fit(&task.fit(), |_| ControlFlow::Continue(())).unwrap();
        made(gpu.counts())
    };
    let one = peak(8);
    for steps in [2, 5, 18] {
        assert_eq!(one, peak(8 * steps), "{steps} accumulation steps");
    }
}

#[test]
fn trainers_of_one_device_share_their_pipelines() {
    let task = task();
    let gpu = own_gpu();
    task.trainer(&gpu, 4, true).attach(&task.data.all()).unwrap();
    let pipelines = gpu.counts().pipelines;
    for micro_batch in [1, 4, 40] {
        let mut trainer: Trainer = task.trainer(&gpu, micro_batch, true);
        trainer.attach(&task.data.all()).unwrap();
        trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).unwrap();
        assert_eq!(gpu.counts().pipelines, pipelines, "micro-batches of {micro_batch}");
    }
}

#[test]
fn a_planned_slice_is_one_submission_and_nothing_waits_inside_a_window() {
    for kernels in [ExecutionMode::Ops, ExecutionMode::Fused] {
        one_submission(kernels);
    }
}

fn one_submission(kernels: ExecutionMode) {
    let mut task = task();
    task.rest.kernels = Some(kernels);
    let gpu = own_gpu();
    let mut trainer = task.trainer(&gpu, 10, true);
    trainer.attach(&task.data.all()).unwrap();
    let samples: Vec<u32> = (0..150).collect();
    let plan = trainer.plan();
    let (micro_step, update) = (plan.micro_batch_steps(true).len() as u64, plan.update_steps().len() as u64);

    let before = gpu.counts();
    for piece in samples.chunks(10) {
        trainer.schedule(piece, piece.contains(&149)).unwrap();
    }
    trainer.schedule_update().unwrap();
    assert_eq!(before, gpu.counts(), "a plan is made by the host alone");
    trainer.submit().unwrap();
    let after = gpu.counts();
    let written = after.written;
    assert!(written >= before.written + 4 * 150, "the numbers of the samples are written at least");
    let dispatches = before.dispatches + 15 * micro_step + update;
    let wanted = ResourceCounts { submits: before.submits + 1, dispatches, written, ..before };
    assert_eq!(after, wanted, "a window of 15 micro-batches");
    trainer.finish().unwrap();

    // From the host's memory each micro-batch is a slice of its own; closing the open block is one dispatch more.
    let before = gpu.counts();
    for at in 0..3 {
        trainer.micro_step(&task.data.stretch(10 * at..10 * at + 10)).unwrap();
    }
    trainer.update().unwrap();
    let after = gpu.counts();
    let gather = u64::from(kernels == ExecutionMode::Ops);
    let dispatches = before.dispatches + 3 * (micro_step - gather) + 1 + update;
    let wanted = ResourceCounts { submits: before.submits + 4, dispatches, written: after.written, ..before };
    assert_eq!(after, wanted, "three micro-batches and an update");
}
