//! Work that was handed over and never done: a driver that drops a submission says nothing, and one that stalls says
//! nothing either. Each loss is injected; `Gpu::drop_submission` counts submissions, so each test opens a device of its own.

mod common;

use std::ops::ControlFlow;
use std::time::{Duration, Instant};

use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::optim::Sgd;
use accrue::plan::Passes;
use accrue::train::{Fit, Run, Settings, Trainer};
use accrue::window::Tail;
use accrue::{Error, Result, wgpu};
use common::Numbers;
use common::runs::{Data, Path, Rest, Task, parameters};

const PASSES: [Passes; 3] = [Passes::Ops, Passes::Fused, Passes::Windows];

/// Four windows of 48 of 96 rows.
fn task(passes: Passes) -> Task {
    let model = Model::new(6, &[11.into(), "relu".into(), 3.into()], "cross_entropy").unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(11));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    let rest = Rest { kernels: Some(passes), ..Rest::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 2, batch: 48, tail: Tail::Flush, shuffle: None, rest }
}

fn own() -> Gpu {
    Gpu::new(&Choice::default()).expect("the tests need an adapter")
}

/// The device is found to be lost, and from then on nothing is given: no parameters, no results, no prediction.
fn stays_lost(about: &str, trainer: &mut Trainer, task: &Task, error: Result<()>) {
    assert!(matches!(error, Err(Error::DeviceLost(_))), "{about}: {error:?}");
    let lost = |what: &str, result: Result<()>| {
        assert!(matches!(result, Err(Error::DeviceLost(_))), "{about}, then {what}: {result:?}");
    };
    lost("parameters", trainer.parameters().map(drop));
    lost("moments", trainer.moments().map(drop));
    lost("gradient_sums", trainer.gradient_sums().map(drop));
    lost("finished", trainer.finished().map(drop));
    lost("finish", trainer.finish().map(drop));
    lost("ready", trainer.ready().map(drop));
    lost("predict", trainer.predict(&task.data.features).map(drop));
    lost("micro_step", trainer.micro_step(&task.data.stretch(0..4)));
    lost("schedule", trainer.schedule(&[0], false));
    lost("schedule_update", trainer.schedule_update());
    lost("encode", trainer.encode(&mut trainer.gpu().device().create_command_encoder(&Default::default())));
    lost("fit", trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).map(drop));
    lost("set_parameters", trainer.set_parameters(&accrue::nn::initial(&task.model, 1)));
}

/// How a window of 48 rows is handed over, in so many submissions.
type Window = fn(&mut Trainer, &Task, usize) -> Result<()>;

fn rows(window: usize) -> Vec<u32> {
    let start = window as u32 % 2 * 48;
    (start..start + 48).collect()
}

/// Three micro-batches out of the host's memory, and the update: four submissions.
fn micro_steps(trainer: &mut Trainer, task: &Task, window: usize) -> Result<()> {
    let start = window % 2 * 48;
    for at in [0, 20, 40] {
        trainer.micro_step(&task.data.stretch(start + at..start + (at + 20).min(48)))?;
    }
    trainer.update()
}

/// Two submissions of micro-batches only, and one of a micro-batch and the update.
fn schedules(trainer: &mut Trainer, _: &Task, window: usize) -> Result<()> {
    for piece in rows(window).chunks(20) {
        trainer.submit()?;
        trainer.schedule(piece, piece.len() < 20)?;
    }
    trainer.schedule_update()?;
    trainer.submit()
}

/// A whole window at once.
fn whole(trainer: &mut Trainer, _: &Task, window: usize) -> Result<()> {
    trainer.schedule_window(&rows(window))?;
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
    let ways: [(&str, Window, usize, &[Passes]); 4] = [
        ("micro_step", micro_steps, 4, &PASSES[..2]),
        ("schedule", schedules, 3, &PASSES),
        ("whole windows", whole, 1, &PASSES),
        ("three windows at once", several, 1, &PASSES),
    ];
    let (mut dropped, mut found) = (0, 0);
    for (name, window, submissions, passes) in ways {
        for &passes in passes {
            let task = task(passes);
            for at in 0..submissions * 4 {
                // The first windows, and those after the staging buffers went round.
                let about = format!("{name}, {passes}: submission {at}");
                let mut trainer = task.trainer(&gpu, 20, true);
                assert_eq!(trainer.plan().passes(true), passes);
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

/// The device did nothing wrong but for what was dropped: a new trainer on it trains as on any other.
fn usable(gpu: &Gpu) {
    let task = task(Passes::Fused);
    let wanted = task.run(common::gpu(), &Path::Schedule(vec![20], true));
    assert_eq!(wanted, task.run(gpu, &Path::Schedule(vec![20], true)));
    assert_eq!(wanted, task.run(gpu, &Path::MicroStep(vec![20])));
}

#[test]
fn windows_that_go_on_after_a_drop_change_no_parameter_before_it_is_found() {
    let gpu = own();
    for passes in PASSES {
        let task = task(passes);
        // The first window's last micro-batch, its update, and the second window's first micro-batch.
        for (at, made) in [(3, 0), (4, 0), (5, 1)] {
            let passes = if passes == Passes::Windows { Passes::Fused } else { passes };
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
            assert!(matches!(error, Err(Error::DeviceLost(_))), "{passes}, submission {at}: {error:?}");
            // A predictor reads the trainer's own parameters.
            let ours = predictor.predict(&task.data.features).unwrap();
            assert!(common::bits(&ours) == common::bits(&wanted), "{passes}, submission {at}");
        }
    }
}

#[test]
fn neither_parameters_nor_outputs_are_given_when_an_update_or_their_own_submission_was_dropped() {
    let gpu = own();
    for passes in PASSES {
        let task = task(passes);
        let reads: [fn(&mut Trainer, &Task) -> Result<()>; 3] = [
            |trainer, _| trainer.parameters().map(drop),
            |trainer, _| trainer.moments().map(drop),
            |trainer, task| trainer.predict(&task.data.features).map(drop),
        ];
        for read in reads {
            for dropped in [1, 2] {
                let mut trainer = task.trainer(&gpu, 20, true);
                trainer.attach(&task.data.all()).unwrap();
                gpu.drop_submission(dropped);
                whole(&mut trainer, &task, 0).unwrap();
                let read = read(&mut trainer, &task);
                stays_lost(&format!("{passes}, submission {dropped}"), &mut trainer, &task, read);
            }
        }
        // The gradients of a window that is open.
        let mut trainer = task.trainer(&gpu, 20, true);
        gpu.drop_submission(2);
        trainer.micro_step(&task.data.stretch(0..20)).unwrap();
        trainer.micro_step(&task.data.stretch(20..40)).unwrap();
        let sums = trainer.gradient_sums().map(drop);
        stays_lost(&format!("{passes}, open"), &mut trainer, &task, sums);
    }
    usable(&gpu);
}

#[test]
fn a_drop_in_fit_is_found_before_it_ends_out_of_data_on_the_gpu_and_streamed() {
    let gpu = own();
    for passes in PASSES {
        for stream in [false, true] {
            let mut task = task(passes);
            task.epochs = 30;
            // How many submissions there are depends on how fast they go; there are some at any speed.
            for dropped in 1..=5 {
                let mut trainer =
                    Trainer::new(&gpu, &task.model, Settings { stream, ..task.settings(20, true) }).unwrap();
                gpu.drop_submission(dropped);
                let fitted = trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).map(drop);
                stays_lost(&format!("{passes}, streamed {stream}, submission {dropped}"), &mut trainer, &task, fitted);
            }
        }
    }
    usable(&gpu);
}

#[test]
fn an_encoder_that_a_host_never_submits_is_found() {
    let gpu = own();
    for passes in PASSES {
        let task = task(passes);
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
                    assert_eq!(frame, dropped, "{passes}: the frame that was dropped");
                    break;
                }
            }
            stays_lost(&format!("{passes}, frame {dropped}"), &mut trainer, &task, error);
        }
    }
    usable(&gpu);
}

#[test]
fn a_window_that_was_given_up_breaks_no_chain() {
    for passes in PASSES {
        let task = task(passes);
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
        assert!(trainer.finish().unwrap().iter().all(|update| update.made), "{passes}");
    }
}

/// Something of the host's own that keeps the queue busy: so many workgroups, each of them for a while.
struct Busy {
    pipeline: wgpu::ComputePipeline,
    group: wgpu::BindGroup,
}

impl Busy {
    fn new(device: &wgpu::Device) -> Busy {
        let source = "@group(0) @binding(0) var<storage, read_write> out: array<f32>;
            @compute @workgroup_size(8) fn main(@builtin(global_invocation_id) id: vec3<u32>) {
                var x = f32(id.x);
                for (var k = 0u; k < 50000u; k++) { x = fma(x, 0.999, 1.0); }
                out[id.x % 8u] = x;
            }";
        let source = wgpu::ShaderSource::Wgsl(source.into());
        let module = device.create_shader_module(wgpu::ShaderModuleDescriptor { label: None, source });
        let pipeline = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
            label: None,
            layout: None,
            module: &module,
            entry_point: None,
            compilation_options: Default::default(),
            cache: None,
        });
        let buffer = device.create_buffer(&wgpu::BufferDescriptor {
            label: None,
            size: 32,
            usage: wgpu::BufferUsages::STORAGE,
            mapped_at_creation: false,
        });
        let entries = [wgpu::BindGroupEntry { binding: 0, resource: buffer.as_entire_binding() }];
        let layout = pipeline.get_bind_group_layout(0);
        let group =
            device.create_bind_group(&wgpu::BindGroupDescriptor { label: None, layout: &layout, entries: &entries });
        Busy { pipeline, group }
    }

    fn encode(&self, encoder: &mut wgpu::CommandEncoder, groups: u32) {
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&self.pipeline);
        pass.set_bind_group(0, &self.group, &[]);
        pass.dispatch_workgroups(groups, 1, 1);
    }
}

fn idle(gpu: &Gpu) {
    gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
}

/// The host's own work stands before ours in one encoder: this software driver does not take a submission before it has
/// done the last one, so that whoever submits is held up, not whoever waits.
#[test]
fn a_stalled_queue_is_found_when_patience_ends_and_the_trainer_stays_lost() {
    let owner = own();
    let gpu = Gpu::from_host(owner.device(), owner.queue());
    let busy = Busy::new(gpu.device());
    let timed = |groups: u32| {
        let start = Instant::now();
        let mut encoder = gpu.device().create_command_encoder(&Default::default());
        busy.encode(&mut encoder, groups);
        gpu.queue().submit([encoder.finish()]);
        idle(&gpu);
        start.elapsed()
    };
    timed(100);
    // About three seconds of any machine.
    let groups = (1000.0 * 3.0 / timed(1000).as_secs_f64()).clamp(1000.0, 65_535.0) as u32;

    let task = task(Passes::Fused);
    let mut trainer = task.trainer(&gpu, 20, true);
    trainer.attach(&task.data.all()).unwrap();
    whole(&mut trainer, &task, 0).unwrap();
    trainer.finish().unwrap();
    let usual = gpu.patience();
    assert!(usual >= Duration::from_secs(60));
    gpu.set_patience(Duration::from_millis(50));

    trainer.schedule_window(&rows(1)).unwrap();
    let mut encoder = gpu.device().create_command_encoder(&Default::default());
    busy.encode(&mut encoder, groups);
    trainer.encode(&mut encoder).unwrap();
    gpu.queue().submit([encoder.finish()]);
    trainer.submitted();
    let start = Instant::now();
    assert!(trainer.finished().unwrap().is_empty(), "not there yet, and nobody waits");
    let error = trainer.finish().map(drop);
    let took = start.elapsed();
    assert!(took < Duration::from_secs(30), "{took:?}");
    stays_lost("stalled", &mut trainer, &task, error);
    // The queue goes on, but what was said stays said.
    gpu.set_patience(usual);
    idle(&gpu);
    let error = trainer.finish().map(drop);
    stays_lost("after the stall", &mut trainer, &task, error);
    usable(&gpu);
}

#[test]
fn a_part_of_a_micro_batch_that_is_dropped_is_found_where_a_slow_adapter_gets_each_dispatch_alone() {
    for passes in [Passes::Ops, Passes::Fused] {
        let task = task(passes);
        let dropped = each_drop_is_found(&task, Some(1e9), |trainer| {
            micro_steps(trainer, &task, 0).and_then(|()| trainer.finish().map(drop))
        });
        assert!(dropped > 10, "{passes}: only {dropped} submissions");
    }
}

/// Drops each submission of `train` in turn, with a trainer of its own, and returns how many there were.
fn each_drop_is_found(task: &Task, slow: Option<f64>, mut train: impl FnMut(&mut Trainer) -> Result<()>) -> u64 {
    let gpu = own();
    let mut dropped = 0;
    loop {
        let mut trainer = task.trainer(&gpu, 48, true);
        if let Some(times) = slow {
            trainer.pretend_slow(times);
        }
        let before = gpu.counts().submits;
        gpu.drop_submission(dropped + 1);
        let done = train(&mut trainer);
        if gpu.counts().submits - before <= dropped {
            gpu.drop_submission(0);
            done.unwrap();
            return dropped;
        }
        assert!(matches!(done, Err(Error::DeviceLost(_))), "submission {dropped}: {done:?}");
        dropped += 1;
    }
}

#[test]
fn a_drop_is_found_in_a_run_with_a_budget_and_in_its_validation() {
    let task = task(Passes::Ops);
    let fit = Fit { validation: Some(task.data.all()), epochs: 1, ..task.fit() };
    let dropped = each_drop_is_found(&task, None, |trainer| {
        let mut run = Run::new(trainer, &fit)?;
        let budget = Duration::from_millis(20);
        while run.advance_within(trainer, &fit, budget, |_| ControlFlow::Continue(()))?.is_none() {}
        Ok(())
    });
    assert!(dropped >= 3, "only {dropped} submissions");
}

#[test]
fn a_dropped_part_of_a_prediction_is_found_on_a_slow_adapter() {
    let task = task(Passes::Ops);
    let dropped = each_drop_is_found(&task, Some(1e9), |trainer| trainer.predict(&task.data.features).map(drop));
    assert!(dropped > 10, "only {dropped} submissions");
}

#[test]
fn a_run_whose_device_is_lost_goes_on_on_another_device_with_the_same_bits() {
    let task = task(Passes::Fused);
    let wanted = task.run(common::gpu(), &Path::Fit(20));
    let fit = task.fit();
    let go_on = |_| ControlFlow::Continue(());
    for submissions in 1..6 {
        let gpu = own();
        let mut trainer = task.trainer(&gpu, 20, true);
        let mut run = Run::new(&mut trainer, &fit).unwrap();
        for _ in 0..submissions {
            run.advance(&mut trainer, &fit, go_on).unwrap();
        }
        run.settle(&mut trainer, &fit, go_on).unwrap();
        let (state, position) = (trainer.state().unwrap(), run.position());
        gpu.device().destroy();
        let error = (0..9).find_map(|_| run.advance(&mut trainer, &fit, go_on).err());
        assert!(position.updates == 4 || matches!(error, Some(Error::DeviceLost(_))), "{error:?}");

        let mut trainer = task.trainer(&own(), 17, true);
        trainer.set_state(&state).unwrap();
        let mut run = Run::at(&mut trainer, &fit, &position).unwrap();
        while run.advance(&mut trainer, &fit, go_on).unwrap().is_none() {}
        assert_eq!(parameters(&mut trainer), wanted.parameters, "left after {submissions} submissions");
    }
}
