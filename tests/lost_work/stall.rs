//! A queue that stalls.

use std::time::{Duration, Instant};

use accrue::gpu::Gpu;
use accrue::plan::ExecutionMode;
use accrue::wgpu;

use crate::*;

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
    let gpu = Gpu::from_host(owner.device(), owner.queue()).unwrap();
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

    let task = task(ExecutionMode::Fused);
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
