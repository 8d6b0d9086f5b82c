//! Memory that the driver refuses: every buffer of a training is refused once, and the training ends with the same bits.
//! The refusal is injected; `Gpu::fail_allocation` counts buffers, so each test opens a device of its own.

mod common;

use std::ops::ControlFlow;

use accrue::Error;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::{Adam, Sgd};
use accrue::plan::{BLOCK, Budget, Chosen};
use accrue::train::{Event, Trainer, build, choose_micro_batch, fastest};
use accrue::window::Tail;
use common::runs::{Data, Left, Rest, Task, left};
use common::skip::skip;
use common::{Numbers, held};

const BATCH: usize = 100;

fn task() -> Task {
    let model = Model::new(6, &[20.into(), "gelu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 230, &mut Numbers::new(12));
    let mut rest = Rest { adam: Some(Adam::default()), ..Rest::default() };
    rest.clip.norm = Some(0.5);
    let (batch, tail) = (BATCH as u32, Tail::Carry);
    Task { model, data, sgd: Sgd::default(), lr: 0.01, epochs: 2, batch, tail, shuffle: Some(3), rest }
}

fn own() -> (Gpu, Chosen) {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let task = task();
    let budget = Budget::given(1 << 30);
    let chosen = choose_micro_batch(&gpu, &task.model, &task.settings(1, true), BATCH, 230, &budget).unwrap();
    assert!(chosen.micro_batch == BATCH && chosen.resident);
    (gpu, chosen)
}

fn fitted(task: &Task, trainer: &mut Trainer) -> Left {
    let mut updates = Vec::new();
    let watch = |event| {
        if let Event::Update { update, .. } = event {
            updates.push(update);
        }
        ControlFlow::Continue(())
    };
    trainer.fit(&task.fit(), watch).unwrap();
    left(trainer, updates)
}

#[test]
fn a_refused_buffer_halves_the_micro_batch_or_streams_the_data_and_changes_no_bit() {
    let (task, (gpu, chosen)) = (task(), own());
    let settings = || Ok(task.settings(1, true));
    let (mut trainer, taken) = build(&gpu, &task.model, BATCH, chosen.clone(), settings).unwrap();
    assert_eq!(taken, chosen);
    let buffers = gpu.counts().buffers;
    let wanted = fitted(&task, &mut trainer);
    assert_eq!(gpu.counts().buffers, buffers + 1, "the data is one buffer more");
    assert_eq!(wanted.updates.len(), 5);
    drop(trainer);

    for nth in 1..=buffers + 2 {
        gpu.fail_allocation(nth);
        let before = gpu.counts();
        let (mut trainer, taken) = build(&gpu, &task.model, BATCH, chosen.clone(), settings).unwrap();
        let made = gpu.counts().buffers - before.buffers;
        if nth <= buffers {
            assert_eq!((taken.micro_batch, made), (BLOCK, buffers + nth - 1), "buffer {nth} is refused");
            assert_eq!(taken.why, "the driver refused more");
        } else {
            assert_eq!((&taken, made), (&chosen, buffers), "buffer {nth} is refused");
        }
        assert_eq!(taken.bytes, trainer.plan().bytes() + taken.data, "the bytes are those of what was made");
        assert_eq!(wanted, fitted(&task, &mut trainer), "buffer {nth} is refused");
        // The buffer after all others is the data's: without it, rows come from the host's memory.
        assert_eq!(trainer.data_rows(), if nth == buffers + 1 { 0 } else { 230 }, "buffer {nth} is refused");
        gpu.fail_allocation(0);
    }
}

#[test]
fn a_trainer_that_was_refused_leaves_nothing_behind_and_the_next_one_is_whole() {
    let (task, (gpu, _)) = (task(), own());
    let make = || Trainer::new(&gpu, &task.model, task.settings(40, true));
    let wanted = fitted(&task, &mut make().unwrap());
    let buffers = make().unwrap().plan().buffers.len() as u64;
    let before = held(&gpu);
    if before.is_none() {
        skip("allocator report", "this back end does not say what it holds");
    }
    for nth in 1..=buffers {
        gpu.fail_allocation(nth);
        let error = make().err().unwrap();
        assert!(matches!(&error, Error::Memory(text) if text.contains("no memory left for accrue.")), "{error}");
        assert_eq!(held(&gpu), before, "buffer {nth} is refused");
    }
    assert_eq!(wanted, fitted(&task, &mut make().unwrap()));
}

#[test]
fn a_driver_that_refuses_every_size_ends_in_an_error() {
    let (task, (gpu, chosen)) = (task(), own());
    let attempts = std::cell::Cell::new(0);
    let refused = || {
        gpu.fail_allocation(3);
        attempts.set(attempts.get() + 1);
        Ok(task.settings(1, true))
    };
    let error = build(&gpu, &task.model, BATCH, chosen, refused).err().unwrap();
    assert!(matches!(error, Error::Memory(_)), "{error}");
    assert_eq!(attempts.get(), 7, "100, 32, 16, 8, 4, 2 and 1 rows");
}

#[test]
fn a_trial_of_speed_outlives_refusals_and_streams_data_that_does_not_fit() {
    let (task, (gpu, chosen)) = (task(), own());
    let batch = task.data.all();
    let settings = || Ok(task.settings(1, true));
    let streamed = Chosen { resident: false, data: 0, bytes: chosen.bytes - chosen.data, ..chosen.clone() };
    for (nth, chosen) in [(0, chosen.clone()), (4, chosen.clone()), (20, chosen), (0, streamed)] {
        let before = gpu.counts().bytes;
        gpu.fail_allocation(nth);
        let best = fastest(&gpu, &task.model, BATCH, &chosen, &batch, settings).unwrap();
        assert!(best.micro_batch <= BATCH && best.why.contains("µs a row"), "{best:?}");
        assert!(chosen.resident || gpu.counts().bytes - before <= 3 * chosen.bytes, "no data is put on the GPU");
        let (mut trainer, made) = build(&gpu, &task.model, BATCH, best.clone(), settings).unwrap();
        assert_eq!(made, best);
        fitted(&task, &mut trainer);
    }
}
