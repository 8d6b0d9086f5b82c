//! Training for long, and again and again, takes no more and more of anything. `ACCRUE_LEAKS=20000` goes on for so many windows.

mod common;

use std::sync::{Mutex, PoisonError};

use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu, ResourceCounts};
use accrue::nn::Model;
use accrue::optim::{Adam, Clip};
use accrue::plan::ExecutionMode;
use accrue::train::{Settings, Trainer};
use accrue::wgpu;
use common::skip::skip;
use common::{Numbers, held};

/// The memory of the process is that of both tests, so one waits for the other.
static ALONE: Mutex<()> = Mutex::new(());

/// Windows of one loop in a plain `cargo test`.
const WINDOWS: usize = 600;

fn windows() -> usize {
    std::env::var("ACCRUE_LEAKS").map_or(WINDOWS, |text| text.parse().expect("ACCRUE_LEAKS is a number of windows"))
}

struct Data {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Data {
    fn new() -> Data {
        let mut numbers = Numbers::new(5);
        Data { x: numbers.floats(64 * 4), y: numbers.floats(64 * 2) }
    }

    fn batch(&self) -> Batch<'_> {
        Batch::values(&self.x, &self.y)
    }
}

fn trainer(gpu: &Gpu, kernels: ExecutionMode) -> Trainer {
    let model = Model::new(4, &[8.into(), "relu".into(), 2.into()], "mse").unwrap();
    let clip = Clip { norm: Some(1.0), value: None };
    let kernels = Some(kernels);
    let adam = Box::new(Adam::default());
    let settings = Settings { micro_batch: 32, optimizer: adam, lr: 1e-4, clip, kernels, ..Settings::default() };
    Trainer::new(gpu, &model, settings).unwrap()
}

/// Windows of two micro-batches, `windows` times, of which as many go into one submission as fit.
fn train(trainer: &mut Trainer, windows: usize) {
    let samples: Vec<u32> = (0..64).collect();
    let mut made = 0;
    for _ in 0..windows {
        trainer.schedule_window(&samples).unwrap();
        if !trainer.has_room(64) {
            trainer.submit().unwrap();
            made += trainer.finished().unwrap().iter().filter(|update| update.made()).count();
        }
    }
    made += trainer.finish().unwrap().iter().filter(|update| update.made()).count();
    assert_eq!(made, windows);
}

/// What must not grow.
fn made(counts: ResourceCounts) -> (u64, u64, u64, u64) {
    (counts.buffers, counts.bytes, counts.bind_groups, counts.pipelines)
}

/// Bytes of memory that the process has. Only Linux says it in a file.
fn resident() -> Option<u64> {
    if cfg!(not(target_os = "linux")) {
        return None;
    }
    let text = std::fs::read_to_string("/proc/self/status").expect("Linux says it");
    let kib = text.lines().find_map(|line| line.strip_prefix("VmRSS:")?.trim().strip_suffix(" kB"));
    Some(1024 * kib.expect("it is a line of its own").parse::<u64>().unwrap())
}

/// Bytes that came to `from`, which [`resident`] gave.
fn grown(from: Option<u64>) -> Option<i64> {
    resident().zip(from).map(|(now, from)| now as i64 - from as i64)
}

/// Says what is not compared where the system or the driver does not tell it.
fn say_what_is_not_known(memory: Option<u64>, bytes: Option<u64>) {
    if memory.is_none() {
        skip("resident memory", "this system does not say in a file what a process has");
    }
    if bytes.is_none() {
        skip("allocator report", "this back end does not say what it holds");
    }
}

/// As many submissions as training makes, of nothing at all.
fn empty_loop(gpu: &Gpu, submissions: u64) {
    for _ in 0..submissions {
        let encoder = gpu.device().create_command_encoder(&wgpu::CommandEncoderDescriptor::default());
        gpu.queue().submit([encoder.finish()]);
        gpu.device().poll(wgpu::PollType::wait_indefinitely()).unwrap();
    }
}

#[test]
fn thousands_of_windows_make_nothing_new_and_take_no_more_memory_than_an_empty_loop() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let windows = windows();
    for kernels in [ExecutionMode::Windows, ExecutionMode::Fused, ExecutionMode::Ops] {
        let gpu = Gpu::new(&Choice::default()).unwrap();
        let mut trainer = trainer(&gpu, kernels);
        trainer.attach(&Data::new().batch()).unwrap();
        train(&mut trainer, windows / 4 + 200);
        let (before, memory, bytes) = (gpu.counts(), resident(), held(&gpu));
        train(&mut trainer, windows);
        assert_eq!(made(before), made(gpu.counts()), "{kernels}");
        assert!(bytes == held(&gpu) && bytes != Some(0), "{kernels}: {bytes:?} bytes before, {:?} after", held(&gpu));
        let (grown_by, submissions) = (grown(memory), gpu.counts().submits - before.submits);
        let memory = resident();
        empty_loop(&gpu, submissions);
        let empty = grown(memory);
        println!(
            "{kernels}: {windows} windows in {submissions} submissions: {grown_by:?} bytes, an empty loop {empty:?}"
        );
        let most = (1 << 20) + windows as i64 * 100;
        // What Mesa's driver keeps of each submission is in both.
        let more = grown_by.zip(empty).map(|(grown, empty)| grown - empty.max(0));
        assert!(more.is_none_or(|more| more < most), "{kernels}: {grown_by:?} bytes, {empty:?} without");
        assert!(submissions > 0, "{kernels}: it trains");
        say_what_is_not_known(memory, bytes);
    }
}

#[test]
fn trainers_that_are_dropped_give_everything_back() {
    let _alone = ALONE.lock().unwrap_or_else(PoisonError::into_inner);
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let data = Data::new();
    let cycle = |kernels: ExecutionMode| {
        let mut trainer = trainer(&gpu, kernels);
        trainer.attach(&data.batch()).unwrap();
        train(&mut trainer, 3);
        trainer.predict(&data.x).unwrap();
        // One is dropped with work on its way, and with a window open.
        trainer.schedule(&[1, 2, 3], false).unwrap();
        trainer.submit().unwrap();
    };
    let all = [ExecutionMode::Windows, ExecutionMode::Fused, ExecutionMode::Ops];
    all.into_iter().for_each(cycle);
    let (bytes, memory, pipelines) = (held(&gpu), resident(), gpu.counts().pipelines);
    for at in 0..200 {
        cycle(all[at % 3]);
        assert_eq!((held(&gpu), gpu.counts().pipelines), (bytes, pipelines), "after {} trainers", at + 1);
    }
    let grown = grown(memory);
    println!("200 trainers: {grown:?} bytes");
    assert!(grown.is_none_or(|grown| grown < 16 << 20), "{grown:?} bytes more after 200 trainers");
    say_what_is_not_known(memory, bytes);
}
