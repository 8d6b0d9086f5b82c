//! A device's speed at what training does, measured now: medians of whole submissions, each waited for.

use std::time::{Duration, Instant};

use serde::Serialize;

use super::Case;
use super::case::linear;
use super::rig::Rig;
use crate::gpu::{Dispatch, Gpu, Recorder, encode, usage};
use crate::graph::Graph;
use crate::optim::{Clip, Sgd};
use crate::plan::{ExecutionMode, Kernels};
use crate::{Error, Result};

/// Rows, inputs and outputs of the measured layer.
pub const SIZE: usize = 512;

/// Dispatches of one submission when a dispatch is measured.
const MANY: usize = 512;

/// Bytes of the copy.
const COPIED: u64 = 64 << 20;

/// Submissions per median.
const TIMES: usize = 7;

/// The measurements. All times are medians.
#[derive(Clone, Copy, Debug, Serialize)]
pub struct Speed {
    /// Microseconds to encode a dispatch, submission included.
    pub encode_us: f64,
    /// Microseconds of a dispatch that computes next to nothing and waits for the one before it.
    pub dispatch_us: f64,
    /// Microseconds from the submission of a single dispatch until the host knows that it is done.
    pub submit_us: f64,
    /// 10⁹ additions and multiplications per second of `linear.forward` with [`SIZE`]³.
    pub forward_gflops: f64,
    /// The same for `linear.backward_input`.
    pub backward_input_gflops: f64,
    /// The same for `linear.backward_weight`.
    pub backward_weight_gflops: f64,
    /// 10⁹ bytes per second, read and written, of a copy of 64 MiB; `None` if there is no room for it.
    pub copy_gbs: Option<f64>,
}

/// Measures a device, which should be idle otherwise.
///
/// # Errors
/// The driver's error.
pub fn measure(gpu: &Gpu) -> Result<Speed> {
    let (encode_us, dispatch_us, submit_us) = overhead(gpu)?;
    let [forward, backward_input, backward_weight] = matrices(gpu)?;
    let copy_gbs = match copy(gpu) {
        Err(Error::Memory(_)) => None,
        other => Some(other?),
    };
    Ok(Speed {
        encode_us,
        dispatch_us,
        submit_us,
        forward_gflops: forward,
        backward_input_gflops: backward_input,
        backward_weight_gflops: backward_weight,
        copy_gbs,
    })
}

/// The times to encode and to execute these dispatches, repeated this often.
///
/// # Errors
/// The driver's error.
pub fn time(gpu: &Gpu, dispatches: &[Dispatch], rows: usize, times: usize) -> Result<(Duration, Duration)> {
    let start = Instant::now();
    let mut encoder = gpu.encoder()?;
    let mut recorder = Recorder::new(&mut encoder, "accrue.timed");
    for _ in 0..times {
        encode(gpu, &mut recorder, dispatches, rows as u32, 0, None);
    }
    drop(recorder);
    let commands = gpu.finish(encoder)?;
    let encoded = start.elapsed();
    let start = Instant::now();
    let submission = gpu.submit(commands)?;
    gpu.wait(Some(&submission))?;
    Ok((encoded, start.elapsed()))
}

fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// Medians of both times in seconds.
fn medians(mut time: impl FnMut() -> Result<(Duration, Duration)>) -> Result<(f64, f64)> {
    time()?; // drivers compile, allocate and wake up the first time
    let times = (0..TIMES).map(|_| time()).collect::<Result<Vec<_>>>()?;
    let of =
        |part: fn(&(Duration, Duration)) -> Duration| median(times.iter().map(|t| part(t).as_secs_f64()).collect());
    Ok((of(|t| t.0), of(|t| t.1)))
}

/// Microseconds to encode and to execute a dispatch on one row of one column, and of a submission with a single one.
fn overhead(gpu: &Gpu) -> Result<(f64, f64, f64)> {
    let mut graph = Graph::new();
    let x = graph.input(1);
    let y = linear(&mut graph, "layer", x, 1)?;
    let case = Case::ending(graph, y, super::case::loss_of_values(), 1, 1)?;
    let rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    rig.micro_step()?;
    let (_, one) = medians(|| time(gpu, rig.program.forward(), 1, 1))?;
    let (encoded, many) = medians(|| time(gpu, rig.program.forward(), 1, MANY + 1))?;
    Ok((1e6 * encoded / (MANY + 1) as f64, 1e6 * (many - one).max(0.0) / MANY as f64, 1e6 * one))
}

/// GFLOP/s of the three kernels of a linear layer of [`SIZE`]³, as this adapter would choose them: forward, input gradient,
/// weight gradient.
///
/// # Errors
/// The driver's error.
pub fn matrices(gpu: &Gpu) -> Result<[f64; 3]> {
    let case = layer(SIZE, SIZE, SIZE)?;
    let kernels = Kernels::of(gpu, Some(ExecutionMode::Ops));
    let rig = Rig::with(gpu, &case, &Sgd::default(), Clip::default(), kernels)?;
    rig.micro_step()?;
    let flops = 2.0 * (SIZE * SIZE * SIZE) as f64;
    let mut all = [0.0; 3];
    for (gflops, entry) in all.iter_mut().zip(["forward", "backward_input", "backward_weight"]) {
        let dispatch = kernel(&rig, entry)?;
        // Repeated until a submission takes 10 ms: its own overhead is then small.
        time(gpu, dispatch, SIZE, 1)?;
        let (_, once) = time(gpu, dispatch, SIZE, 1)?;
        let times = (0.01 / once.as_secs_f64()).ceil().clamp(1.0, 200.0) as usize;
        let (_, seconds) = medians(|| time(gpu, dispatch, SIZE, times))?;
        *gflops = 1e-9 * flops * times as f64 / seconds;
    }
    Ok(all)
}

/// A linear layer of this many rows, inputs and outputs after another one, so that the gradient of its inputs is needed.
///
/// # Errors
/// None, unless the linear layer changes what it takes.
pub fn layer(rows: usize, inputs: usize, outputs: usize) -> Result<Case> {
    let mut graph = Graph::new();
    let x = graph.input(inputs);
    let before = linear(&mut graph, "before", x, inputs)?;
    let after = linear(&mut graph, "after", before, outputs)?;
    Case::ending(graph, after, super::case::loss_of_values(), rows, 1)
}

/// One of the three kernels of the layer of [`layer`]: `forward`, `backward_input` or `backward_weight`.
///
/// # Errors
/// [`Error::Internal`] if it has no such kernel.
pub fn kernel<'a>(rig: &'a Rig, entry: &str) -> Result<&'a [Dispatch]> {
    let found = rig.micro_batch().find(|(step, _)| step.label.starts_with("after") && step.entry == entry);
    let (_, dispatch) = found.ok_or_else(|| Error::Internal(format!("a layer has a kernel {entry}")))?;
    Ok(std::slice::from_ref(dispatch))
}

/// GB/s of a copy between two buffers.
fn copy(gpu: &Gpu) -> Result<f64> {
    let from = gpu.buffer("accrue.doctor.from", COPIED, usage::STORAGE)?;
    let to = gpu.buffer("accrue.doctor.to", COPIED, usage::STORAGE)?;
    let (_, seconds) = medians(|| {
        let mut encoder = gpu.encoder()?;
        encoder.copy_buffer_to_buffer(&from, 0, &to, 0, COPIED);
        let start = Instant::now();
        let submission = gpu.submit(gpu.finish(encoder)?)?;
        gpu.wait(Some(&submission))?;
        Ok((Duration::ZERO, start.elapsed()))
    })?;
    Ok(1e-9 * 2.0 * COPIED as f64 / seconds)
}
