//! What advances once per update, and what an update does with the gradient of its window before it.

mod common;

use std::ops::ControlFlow;

use accrue::nn::Model;
use accrue::optim::{Adam, Clip, Optimizer, Scaling, Schedule, ScheduleShape, Sgd};
use accrue::train::{Event, Trainer, Update};
use accrue::window::{Batches, Tail};
use common::runs::{Data, Rest, Task, left, parameters, pieces};
use common::{Numbers, distance, gpu};

fn task(rows: usize) -> Task {
    let model = Model::new(5, &[9.into(), "tanh".into(), 2.into()], "mse").unwrap();
    let data = Data::new(&model, rows, &mut Numbers::new(4));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 3, batch: 8, tail: Tail::Flush, shuffle: None, rest: Rest::default() }
}

fn updates(task: &Task, micro_batch: usize) -> Vec<(Update, u32)> {
    let mut updates = Vec::new();
    let mut trainer = task.trainer(gpu(), micro_batch, true);
    let watch = |event| {
        if let Event::Update { update, epoch } = event {
            updates.push((update, epoch));
        }
        ControlFlow::Continue(())
    };
    trainer.fit(&task.fit(), watch).unwrap();
    updates
}

/// Sizes of the windows of `epochs` of `rows` samples each, counted sample by sample: the batch is looked up when a window
/// gets its first one, and never again before it ends.
fn counted(rows: u64, epochs: u64, steps: &[(u64, u32)], by_epoch: bool, tail: Tail) -> Vec<(u32, u32)> {
    let (mut windows, mut open, mut wanted) = (Vec::new(), 0, 0);
    for epoch in 0..epochs {
        for _ in 0..rows {
            if open == 0 {
                let now = if by_epoch { epoch } else { windows.len() as u64 };
                wanted = steps.iter().rev().find(|(from, _)| *from <= now).unwrap().1;
            }
            open += 1;
            if open == wanted {
                windows.push((std::mem::take(&mut open), wanted));
            }
        }
        match tail {
            Tail::Flush if open > 0 => windows.push((std::mem::take(&mut open), wanted)),
            Tail::Drop => open = 0,
            _ => {}
        }
    }
    windows.extend((open > 0).then_some((open, wanted)));
    windows
}

#[test]
fn a_batch_that_changes_does_so_at_a_windows_start_and_the_rate_follows_it() {
    let schedules: [&[(u64, u32)]; 4] = [&[(0, 8), (2, 3)], &[(0, 3), (1, 7), (4, 20)], &[(0, 5), (2, 50)], &[(0, 40)]];
    let shapes = [ScheduleShape::Step { every: 2, factor: 0.5 }, ScheduleShape::Cosine { updates: 9, floor: 0.1 }];
    let mut trained = 0;
    for (at, steps) in schedules.into_iter().enumerate() {
        for tail in [Tail::Flush, Tail::Drop, Tail::Carry] {
            for by_epoch in [false, true] {
                let mut task = task(23);
                task.tail = tail;
                let wanted = counted(23, 3, steps, by_epoch, tail);
                // Where the batch is larger than the data, and what is left is dropped, there is no window.
                if wanted.is_empty() {
                    continue;
                }
                trained += 1;
                let schedule = Schedule { warmup: 2, shape: shapes[at % 2] };
                let scaling = [Scaling::Linear { base: 4 }, Scaling::Sqrt { base: 4 }][at / 2];
                let batches = Some(Batches::new(steps, by_epoch).unwrap());
                task.rest = Rest { schedule, scaling, batches, ..Rest::default() };
                let about = format!("{steps:?} by epoch {by_epoch}, {tail:?}");
                for micro_batch in [50, 2] {
                    let made = updates(&task, micro_batch);
                    let samples: Vec<u32> = made.iter().map(|(update, _)| update.samples).collect();
                    assert_eq!(samples, wanted.iter().map(|w| w.0).collect::<Vec<_>>(), "{about}");
                    for (number, ((update, _), (_, batch))) in made.iter().zip(&wanted).enumerate() {
                        let (number, size) = (number as u64 + 1, f64::from(*batch) / 4.0);
                        let factor = if at < 2 { size } else { size.sqrt() };
                        assert_eq!(update.update, number, "{about}");
                        assert_eq!(update.lr, factor * schedule.lr(0.1, number), "update {number}, {about}");
                    }
                }
            }
        }
    }
    assert_eq!(trained, 4 * 3 * 2 - 2);
}

#[test]
fn a_schedule_counts_updates_tails_included_and_never_micro_batches() {
    let mut task = task(20);
    task.rest.schedule = Schedule { warmup: 2, shape: ScheduleShape::Step { every: 3, factor: 0.5 } };
    for micro_batch in [8, 3, 1] {
        let made = updates(&task, micro_batch);
        let clocks: Vec<(u32, u32, f64)> = made.iter().map(|(u, epoch)| (*epoch, u.samples, u.lr / 0.1)).collect();
        let one = [(1, 8, 0.5), (1, 8, 1.0), (1, 4, 1.0)];
        let more = [(2, 8, 1.0), (2, 8, 1.0), (2, 4, 0.5), (3, 8, 0.5), (3, 8, 0.5), (3, 4, 0.25)];
        assert_eq!(clocks, [&one[..], &more[..]].concat(), "micro-batches of {micro_batch}");
    }
}

/// Parameters in the order of the update kernel's reference, which minds no order.
fn numbers_of(arrays: &accrue::nn::Arrays) -> Vec<f64> {
    arrays.values().flat_map(|array| array.values.iter().map(|&value| f64::from(value))).collect()
}

#[test]
fn a_window_is_clipped_as_its_reference_says_by_norm_by_value_and_by_both() {
    let weights = |numbers: &mut Numbers| Some((0..20).map(|_| 3.0 * numbers.float().abs()).collect::<Vec<f32>>());
    for (norm, value) in [(Some(0.02), None), (Some(100.0), None), (None, Some(0.004)), (Some(0.05), Some(0.01))] {
        for cut in [&[20][..], &[3, 9, 8]] {
            let clip = Clip { norm, value };
            let mut task = task(20);
            (task.sgd, task.lr, task.rest.clip) = (Sgd::default(), 8.0, clip);
            task.data.weights = weights(&mut Numbers::new(8));
            let mut trainer = task.trainer(gpu(), 20, true);
            let before = numbers_of(&trainer.parameters().unwrap());
            trainer.attach(&task.data.all()).unwrap();
            for rows in pieces(20, cut) {
                let samples: Vec<u32> = rows.clone().map(|row| row as u32).collect();
                trainer.schedule(&samples, rows.end == 20).unwrap();
            }
            let sums = numbers_of(&trainer.gradient_sums().unwrap());
            let weight: f64 = task.data.weights.iter().flatten().map(|&weight| f64::from(weight)).sum();
            let mut gradient: Vec<f64> = sums.iter().map(|sum| sum / weight).collect();
            let whole = gradient.clone();
            clip.reference(&mut gradient);
            assert_eq!(gradient != whole, norm != Some(100.0), "{clip:?} is one that shows, or meant not to");
            trainer.schedule_update().unwrap();
            let after = numbers_of(&trainer.parameters().unwrap());
            let steps = before.iter().zip(&after).map(|(before, after)| (before - after) / 8.0);
            let apart = distance(steps, gradient);
            assert!(apart < 1e-5, "{clip:?}, {cut:?}: {apart:e} away");
        }
    }
}

#[test]
fn a_window_without_weight_is_no_update_to_adam() {
    for adam in [Adam::default(), Adam::decoupled(), Adam { betas: (0.5, 0.9), weight_decay: 0.1, ..Adam::default() }] {
        let run = |empty: &[usize], cut: &[usize]| {
            let mut task = task(60);
            task.rest = Rest { adam: Some(adam), clip: Clip { norm: Some(0.1), value: None }, ..Rest::default() };
            let mut nothing = task.data.clone();
            nothing.weights = Some(vec![0.0; 60]);
            nothing.features[3] = f32::INFINITY;
            let mut trainer = task.trainer(gpu(), 20, true);
            let step = |trainer: &mut Trainer, data: &Data, from: usize| {
                for rows in pieces(20, cut) {
                    trainer.micro_step(&data.stretch(from + rows.start..from + rows.end)).unwrap();
                }
                trainer.update().unwrap();
                trainer.finish().unwrap()[0]
            };
            let mut made = Vec::new();
            for window in 0..3 {
                for _ in 0..empty.iter().filter(|&&before| before == window).count() {
                    let before = parameters(&mut trainer);
                    let update = step(&mut trainer, &nothing, 0);
                    assert_eq!((update.made(), update.weight), (false, 0.0));
                    assert_eq!(before, parameters(&mut trainer), "{adam:?}: nothing moves");
                }
                made.push(step(&mut trainer, &task.data, 20 * window));
            }
            left(&mut trainer, made)
        };
        let wanted = run(&[], &[20]);
        for empty in [&[0][..], &[1], &[0, 0, 1, 2, 2]] {
            for cut in [&[20][..], &[3, 17]] {
                assert_eq!(wanted, run(empty, cut), "{}, {adam:?}, empty windows before {empty:?}", adam.name());
            }
        }
    }
}
