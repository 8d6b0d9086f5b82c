//! What is asked for takes effect in the order in which it is asked for, and what is given up leaves nothing behind.

mod common;

use std::ops::ControlFlow;

use accrue::Error;
use accrue::data::{Batch, Target};
use accrue::nn::{Arrays, Model, initial};
use accrue::optim::Adam;
use accrue::train::{Event, FitConfig, Outcome, Predictor, Settings, Trainer, metrics};
use common::{Numbers, bits, gpu};

const ROWS: usize = 200;
const BATCH: usize = 40;

fn model() -> Model {
    Model::new(4, &[6.into(), "tanh".into(), 2.into()], "mse").unwrap()
}

fn trainer(micro_batch: usize) -> Trainer {
    let optimizer = Box::new(Adam::default());
    Trainer::new(gpu(), &model(), Settings { micro_batch, optimizer, ..Settings::default() }).unwrap()
}

fn data() -> (Vec<f32>, Vec<f32>) {
    let mut numbers = Numbers::new(11);
    (numbers.floats(ROWS * 4), numbers.floats(ROWS * 2))
}

fn flat(arrays: &Arrays) -> Vec<u32> {
    arrays.values().flat_map(|array| bits(&array.values)).collect()
}

/// Parameters after one more update, in which the optimizer's state and clocks show.
fn after_one_more(trainer: &mut Trainer, x: &[f32], y: &[f32]) -> Vec<u32> {
    trainer.micro_step(&Batch::values(&x[..4], &y[..2])).unwrap();
    trainer.update().unwrap();
    trainer.finish().unwrap();
    flat(&trainer.parameters().unwrap())
}

#[test]
fn a_window_that_was_given_up_is_no_update() {
    let (x, y) = data();
    for micro_batch in [40, 7, 1] {
        let mut stopped = trainer(micro_batch);
        let mut told = 0;
        let outcome = stopped.fit(&FitConfig::new(Batch::values(&x, &y), BATCH as u32, 50), |event| {
            told += u64::from(matches!(event, Event::Update { .. }));
            if told >= 3 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        assert_eq!(outcome.unwrap(), Outcome::Stopped);

        let mut by_hand = trainer(BATCH);
        by_hand.attach(&Batch::values(&x, &y)).unwrap();
        for update in 0..told as usize {
            let first = update * BATCH % ROWS;
            let rows: Vec<u32> = (first..first + BATCH).map(|row| row as u32).collect();
            by_hand.schedule(&rows, true).unwrap();
            by_hand.schedule_update().unwrap();
        }
        let (ours, wanted) = (after_one_more(&mut stopped, &x, &y), after_one_more(&mut by_hand, &x, &y));
        assert_eq!(ours, wanted, "micro-batches of {micro_batch}, {told} updates");
    }
}

#[test]
fn new_parameters_do_not_reach_back_to_what_was_scheduled() {
    let (x, y) = data();
    let loss = |late: bool| {
        let mut trainer = trainer(BATCH);
        trainer.attach(&Batch::values(&x, &y)).unwrap();
        trainer.schedule(&[0, 1, 2, 3], true).unwrap();
        trainer.schedule_update().unwrap();
        if late {
            trainer.set_parameters(&initial(&model(), 99)).unwrap();
        }
        trainer.finish().unwrap()[0].loss.to_bits()
    };
    assert_eq!(loss(false), loss(true));
}

#[test]
fn forward_passes_that_are_submitted_together_keep_their_rows() {
    let (x, _) = data();
    let device = gpu().device();
    let predictor = Predictor::new(gpu(), &model(), &initial(&model(), 0), 8).unwrap();
    let whole = predictor.predict(&x[..32]).unwrap();
    predictor.set_input(&x[..32]).unwrap();
    let floats = 8 * predictor.output_stride();
    let kept = gpu().buffer("kept", 4 * floats as u64, accrue::gpu::usage::STORAGE).unwrap();
    let mut encoder = device.create_command_encoder(&Default::default());
    predictor.encode(&mut encoder, 8).unwrap();
    encoder.copy_buffer_to_buffer(predictor.output().unwrap(), 0, &kept, 0, 4 * floats as u64);
    predictor.encode(&mut encoder, 3).unwrap();
    gpu().queue().submit([encoder.finish()]);
    let output = gpu().read_f32(&kept, floats).unwrap();
    let rows: Vec<f32> = output.chunks(predictor.output_stride()).flat_map(|row| &row[..2]).copied().collect();
    assert_eq!(bits(&rows), bits(&whole));
}

#[test]
fn what_does_not_fit_is_refused_by_evaluation_before_anything_is_computed() {
    let (x, y) = data();
    let outputs = vec![0.0; ROWS * 2];
    let good = Batch::values(&x, &y);
    let ones = vec![1.0; ROWS + 1];
    let labels = vec![0; ROWS];
    let refused = [
        metrics::evaluate(&model(), &outputs[1..], &good, None),
        metrics::evaluate(&model(), &outputs, &good, Some(&[1.0])),
        metrics::evaluate(&model(), &outputs, &Batch { weights: Some(&ones), ..good }, None),
        metrics::evaluate(&model(), &outputs, &Batch { targets: Target::Classes(&labels), ..good }, None),
    ];
    for refused in refused {
        assert!(matches!(refused, Err(Error::Shape { .. })), "{refused:?}");
    }
    let bad = FitConfig { validation: Some(Batch { weights: Some(&ones), ..good }), ..FitConfig::new(good, 40, 3) };
    let mut events = 0;
    let refused = trainer(40).fit(&bad, |_| {
        events += 1;
        ControlFlow::Continue(())
    });
    assert!(matches!(refused, Err(Error::Shape { .. })) && events == 0, "{refused:?} after {events} events");
}
