//! Whole submissions that are dropped.

use std::ops::ControlFlow;

use accrue::plan::ExecutionMode;
use accrue::train::{Settings, Trainer};
use accrue::{Error, Result};
use common::runs::Task;

use crate::*;

/// How a window of 48 rows is handed over, in so many submissions.
type Window = fn(&mut Trainer, &Task, usize) -> Result<()>;

/// Two submissions of micro-batches only, and one of a micro-batch and the update.
fn schedules(trainer: &mut Trainer, _: &Task, window: usize) -> Result<()> {
    for piece in rows(window).chunks(20) {
        trainer.submit()?;
        trainer.schedule(piece, piece.len() < 20)?;
    }
    trainer.schedule_update()?;
    trainer.submit()
}

/// Three windows at once, so that every submission has several updates.
fn several(trainer: &mut Trainer, _: &Task, window: usize) -> Result<()> {
    for at in 0..3 {
        trainer.schedule_window(&rows(window + at))?;
    }
    trainer.submit()
}

#[test]
fn fifty_of_fifty_dropped_submissions_are_found_at_the_end_of_their_window() {
    let gpu = own();
    let ways: [(&str, Window, usize, &[ExecutionMode]); 4] = [
        ("micro_step", micro_steps, 4, &MODES[..2]),
        ("schedule", schedules, 3, &MODES),
        ("whole windows", whole, 1, &MODES),
        ("three windows at once", several, 1, &MODES),
    ];
    let (mut dropped, mut found) = (0, 0);
    for (name, window, submissions, mode) in ways {
        for &mode in mode {
            let task = task(mode);
            for at in 0..submissions * 4 {
                // The first windows, and those after the staging buffers went round.
                let about = format!("{name}, {mode}: submission {at}");
                let mut trainer = task.trainer(&gpu, 20, true);
                assert_eq!(trainer.plan().mode(true), mode);
                trainer.attach(&task.data.all()).unwrap();
                gpu.drop_submission(at as u64 + 1);
                for number in 0..=at / submissions {
                    let done = window(&mut trainer, &task, number).and_then(|()| trainer.finish().map(drop));
                    if number < at / submissions {
                        done.unwrap_or_else(|error| panic!("{about}: {error}"));
                        continue;
                    }
                    dropped += 1;
                    found += usize::from(matches!(done, Err(Error::DeviceLost(_))));
                    stays_lost(&about, &mut trainer, &task, done);
                }
            }
        }
    }
    println!("{found} of {dropped} dropped submissions were found");
    assert_eq!((dropped, found), (2 * 16 + 3 * (12 + 4 + 4), 2 * 16 + 3 * 20));
    assert!(found >= 50);
    usable(&gpu);
}

#[test]
fn windows_that_go_on_after_a_drop_change_no_parameter_before_it_is_found() {
    let gpu = own();
    for mode in MODES {
        let task = task(mode);
        // The first window's last micro-batch, its update, and the second window's first micro-batch.
        for (at, made) in [(3, 0), (4, 0), (5, 1)] {
            let mode = if mode == ExecutionMode::Windows { ExecutionMode::Fused } else { mode };
            let mut trainer = task.trainer(&gpu, 20, true);
            let predictor = trainer.predictor(96).unwrap();
            let outputs = |trainers: usize| {
                let mut clean = task.trainer(&gpu, 20, true);
                (0..trainers).for_each(|window| micro_steps(&mut clean, &task, window).unwrap());
                clean.predict(&task.data.features).unwrap()
            };
            let wanted = outputs(made);
            gpu.drop_submission(at);
            let error = (0..4).try_for_each(|window| micro_steps(&mut trainer, &task, window));
            let error = error.and_then(|()| trainer.finish().map(drop));
            assert!(matches!(error, Err(Error::DeviceLost(_))), "{mode}, submission {at}: {error:?}");
            // A predictor reads the trainer's own parameters.
            let ours = predictor.predict(&task.data.features).unwrap();
            assert!(common::bits(&ours) == common::bits(&wanted), "{mode}, submission {at}");
        }
    }
}

#[test]
fn neither_parameters_nor_outputs_are_given_when_an_update_or_their_own_submission_was_dropped() {
    let gpu = own();
    for mode in MODES {
        let task = task(mode);
        let reads: [fn(&mut Trainer, &Task) -> Result<()>; 3] = [
            |trainer, _| trainer.parameters().map(drop),
            |trainer, _| trainer.optimizer_state().map(drop),
            |trainer, task| trainer.predict(&task.data.features).map(drop),
        ];
        for read in reads {
            for dropped in [1, 2] {
                let mut trainer = task.trainer(&gpu, 20, true);
                trainer.attach(&task.data.all()).unwrap();
                gpu.drop_submission(dropped);
                whole(&mut trainer, &task, 0).unwrap();
                let read = read(&mut trainer, &task);
                stays_lost(&format!("{mode}, submission {dropped}"), &mut trainer, &task, read);
            }
        }
        // The gradients of a window that is open.
        let mut trainer = task.trainer(&gpu, 20, true);
        gpu.drop_submission(2);
        trainer.micro_step(&task.data.stretch(0..20)).unwrap();
        trainer.micro_step(&task.data.stretch(20..40)).unwrap();
        let sums = trainer.gradient_sums().map(drop);
        stays_lost(&format!("{mode}, open"), &mut trainer, &task, sums);
    }
    usable(&gpu);
}

#[test]
fn a_drop_in_fit_is_found_before_it_ends_out_of_data_on_the_gpu_and_streamed() {
    let gpu = own();
    for mode in MODES {
        for stream in [false, true] {
            let mut task = task(mode);
            task.epochs = 30;
            // How many submissions there are depends on how fast they go; there are some at any speed.
            for dropped in 1..=5 {
                let mut trainer =
                    Trainer::new(&gpu, &task.model, Settings { stream, ..task.settings(20, true) }).unwrap();
                gpu.drop_submission(dropped);
                let fitted = trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).map(drop);
                stays_lost(&format!("{mode}, streamed {stream}, submission {dropped}"), &mut trainer, &task, fitted);
            }
        }
    }
    usable(&gpu);
}

#[test]
fn an_encoder_that_a_host_never_submits_is_found() {
    let gpu = own();
    for mode in MODES {
        let task = task(mode);
        for dropped in 0..6 {
            let mut trainer = task.trainer(&gpu, 20, true);
            trainer.attach(&task.data.all()).unwrap();
            let mut error = Ok(());
            // Each frame a micro-batch; every third one ends the window, too.
            for frame in 0..6 {
                trainer.schedule(&rows(frame / 3)[frame % 3 * 16..][..16], frame % 3 == 2).unwrap();
                if frame % 3 == 2 {
                    trainer.schedule_update().unwrap();
                }
                let mut encoder = gpu.device().create_command_encoder(&Default::default());
                error = trainer.encode(&mut encoder);
                if error.is_ok() && frame != dropped {
                    gpu.queue().submit([encoder.finish()]);
                }
                trainer.submitted();
                error = error.and_then(|()| trainer.finish().map(drop));
                if error.is_err() {
                    assert_eq!(frame, dropped, "{mode}: the frame that was dropped");
                    break;
                }
            }
            stays_lost(&format!("{mode}, frame {dropped}"), &mut trainer, &task, error);
        }
    }
    usable(&gpu);
}

#[test]
fn a_window_that_was_given_up_breaks_no_chain() {
    for mode in MODES {
        let task = task(mode);
        let mut trainer = task.trainer(common::gpu(), 20, true);
        let mut told = 0;
        // Stopped in the middle of windows, again and again.
        for stop in 1..4 {
            told = 0;
            let watch = |_| {
                told += 1;
                if told == stop { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
            };
            trainer.fit(&task.fit(), watch).unwrap();
        }
        assert!(told > 0);
        whole(&mut trainer, &task, 0).unwrap();
        micro_steps(&mut trainer, &task, 1).unwrap();
        let updates = trainer.finish().unwrap();
        assert!(updates.len() >= 2 && updates.iter().all(|update| update.made()), "{mode}: {updates:?}");
    }
}
