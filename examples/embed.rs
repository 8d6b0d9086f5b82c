//! A host with its own device and its own frames, that trains between its own passes and shows the network as it learns.
//!
//! The network is a small neural field: from a place in a picture to its colour. Each frame is one submission: a slice of
//! training, the network's picture as it is now, and the host's own kernel, which reads that picture where it lies.
//! No frame waits, nothing but the losses is read back, and the host's error callback stays the host's.
//!
//!     cargo run --release --example embed

use std::sync::{Arc, atomic::AtomicU32, atomic::Ordering::Relaxed};
use std::time::{Duration, Instant};

use accrue::train::{Settings, Trainer};
use accrue::wgpu::{self, BufferUsages};
use accrue::{data::Batch, gpu::Gpu, nn::Model, optim::Sgd, window::Order};

const WIDTH: usize = 64;
const PIXELS: usize = WIDTH * 28;
const FRAMES: u32 = 240;
const FRAME: Duration = Duration::from_micros(16_667); // 60 Hz
const SLICE: u32 = 4; // updates in each frame

/// The host's own kernel: the network's colours, three in each row of four floats, become pixels.
const SHOW: &str = "
@group(0) @binding(0) var<storage, read> colours: array<vec4f>;
@group(0) @binding(1) var<storage, read_write> pixels: array<u32>;
@compute @workgroup_size(64) fn show(@builtin(global_invocation_id) id: vec3u) {
    if id.x < arrayLength(&pixels) { pixels[id.x] = pack4x8unorm(vec4f(colours[id.x].rgb, 1.0)); }
}";

fn main() -> Result<(), Box<dyn std::error::Error>> {
    // The host: its device, its error callback, its pipeline.
    let instance = wgpu::Instance::new(wgpu::InstanceDescriptor::new_without_display_handle_from_env());
    let adapter = pollster::block_on(instance.request_adapter(&wgpu::RequestAdapterOptions::default()))?;
    let (device, queue) = pollster::block_on(adapter.request_device(&wgpu::DeviceDescriptor::default()))?;
    static ERRORS: AtomicU32 = AtomicU32::new(0);
    device.on_uncaptured_error(Arc::new(|_| _ = ERRORS.fetch_add(1, Relaxed)));
    let shader = wgpu::ShaderModuleDescriptor { label: None, source: wgpu::ShaderSource::Wgsl(SHOW.into()) };
    let show = device.create_compute_pipeline(&wgpu::ComputePipelineDescriptor {
        label: Some("host.show"),
        layout: None,
        module: &device.create_shader_module(shader),
        entry_point: None,
        compilation_options: Default::default(),
        cache: None,
    });

    // The guest: a trainer with its data on the GPU, and a predictor that reads the trainer's own parameters.
    let gpu = Gpu::from_host(&device, &queue)?;
    let places: Vec<f32> = (0..PIXELS).flat_map(place).collect();
    let colours: Vec<f32> = places.chunks(2).flat_map(|at| colour(at[0], at[1])).collect();
    let model = Model::new(2, &[32.into(), "tanh".into(), 32.into(), "tanh".into(), 3.into()], "mse")?;
    let optimizer = Box::new(Sgd { momentum: 0.9, ..Sgd::default() });
    let settings = Settings { micro_batch: 64, optimizer, lr: 0.2, ..Settings::default() };
    let mut trainer = Trainer::new(&gpu, &model, settings)?;
    trainer.attach(&Batch::values(&places, &colours))?;
    let predictor = trainer.predictor(PIXELS)?;
    predictor.set_input(&places)?;

    // What the host's kernel reads is the predictor's output.
    let pixels = gpu.buffer("host.pixels", 4 * PIXELS as u64, BufferUsages::STORAGE | BufferUsages::COPY_SRC)?;
    let entries = [(0, predictor.output()?), (1, &pixels)]
        .map(|(binding, buffer)| wgpu::BindGroupEntry { binding, resource: buffer.as_entire_binding() });
    let group = wgpu::BindGroupDescriptor { label: None, layout: &show.get_bind_group_layout(0), entries: &entries };
    let group = device.create_bind_group(&group);

    let (mut order, mut at) = (Order::new(PIXELS as u32, Some(0)), 0);
    let (mut late, mut loss) = (0, 0.0);
    for frame in 1..=FRAMES {
        let started = Instant::now();
        let mut encoder = device.create_command_encoder(&Default::default());
        if trainer.ready()? {
            for _ in 0..SLICE {
                for last in [false, true] {
                    let mut samples = Vec::new();
                    order.extend(at..at + 64, &mut samples);
                    trainer.schedule(&samples, last)?;
                    at += 64;
                }
                trainer.schedule_update()?; // from both micro-batches
            }
            trainer.encode(&mut encoder)?;
        }
        predictor.encode(&mut encoder, PIXELS)?;
        let mut pass = encoder.begin_compute_pass(&Default::default());
        pass.set_pipeline(&show);
        pass.set_bind_group(0, &group, &[]);
        pass.dispatch_workgroups(PIXELS.div_ceil(64) as u32, 1, 1);
        drop(pass);
        queue.submit([encoder.finish()]);
        trainer.submitted();
        late += u32::from(started.elapsed() > FRAME);
        loss = trainer.finished()?.last().map_or(loss, |update| update.loss);
        if frame % 60 == 0 {
            println!("frame {frame}: {} updates, loss {loss:.5}", trainer.updates());
        }
        std::thread::sleep(FRAME.saturating_sub(started.elapsed()));
    }
    for line in gpu.read(&pixels, 4 * PIXELS as u64)?.chunks(4 * WIDTH) {
        println!("{}", line.chunks(4).map(shade).collect::<String>());
    }
    println!("{late} of {FRAMES} frames were late; the host's callback saw {} errors", ERRORS.load(Relaxed));
    Ok(())
}

/// The place of a pixel.
fn place(pixel: usize) -> [f32; 2] {
    [(pixel % WIDTH) as f32 / 16.0 - 2.0, 2.0 - (pixel / WIDTH) as f32 / 7.0]
}

/// The picture that is learned: a sun over the sea.
fn colour(x: f32, y: f32) -> [f32; 3] {
    let edge = |distance: f32| 1.0 / (1.0 + (-12.0 * distance).exp());
    let (sun, sky) = (edge(0.9 - (x - 0.4).hypot(y - 0.4)), edge(y + 0.5));
    [0.1 + sky * (0.2 + 0.7 * sun), 0.15 + sky * (0.2 + 0.6 * sun), 0.3 + sky * (0.2 - 0.2 * sun)]
}

/// A pixel as a character, by its brightness.
fn shade(pixel: &[u8]) -> char {
    [' ', '.', ':', '-', '+', '*', '#', '@'][pixel[..3].iter().map(|&part| usize::from(part)).sum::<usize>() / 96]
}
