//! A good guest: in a host's app its device, its queue, its callbacks and its error scopes stay the host's own.

mod common;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use accrue::Error;
use accrue::gpu::limits::LEAST;
use accrue::gpu::{Choice, Gpu, is_caught_panic, usage};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::train::{Predictor, Trainer};
use accrue::window::Tail;
use common::runs::{Data, Left, Path, Rest, Task, left};
use common::{Numbers, gpu};
use wgpu::{BufferDescriptor, BufferUsages, Device, ErrorFilter};

fn task() -> Task {
    let model = Model::new(6, &[11.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(11));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 2, batch: 48, tail: Tail::Flush, shuffle: None, rest: Rest::default() }
}

/// A device of a host's own: other tests may not see what happens to it.
fn own_device() -> (Device, wgpu::Queue) {
    let gpu = Gpu::new(&Choice::default()).expect("the tests need an adapter");
    (gpu.device().clone(), gpu.queue().clone())
}

/// One that is made with these limits and nothing else, without a word to Accrue.
fn device_with(required_limits: wgpu::Limits) -> (Device, wgpu::Queue) {
    let all = pollster::block_on(accrue::gpu::adapter::list());
    let adapter = accrue::gpu::adapter::choose(all, &Choice::default()).unwrap().0.adapter;
    let descriptor = wgpu::DeviceDescriptor { required_limits, ..Default::default() };
    pollster::block_on(adapter.request_device(&descriptor)).unwrap()
}

/// What no device takes: a buffer that is mapped for reading and used by kernels.
fn wrong_buffer(device: &Device) {
    let usage = BufferUsages::MAP_READ | BufferUsages::STORAGE;
    let _ = device.create_buffer(&BufferDescriptor {
        label: Some("the host's"),
        size: 16,
        usage,
        mapped_at_creation: false,
    });
}

fn encoder(device: &Device) -> wgpu::CommandEncoder {
    device.create_command_encoder(&Default::default())
}

#[test]
fn work_in_the_hosts_encoder_has_the_bits_of_work_in_our_own() {
    let task = task();
    let wanted = task.run(gpu(), &Path::Schedule(vec![20], true));
    let mut trainer = task.trainer(gpu(), 20, true);
    trainer.attach(&task.data.all()).unwrap();
    let mut updates = Vec::new();
    for window in task.windows() {
        for piece in window.chunks(20) {
            trainer.schedule(piece, piece.len() < 20).unwrap();
            if piece.len() < 20 {
                trainer.schedule_update().unwrap();
            }
            let submits = gpu().counts().submits;
            let mut commands = encoder(gpu().device());
            trainer.encode(&mut commands).unwrap();
            refuses_everything(&mut trainer, &task);
            assert_eq!(submits, gpu().counts().submits, "what is encoded is the host's to submit");
            gpu().queue().submit([commands.finish()]);
            trainer.submitted();
            updates.extend(trainer.finished().unwrap());
        }
    }
    updates.extend(trainer.finish().unwrap());
    assert_eq!(Left { then: Vec::new(), ..wanted }, left(&mut trainer, updates));
}

/// Nothing is done between `encode` and `submitted`: it would come before what is encoded.
fn refuses_everything(trainer: &mut Trainer, task: &Task) {
    let refused = |what: &str, result: accrue::Result<()>| match result {
        Err(Error::Shape { message, .. }) => assert!(message.contains("call submitted() first"), "{what}: {message}"),
        other => panic!("{what}: {other:?}"),
    };
    refused("schedule", trainer.schedule(&[0], false));
    refused("micro_step", trainer.micro_step(&task.data.stretch(0..4)));
    refused("update", trainer.update());
    refused("schedule_update", trainer.schedule_update());
    refused("submit", trainer.submit());
    refused("encode", trainer.encode(&mut encoder(gpu().device())));
    refused("predict", trainer.predict(&task.data.features[..6]).map(drop));
    refused("parameters", trainer.parameters().map(drop));
    let start = accrue::nn::initial(trainer.model(), 1);
    refused("set_parameters", trainer.set_parameters(&start));
    refused("attach", trainer.attach(&task.data.all()));
    refused("finish", trainer.finish().map(drop));
}

#[test]
fn an_error_of_the_hosts_own_comes_to_its_own_callback_and_none_of_ours_does() {
    let (device, queue) = own_device();
    let heard = Arc::new(Mutex::new(Vec::new()));
    let (errors, losses) = (heard.clone(), heard.clone());
    device.on_uncaptured_error(Arc::new(move |error: wgpu::Error| errors.lock().unwrap().push(error.to_string())));
    device.set_device_lost_callback(move |reason, _| losses.lock().unwrap().push(format!("{reason:?}")));

    let scope = device.push_error_scope(ErrorFilter::Validation);
    let gpu = Gpu::from_host(&device, &queue).unwrap();
    let task = task();
    let wanted = task.run(common::gpu(), &Path::FitConfig(20));
    assert_eq!(wanted, task.run(&gpu, &Path::FitConfig(20)), "on a host's device");
    assert_eq!(wanted, task.run(&gpu, &Path::MicroStep(vec![20])), "on a host's device");
    // Something of ours that the device refuses is an error of ours alone.
    let bytes = gpu.limits().max_buffer_size;
    assert!(matches!(gpu.buffer("too large", bytes + 1, BufferUsages::STORAGE), Err(Error::Memory(_))));
    let wrong = gpu.buffer("wrong", 16, BufferUsages::MAP_READ | BufferUsages::STORAGE);
    assert!(matches!(wrong, Err(Error::Internal(_))), "{wrong:?}");
    assert_eq!(pollster::block_on(scope.pop()).map(|error| error.to_string()), None, "the host's scope");
    assert_eq!(*heard.lock().unwrap(), [""; 0]);

    let scope = device.push_error_scope(ErrorFilter::Validation);
    wrong_buffer(&device);
    assert!(pollster::block_on(scope.pop()).is_some(), "the host's scope still works");
    wrong_buffer(&device);
    let said = heard.lock().unwrap().clone();
    assert!(matches!(&said[..], [one] if one.contains("the host's")), "{said:?}");

    drop(gpu);
    device.destroy();
    device.poll(wgpu::PollType::wait_indefinitely()).ok();
    assert_eq!(heard.lock().unwrap()[1..], ["Destroyed"], "its device is the host's to destroy");
}

#[test]
fn a_host_that_polls_on_other_threads_takes_nothing_from_us() {
    let (device, queue) = own_device();
    let gpu = Gpu::from_host(&device, &queue).unwrap();
    let task = task();
    let wanted = task.run(&gpu, &Path::FitConfig(20));
    let running = AtomicU32::new(1);
    thread::scope(|threads| {
        for _ in 0..2 {
            threads.spawn(|| {
                let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
                let descriptor = BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false };
                let buffer = device.create_buffer(&descriptor);
                while running.load(Ordering::Relaxed) == 1 {
                    // A slow callback of the host's: those of ours that the same poll took along come after it.
                    buffer.map_async(wgpu::MapMode::Read, .., |_| thread::sleep(Duration::from_millis(3)));
                    device.poll(wgpu::PollType::Poll).ok();
                    buffer.unmap();
                }
            });
        }
        let ours = threads.spawn(|| (0..10).for_each(|_| assert_eq!(wanted, task.run(&gpu, &Path::FitConfig(20)))));
        let result = ours.join();
        running.store(0, Ordering::Relaxed);
        result.unwrap();
    });
}

#[test]
fn a_callback_of_the_hosts_that_panics_while_we_wait_is_the_hosts_to_see() {
    let (device, queue) = own_device();
    let gpu = Gpu::from_host(&device, &queue).unwrap();
    let task = task();
    let mut trainer = task.trainer(&gpu, 20, true);
    trainer.attach(&task.data.all()).unwrap();
    // The host's callback is called before ours comes, or together with it and first: wgpu drops ours then.
    for together in [false, true] {
        trainer.schedule_window(&(0..20).collect::<Vec<_>>()).unwrap();
        trainer.submit().unwrap();
        if together {
            thread::sleep(Duration::from_millis(300));
        }
        // Nothing is submitted after it, so that it is our wait that runs it.
        let usage = BufferUsages::MAP_READ | BufferUsages::COPY_DST;
        let descriptor = BufferDescriptor { label: None, size: 16, usage, mapped_at_creation: false };
        let buffer = device.create_buffer(&descriptor);
        buffer.map_async(wgpu::MapMode::Read, .., |_| panic!("the host's own"));
        let submits = gpu.counts().submits;
        let panic = catch_unwind(AssertUnwindSafe(|| trainer.finish())).unwrap_err();
        assert_eq!(panic.downcast_ref::<&str>(), Some(&"the host's own"));
        assert!(!is_caught_panic(&*panic) && submits == gpu.counts().submits);
        assert_eq!(trainer.finish().unwrap().len(), 1, "together {together}");
    }
}

#[test]
fn a_lost_device_is_a_typed_error_wherever_training_stands() {
    let task = task();
    let moments = [
        "micro_step",
        "update",
        "submit",
        "encode",
        "finish",
        "fit",
        "parameters",
        "predict",
        "new",
        "state",
        "upload",
    ];
    for moment in moments {
        let (device, queue) = own_device();
        let gpu = Gpu::from_host(&device, &queue).unwrap();
        let buffer = gpu.buffer("large", 5 << 20, usage::STORAGE).unwrap();
        // In an app that sets none, what comes here is a panic.
        let came = Arc::new(Mutex::new(Vec::new()));
        let errors = came.clone();
        device.on_uncaptured_error(Arc::new(move |error| errors.lock().unwrap().push(error.to_string())));
        let mut trainer = task.trainer(&gpu, 20, true);
        let predictor = Predictor::new(&gpu, &task.model, &trainer.parameters().unwrap(), 8).unwrap();
        trainer.attach(&task.data.all()).unwrap();
        trainer.micro_step(&task.data.stretch(0..20)).unwrap();
        trainer.update().unwrap();
        trainer.schedule(&[1, 2, 3], true).unwrap();
        trainer.schedule_update().unwrap();
        if moment == "finish" {
            trainer.submit().unwrap();
        }
        device.destroy();
        let error = match moment {
            // What is only handed over may notice, or leave that to whoever waits.
            "micro_step" => trainer.micro_step(&task.data.stretch(0..20)).and_then(|()| trainer.finish().map(drop)),
            "update" => {
                trainer.schedule(&[4], true).and_then(|()| trainer.update()).and_then(|()| trainer.finish().map(drop))
            }
            "submit" => trainer.submit().and_then(|()| trainer.finish().map(drop)),
            "encode" => trainer.encode(&mut encoder(&device)).and_then(|()| {
                trainer.submitted();
                trainer.finish().map(drop)
            }),
            "finish" => trainer.finish().map(drop),
            "fit" => trainer.fit(&task.fit(), |_| std::ops::ControlFlow::Continue(())).map(drop),
            "parameters" => trainer.parameters().map(drop),
            "state" => trainer.state().map(drop),
            "upload" => gpu.upload(&buffer, &[1; 5 << 20]),
            "predict" => predictor.predict(&task.data.features).map(drop),
            _ => Trainer::new(&gpu, &task.model, Default::default()).and_then(|mut new| new.parameters().map(drop)),
        };
        assert!(matches!(error, Err(Error::DeviceLost(_))), "{moment}: {error:?}");
        // And it stays so.
        let error = trainer.parameters();
        assert!(matches!(error, Err(Error::DeviceLost(_))), "parameters after {moment}: {error:?}");
        assert_eq!(came.lock().unwrap()[..], [""; 0], "{moment}");
    }
}

#[test]
fn a_hosts_device_whose_limits_are_too_small_is_refused_by_the_limit_and_its_least_value() {
    type Shrink = fn(&mut wgpu::Limits);
    let smaller: [(&str, Shrink); 5] = [
        ("max_storage_buffers_per_shader_stage = 2, but 4", |limits| limits.max_storage_buffers_per_shader_stage = 2),
        ("max_compute_invocations_per_workgroup = 32, but 256", |limits| {
            limits.max_compute_invocations_per_workgroup = 32;
        }),
        ("max_dynamic_uniform_buffers_per_pipeline_layout = 0, but 2", |limits| {
            limits.max_dynamic_uniform_buffers_per_pipeline_layout = 0;
        }),
        ("max_uniform_buffers_per_shader_stage = 1, but 4", |limits| limits.max_uniform_buffers_per_shader_stage = 1),
        ("max_compute_workgroup_storage_size = 1024, but 16352", |limits| {
            limits.max_compute_workgroup_storage_size = 1024;
        }),
    ];
    for (words, shrink) in smaller {
        let mut limits = wgpu::Limits::downlevel_defaults();
        shrink(&mut limits);
        let (device, queue) = device_with(limits);
        let refused = Gpu::from_host(&device, &queue).map(drop);
        let text = refused.unwrap_err().to_string();
        assert!(text.contains("the host's device allows") && text.contains(words), "{text}");
    }
    let (device, queue) = device_with(LEAST);
    let wanted = task().run(common::gpu(), &Path::FitConfig(20));
    let least = Gpu::from_host(&device, &queue).unwrap();
    assert_eq!(wanted, task().run(&least, &Path::FitConfig(20)), "the least is enough");
    // Wide enough that a driver which reads faster through textures does so.
    let model = Model::new(96, &[96.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(12));
    let wide = Task { model, data, ..task() };
    assert_eq!(
        wide.run(common::gpu(), &Path::FitConfig(20)),
        wide.run(&least, &Path::FitConfig(20)),
        "for copies, too"
    );
}
