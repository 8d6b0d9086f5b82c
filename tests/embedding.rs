//! Training inside a host's own frames.

mod common;

use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{Model, initial};
use accrue::train::{Predictor, Settings, Trainer};
use accrue::wgpu;
use common::{Numbers, bits, gpu};

fn model() -> Model {
    Model::new(3, &[5.into(), "tanh".into(), 2.into()], "mse").unwrap()
}

/// A trainer with 8 rows of data attached.
fn trainer(gpu: &Gpu, numbers: &mut Numbers) -> Trainer {
    let mut trainer = Trainer::new(gpu, &model(), Settings { micro_batch: 8, lr: 0.5, ..Settings::default() }).unwrap();
    let (x, y) = (numbers.floats(24), numbers.floats(16));
    trainer.attach(&Batch::values(&x, &y)).unwrap();
    trainer
}

/// Encodes one update into a host's encoder, which the host has still to submit.
fn encoded(trainer: &mut Trainer) -> wgpu::CommandBuffer {
    trainer.schedule(&[0, 1, 2, 3, 4, 5, 6, 7], true).unwrap();
    trainer.schedule_update().unwrap();
    let mut encoder = trainer.gpu().device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
    trainer.encode(&mut encoder).unwrap();
    encoder.finish()
}

fn frame(trainer: &mut Trainer) {
    let commands = encoded(trainer);
    trainer.gpu().queue().submit([commands]);
    trainer.submitted();
}

#[test]
fn a_trainers_predictor_shows_each_update_without_a_copy() {
    let mut numbers = Numbers::new(1);
    let mut trainer = trainer(gpu(), &mut numbers);
    let predictor = trainer.predictor(4).unwrap();
    let x = numbers.floats(12);
    let mut before = predictor.predict(&x).unwrap();
    for _ in 0..3 {
        frame(&mut trainer);
        let shown = predictor.predict(&x).unwrap();
        assert_ne!(bits(&shown), bits(&before), "the update shows");
        assert_eq!(bits(&shown), bits(&trainer.predict(&x).unwrap()), "it is the trainer's own output");
        before = shown;
    }
}

#[test]
fn a_trainers_predictor_makes_what_its_plan_says_and_no_parameters() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let trainer = trainer(&gpu, &mut Numbers::new(2));
    let before = gpu.counts().bytes;
    let lent = trainer.predictor(4).unwrap();
    assert_eq!(gpu.counts().bytes - before, lent.plan().bytes());
    let own = Predictor::new(&gpu, &model(), &initial(&model(), 0), 4).unwrap();
    assert_eq!(own.plan().bytes() - lent.plan().bytes(), 4 * own.plan().layout.floats() as u64);
}

#[test]
fn a_predictor_outlives_its_trainer() {
    let mut numbers = Numbers::new(3);
    let mut trainer = trainer(gpu(), &mut numbers);
    let x = numbers.floats(12);
    let wanted = trainer.predict(&x).unwrap();
    let predictor = trainer.predictor(2).unwrap();
    drop(trainer);
    assert_eq!(bits(&predictor.predict(&x).unwrap()), bits(&wanted));
}

#[test]
fn where_ready_says_yes_a_frame_is_encoded_without_waiting() {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let mut trainer = trainer(&gpu, &mut Numbers::new(4));
    let (before, mut updates) = (gpu.counts().waits, 0);
    while updates < 50 {
        if trainer.ready().unwrap() {
            frame(&mut trainer);
            updates += 1;
        }
    }
    assert_eq!(gpu.counts().waits, before);
    trainer.finish().unwrap();
    assert!(trainer.ready().unwrap());
    let commands = encoded(&mut trainer);
    assert!(!trainer.ready().unwrap(), "what was encoded has to be submitted first");
    gpu.queue().submit([commands]);
    trainer.submitted();
    assert_eq!(trainer.finish().unwrap().len(), 1);
}
