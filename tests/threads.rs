//! One device, several threads: a host polls it in a loop of its own, and trainers share it.

mod common;

use std::sync::atomic::{AtomicBool, Ordering};

use accrue::data::{Batch, Target};
use accrue::gpu::usage;
use accrue::nn::Model;
use accrue::train::{Settings, Trainer};
use common::{Numbers, bits, gpu};

/// Runs `with` while another thread polls the device without a pause, as a host may.
fn while_polled(with: impl FnOnce()) {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                let _ = gpu().device().poll(accrue::wgpu::PollType::Poll);
            }
        });
        // Also when `with` fails, or its failure would never be seen.
        let ended = std::panic::catch_unwind(std::panic::AssertUnwindSafe(with));
        done.store(true, Ordering::Relaxed);
        if let Err(failure) = ended {
            std::panic::resume_unwind(failure);
        }
    });
}

#[test]
fn buffers_are_read_back_by_several_threads_at_once() {
    let read = |thread: usize| {
        let values: Vec<f32> = (0..64).map(|at| (thread * at) as f32).collect();
        let buffer = gpu().buffer("test", 256, usage::STORAGE).unwrap();
        gpu().upload(&buffer, bytemuck::cast_slice(&values)).unwrap();
        for _ in 0..1000 {
            assert_eq!(gpu().read_f32(&buffer, 64).unwrap(), values);
        }
    };
    while_polled(|| {
        std::thread::scope(|scope| {
            for thread in 0..8 {
                scope.spawn(move || read(thread));
            }
        });
    });
}

/// Losses of twenty updates.
fn train() -> Vec<u32> {
    let model = Model::new(3, &[5.into(), "tanh".into(), 2.into()], "mse").unwrap();
    let settings = Settings { micro_batch: 4, lr: 0.1, ..Settings::default() };
    let mut trainer = Trainer::new(gpu(), &model, settings).unwrap();
    let mut numbers = Numbers::new(1);
    let (x, y) = (numbers.floats(12), numbers.floats(8));
    let mut updates = Vec::new();
    for _ in 0..20 {
        trainer.micro_step(&Batch { features: (&x).into(), targets: Target::Values(&y), weights: None }).unwrap();
        trainer.update().unwrap();
        updates.extend(trainer.finish().unwrap());
    }
    bits(&updates.iter().map(|update| update.loss as f32).collect::<Vec<_>>())
}

#[test]
fn trainers_on_several_threads_share_a_device_and_get_the_bits_that_one_alone_gets() {
    let alone = train();
    assert_eq!(alone.len(), 20);
    while_polled(|| {
        let threads: Vec<_> = (0..4).map(|_| std::thread::spawn(train)).collect();
        for thread in threads {
            assert!(thread.join().unwrap() == alone);
        }
    });
}
