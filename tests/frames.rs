//! A host with a device, callbacks and a loop of 60 frames a second of its own, which trains on the same queue between them.

mod common;

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::train::{Event, FitConfig, Outcome, Run, Settings, Trainer};
use accrue::window::Tail;
use accrue::{Error, wgpu};
use common::Numbers;
use common::runs::{Data, Rest, Task, parameters};

fn task() -> Task {
    let model = Model::new(6, &[24.into(), "tanh".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 150, &mut Numbers::new(4));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 3, batch: 50, tail: Tail::Flush, shuffle: Some(1), rest: Rest::default() }
}

/// What was told, as words that bits show in.
fn words(event: Event) -> String {
    format!("{event:?}")
}

/// Trains in calls of so long, and returns what was told and the parameters.
fn within(task: &Task, fit: &FitConfig, gpu: &Gpu, settings: Settings, budget: Duration) -> (Vec<String>, Vec<u32>) {
    let mut trainer = Trainer::new(gpu, &task.model, settings).unwrap();
    let mut run = Run::new(&mut trainer, fit).unwrap();
    let mut told = Vec::new();
    let begun = Instant::now();
    loop {
        assert!(begun.elapsed() < Duration::from_secs(120), "it comes to its end; {} events so far", told.len());
        let outcome = run.advance_within(&mut trainer, fit, budget, |event| {
            told.push(words(event));
            ControlFlow::Continue(())
        });
        match outcome.unwrap() {
            None => {}
            Some(outcome) => {
                assert_eq!(outcome, Outcome::Done);
                return (told, parameters(&mut trainer));
            }
        }
    }
}

#[test]
fn the_budget_of_a_call_changes_no_bit_and_no_event() {
    let (task, gpu) = (task(), common::gpu());
    let held = Data::new(&task.model, 70, &mut Numbers::new(5));
    for validated in [false, true] {
        let fit = FitConfig { validation: validated.then(|| held.all()), ..task.fit() };
        let mut trainer = task.trainer(gpu, 50, true);
        let mut told = Vec::new();
        let watch = |event| {
            told.push(words(event));
            ControlFlow::Continue(())
        };
        trainer.fit(&fit, watch).unwrap();
        let wanted = (told, parameters(&mut trainer));
        assert_eq!(wanted.0.len(), 9 + 3);
        for budget in [Duration::from_micros(300), Duration::from_millis(5), Duration::from_secs(1)] {
            for stream in [false, true] {
                let settings = Settings { stream, ..task.settings(50, true) };
                assert_eq!(wanted, within(&task, &fit, gpu, settings, budget), "{budget:?}, stream {stream}");
            }
        }
    }
}

#[test]
fn an_event_that_is_answered_with_break_stops_a_run_that_has_a_budget_and_it_can_go_on() {
    let (task, gpu) = (task(), common::gpu());
    let fit = task.fit();
    let mut whole = task.trainer(gpu, 50, true);
    whole.fit(&fit, |_| ControlFlow::Continue(())).unwrap();
    let mut trainer = task.trainer(gpu, 50, true);
    let mut run = Run::new(&mut trainer, &fit).unwrap();
    let (mut stops, mut done) = (0, false);
    while !done {
        let outcome =
            run.advance_within(&mut trainer, &fit, Duration::from_millis(3), |_| ControlFlow::Break(())).unwrap();
        stops += u32::from(outcome == Some(Outcome::Stopped));
        done = outcome == Some(Outcome::Done);
    }
    assert!(stops > 0);
    assert_eq!(parameters(&mut trainer), parameters(&mut whole));
}

#[test]
fn a_run_may_change_between_calls_with_a_budget_and_without_in_the_middle_of_a_validation() {
    let (task, gpu) = (task(), common::gpu());
    let held = Data::new(&task.model, 70, &mut Numbers::new(5));
    let fit = FitConfig { validation: Some(held.all()), ..task.fit() };
    let mut whole = task.trainer(gpu, 50, true);
    let mut wanted = Vec::new();
    let watch = |event| {
        wanted.push(words(event));
        ControlFlow::Continue(())
    };
    whole.fit(&fit, watch).unwrap();
    let (mut trainer, mut told) = (task.trainer(gpu, 50, true), Vec::new());
    // An update from before is none of the run's, and stays for whoever asks.
    trainer.set_lr(0.0).unwrap();
    trainer.micro_step(&task.data.stretch(0..4)).unwrap();
    let start = trainer.state().unwrap();
    trainer.update().unwrap();
    let mut run = Run::new(&mut trainer, &fit).unwrap();
    assert_eq!(trainer.finished().unwrap().len(), 1);
    drop(start);
    for call in 0.. {
        let watch = |event| {
            told.push(words(event));
            ControlFlow::Continue(())
        };
        let outcome = if call % 4 == 3 {
            run.advance(&mut trainer, &fit, watch)
        } else {
            run.advance_within(&mut trainer, &fit, Duration::from_micros(200), watch)
        };
        if outcome.unwrap().is_some() {
            break;
        }
    }
    assert_eq!(told.len(), wanted.len(), "{told:?}");
    // A run that was dropped in the middle leaves nothing behind for the next.
    let mut fresh = task.trainer(gpu, 50, true);
    let state = fresh.state().unwrap();
    for calls in 1..40 {
        let mut run = Run::new(&mut fresh, &fit).unwrap();
        for _ in 0..calls {
            let go_on = |_: Event| ControlFlow::Continue(());
            run.advance_within(&mut fresh, &fit, Duration::from_micros(300), go_on).unwrap();
        }
        drop(run);
        fresh.set_state(&state).unwrap();
        fresh.finished().unwrap();
    }
    let mut told = Vec::new();
    let watch = |event| {
        told.push(words(event));
        ControlFlow::Continue(())
    };
    fresh.fit(&fit, watch).unwrap();
    assert_eq!(told, wanted);
    assert_eq!(parameters(&mut fresh), parameters(&mut whole));
}

/// A host: what it heard on callbacks of its own, and what it draws.
struct Host {
    gpu: Gpu,
    heard: Arc<Mutex<Vec<String>>>,
    picture: wgpu::Buffer,
}

impl Host {
    fn new() -> Host {
        let own = Gpu::new(&Choice::default()).expect("the tests need an adapter");
        let (device, queue) = (own.device().clone(), own.queue().clone());
        let heard = Arc::new(Mutex::new(Vec::new()));
        let (errors, losses) = (heard.clone(), heard.clone());
        device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| errors.lock().unwrap().push(error.to_string())));
        device.set_device_lost_callback(move |reason, _| losses.lock().unwrap().push(format!("{reason:?}")));
        let usage = wgpu::BufferUsages::COPY_DST | wgpu::BufferUsages::COPY_SRC;
        let descriptor = wgpu::BufferDescriptor { label: None, size: 1 << 20, usage, mapped_at_creation: false };
        let picture = device.create_buffer(&descriptor);
        Host { gpu: Gpu::from_host(&device, &queue).unwrap(), heard, picture }
    }

    /// A frame of the host's: it is handed over under a scope of the host's own, and not waited for.
    fn draw(&self) {
        let device = self.gpu.device();
        let scope = device.push_error_scope(wgpu::ErrorFilter::Validation);
        let mut encoder = device.create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        encoder.clear_buffer(&self.picture, 0, None);
        self.gpu.queue().submit([encoder.finish()]);
        assert!(pollster::block_on(scope.pop()).is_none(), "the host's own scope");
    }

    /// What no device takes, outside of any scope: the host's own callback hears it.
    fn err(&self) {
        let usage = wgpu::BufferUsages::MAP_READ | wgpu::BufferUsages::STORAGE;
        let label = Some("the host's mistake");
        let descriptor = wgpu::BufferDescriptor { label, size: 16, usage, mapped_at_creation: false };
        drop(self.gpu.device().create_buffer(&descriptor));
    }
}

#[test]
fn a_host_draws_sixty_frames_a_second_and_its_callbacks_and_scopes_stay_its_own() {
    let (task, host) = (task(), Host::new());
    let held = Data::new(&task.model, 40, &mut Numbers::new(6));
    let fit = FitConfig { validation: Some(held.all()), epochs: 200, ..task.fit() };
    let mut trainer = task.trainer(&host.gpu, 50, true);
    let mut run = Run::new(&mut trainer, &fit).unwrap();
    let (frame, budget) = (Duration::from_micros(16_667), Duration::from_millis(5));
    let (mut calls, mut updates, mut done) = (Vec::new(), 0, false);
    while !done && calls.len() < 2000 {
        let begin = Instant::now();
        host.draw();
        let called = Instant::now();
        let outcome = run.advance_within(&mut trainer, &fit, budget, |event| {
            updates += u32::from(matches!(event, Event::Update { .. }));
            ControlFlow::Continue(())
        });
        done = outcome.unwrap().is_some();
        calls.push(called.elapsed());
        std::thread::sleep(frame.saturating_sub(begin.elapsed()));
    }
    assert!(done && updates == 600, "{updates} updates in {} frames", calls.len());
    calls.sort_unstable();
    let at = |share: f64| calls[((calls.len() - 1) as f64 * share) as usize];
    println!(
        "{} frames, calls of {budget:?}: median {:?}, 99 % {:?}, longest {:?}",
        calls.len(),
        at(0.5),
        at(0.99),
        at(1.0)
    );
    assert_eq!(*host.heard.lock().unwrap(), [""; 0], "nothing of ours comes to the host's callbacks");
    host.err();
    let heard = host.heard.lock().unwrap().clone();
    assert!(matches!(&heard[..], [one] if one.contains("the host's mistake")), "{heard:?}");
}

#[test]
fn memory_that_training_is_refused_leaves_the_hosts_device_alive() {
    let (task, host) = (task(), Host::new());
    let make = || Trainer::new(&host.gpu, &task.model, task.settings(50, true));
    let buffers = make().unwrap().plan().buffers.len() as u64;
    for nth in 1..=buffers {
        host.gpu.fail_allocation(nth);
        assert!(matches!(make().err(), Some(Error::Memory(_))), "buffer {nth}");
        host.draw();
    }
    let mut trainer = make().unwrap();
    trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).unwrap();
    host.draw();
    assert_eq!(*host.heard.lock().unwrap(), [""; 0]);
}
