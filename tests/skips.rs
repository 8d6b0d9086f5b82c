//! A window that is not finite ends the training, which says where it came to that; or it is skipped, and nothing shows of it.

mod common;

use std::ops::ControlFlow;

use accrue::data::Batch;
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::ExecutionMode;
use accrue::train::{Event, FitConfig, LeftOut, OnNonFinite, Run, Settings, Trainer, Update};
use accrue::{Error, NotFinite};
use common::runs::parameters;
use common::{Numbers, gpu};

const ROWS: usize = 120;
const BAD: usize = 71;

/// Rows of which one is so large that the loss overflows with it.
fn rows() -> (Vec<f32>, Vec<f32>) {
    rows_with(BAD)
}

fn rows_with(bad: usize) -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Numbers::new(8);
    let (mut x, y) = (numbers.floats(3 * ROWS), numbers.floats(ROWS));
    x[3 * bad + 1] = 1e30;
    (x, y)
}

fn trainer(micro_batch: usize, kernels: ExecutionMode, stream: bool) -> Trainer {
    let model = Model::new(3, &[6.into(), "relu".into(), 1.into()], "mse").unwrap();
    let optimizer = Box::new(Sgd { momentum: 0.9, ..Sgd::default() });
    let kernels = Some(kernels);
    Trainer::new(gpu(), &model, Settings { micro_batch, optimizer, kernels, stream, lr: 0.05, ..Settings::default() })
        .unwrap()
}

/// Three windows an epoch, of which the second has the bad row.
fn fit<'a>(x: &'a [f32], y: &'a [f32], on_nonfinite: OnNonFinite) -> FitConfig<'a> {
    FitConfig { on_nonfinite, ..FitConfig::new(Batch::values(x, y), 40, 2) }
}

#[test]
fn a_training_that_ends_names_the_first_bad_micro_batch_and_the_row_that_makes_it_so() {
    let (x, y) = rows();
    for (micro_batch, rows) in [(40, 0..40), (16, 16..32), (7, 28..35), (1, 31..32)] {
        for (kernels, stream) in
            [(ExecutionMode::Ops, false), (ExecutionMode::Fused, true), (ExecutionMode::Windows, false)]
        {
            let mut trainer = trainer(micro_batch, kernels, stream);
            let mut told = 0;
            let error = trainer.fit(&fit(&x, &y, OnNonFinite::Stop), |event| {
                told += u32::from(matches!(event, Event::Update { .. }));
                ControlFlow::Continue(())
            });
            let error = error.unwrap_err();
            let Error::Diverged { update: 2, found: NotFinite::Loss, suspect: Some(suspect) } = &error else {
                panic!("{error}")
            };
            assert_eq!((suspect.rows.clone(), suspect.sample), (rows.clone(), Some(BAD as u32)), "{kernels}");
            let said = format!("first in rows {} to {} of its window, where row 71 of the", rows.start, rows.end - 1);
            assert!(error.to_string().contains(&said), "{error}");
            assert_eq!(told, 1, "the updates before are told");
            assert_eq!(trainer.open_rows(), 0);

            // What is left is the training up to there.
            let mut before = self::trainer(40, ExecutionMode::Ops, false);
            before.micro_step(&Batch::values(&x[..3 * 40], &y[..40])).unwrap();
            before.update().unwrap();
            assert_eq!(parameters(&mut trainer), parameters(&mut before), "{kernels}");
        }
    }
}

#[test]
fn a_window_that_is_skipped_leaves_no_trace() {
    let (x, y) = rows();
    let mut without = trainer(40, ExecutionMode::Ops, false);
    for _ in 0..2 {
        for window in [0, 2] {
            let rows = 40 * window..40 * (window + 1);
            without.micro_step(&Batch::values(&x[3 * rows.start..3 * rows.end], &y[rows])).unwrap();
            without.update().unwrap();
        }
    }
    let wanted = parameters(&mut without);
    for micro_batch in [40, 16, 7] {
        for (kernels, stream) in
            [(ExecutionMode::Ops, true), (ExecutionMode::Fused, false), (ExecutionMode::Windows, false)]
        {
            let mut trainer = trainer(micro_batch, kernels, stream);
            let (mut updates, mut losses): (Vec<Update>, Vec<f64>) = (Vec::new(), Vec::new());
            let outcome = trainer.fit(&fit(&x, &y, OnNonFinite::Skip), |event| {
                match event {
                    Event::Update { update, .. } => updates.push(update),
                    Event::Epoch { train_loss, .. } => losses.push(train_loss),
                }
                ControlFlow::Continue(())
            });
            outcome.unwrap();
            let left_out: Vec<_> = updates.iter().map(|update| update.left_out).collect();
            let skipped = Some(LeftOut::NotFinite(NotFinite::Loss));
            assert_eq!(left_out, [None, skipped, None, None, skipped, None], "{kernels}");
            assert!(losses.len() == 2 && losses.iter().all(|loss| loss.is_finite()), "{losses:?}");
            assert_eq!(parameters(&mut trainer), wanted, "{kernels}, micro-batches of {micro_batch}");
        }
    }
}

#[test]
fn the_row_is_found_wherever_it_stands_in_its_block() {
    for bad in [40, 53, 60, 63, 72, 79] {
        let (x, y) = rows_with(bad);
        let mut trainer = trainer(8, ExecutionMode::Ops, false);
        let error = trainer.fit(&fit(&x, &y, OnNonFinite::Stop), |_| ControlFlow::Continue(())).unwrap_err();
        let Error::Diverged { suspect: Some(suspect), .. } = &error else { panic!("{error}") };
        let from = (bad as u32 - 40) / 8 * 8;
        assert_eq!((suspect.rows.clone(), suspect.sample), (from..from + 8, Some(bad as u32)));
    }
}

#[test]
fn a_run_that_goes_on_after_a_skipped_window_and_may_skip_no_more_still_trains() {
    let (x, y) = rows();
    let mut trainer = trainer(40, ExecutionMode::Ops, false);
    let skips = fit(&x, &y, OnNonFinite::Skip);
    let mut run = Run::new(&mut trainer, &skips).unwrap();
    run.pause_after(Some(2));
    while run.position().updates < 2 {
        run.advance(&mut trainer, &skips, |_| ControlFlow::Continue(())).unwrap();
    }
    run.settle(&mut trainer, &skips, |_| ControlFlow::Continue(())).unwrap();
    let (state, position) = (trainer.state().unwrap(), run.position());

    let stops = fit(&x, &y, OnNonFinite::Stop);
    trainer.set_state(&state).unwrap();
    let mut run = Run::at(&mut trainer, &stops, &position).unwrap();
    let mut made = Vec::new();
    let error = loop {
        let step = run.advance(&mut trainer, &stops, |event| {
            if let Event::Update { update, .. } = event {
                made.push((update.update, update.made()));
            }
            ControlFlow::Continue(())
        });
        match step {
            Ok(outcome) => assert_eq!(outcome, None, "the bad window comes again"),
            Err(error) => break error,
        }
    };
    assert!(matches!(error, Error::Diverged { update: 5, .. }), "{error}");
    assert_eq!(made, [(3, true), (4, true)]);
}

#[test]
fn a_state_from_before_an_update_that_broke_goes_on() {
    let mut numbers = Numbers::new(8);
    let (x, y) = (numbers.floats(3 * ROWS), numbers.floats(ROWS));
    let y: Vec<f32> = y.iter().map(|y| 5.0 + y).collect();
    let mut trainer = trainer(40, ExecutionMode::Ops, false);
    let state = trainer.state().unwrap();
    trainer.set_lr(3e38).unwrap();
    trainer.fit(&fit(&x, &y, OnNonFinite::Skip), |_| ControlFlow::Continue(())).unwrap_err();
    trainer.set_state(&state).unwrap();
    trainer.fit(&fit(&x, &y, OnNonFinite::Stop), |_| ControlFlow::Continue(())).unwrap();
    let mut fresh = self::trainer(40, ExecutionMode::Ops, false);
    fresh.fit(&fit(&x, &y, OnNonFinite::Stop), |_| ControlFlow::Continue(())).unwrap();
    assert_eq!(parameters(&mut trainer), parameters(&mut fresh));
}
