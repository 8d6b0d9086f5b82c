//! How fast training is: workloads, measured in interleaved rounds, so that other load on the machine affects all alike.

mod cold;
mod data;
mod measure;
mod networks;
mod table;
mod workloads;

use std::rc::Rc;

use serde::Serialize;

pub use cold::first_update;
pub use measure::Spread;
pub use networks::{Network, Widths};
pub use table::lines;
pub use workloads::{OWN, Workload};

use crate::Result;
use crate::doctor::{Device, speed};
use crate::gpu::Gpu;
use cold::Cold;
use data::Data;
use measure::{Counted, Round, Subject};

/// The accumulation steps that are compared.
pub const STEPS: [usize; 4] = [1, 4, 16, 64];

/// What to measure.
pub struct Wanted {
    /// Trainings.
    pub training: Vec<Workload>,
    /// Trainings measured with several accumulation steps.
    pub accumulation: Vec<Workload>,
    /// Whether to measure matrix products.
    pub matmul: bool,
    /// Rounds.
    pub rounds: usize,
    /// Seconds of each.
    pub seconds: f64,
    /// The requested adapter.
    pub adapter: Option<String>,
}

/// The report of all measurements.
#[derive(Debug, Serialize)]
pub struct BenchReport {
    /// Accrue's version.
    pub version: &'static str,
    /// `release`, or `debug`, which says little about speed.
    pub build: &'static str,
    /// Operating system, processor, and number of cores.
    pub platform: Platform,
    /// The adapter and its driver.
    pub device: Device,
    /// Rounds.
    pub rounds: usize,
    /// Seconds of each.
    pub seconds: f64,
    /// The workloads.
    pub training: Vec<Training>,
    /// The cost of accumulation.
    pub accumulation: Vec<Accumulation>,
    /// GFLOP/s of matrix products.
    pub matmul: Option<Matmul>,
}

/// The machine.
#[derive(Debug, Serialize)]
pub struct Platform {
    /// The operating system.
    pub os: &'static str,
    /// The kind of processor.
    pub arch: &'static str,
    /// Cores that the process may use.
    pub cores: usize,
}

/// The measurements of a workload.
#[derive(Debug, Serialize)]
pub struct Training {
    /// The workload.
    #[serde(flatten)]
    pub workload: Workload,
    /// Samples per second.
    pub samples_per_s: Spread,
    /// Microseconds from update to update.
    pub us_per_update: Spread,
    /// Command buffers per second.
    pub submits_per_s: Spread,
    /// Floating-point operations per sample, as [`Network::flop_per_sample`] counts them.
    pub flop_per_sample: u64,
    /// 10⁹ of them per second.
    pub gflops: f64,
    /// Dispatches of a window with its update, counted.
    pub dispatches_per_update: f64,
    /// Its share for each of its micro-batches.
    pub dispatches_per_micro_batch: f64,
    /// Bytes that the host writes to the GPU for a window with its update, counted.
    pub bytes_to_gpu_per_update: f64,
    /// Bytes planned on the GPU, including the data.
    pub gpu_bytes: u64,
    /// Seconds from starting a process to its first update.
    pub cold_start_s: Spread,
    /// That process's peak memory, if the system reports it.
    pub peak_resident_bytes: Option<u64>,
}

/// The cost of accumulation for a workload.
#[derive(Debug, Serialize)]
pub struct Accumulation {
    /// The workload.
    pub name: String,
    /// Rows at once.
    pub micro_batch: usize,
    /// The cost for each number of accumulation steps.
    pub steps: Vec<Accumulated>,
}

/// A number of accumulation steps.
#[derive(Debug, Serialize)]
pub struct Accumulated {
    /// Micro-batches of an update.
    pub accumulation_steps: usize,
    /// Microseconds per sample.
    pub us_per_sample: Spread,
    /// The same as a multiple of the time with 1 step, in the same round.
    pub beside_one_step: Spread,
}

/// GFLOP/s of the three kernels of a linear layer.
#[derive(Debug, Serialize)]
pub struct Matmul {
    /// Rows, inputs and outputs, all equal.
    pub size: usize,
    /// Outputs.
    pub forward_gflops: Spread,
    /// Gradients of inputs.
    pub backward_input_gflops: Spread,
    /// Gradients of weights.
    pub backward_weight_gflops: Spread,
}

/// Measures what is wanted. `watch` hears what comes next.
///
/// # Errors
/// [`Error::Memory`](crate::Error::Memory) if a workload does not fit the adapter.
pub fn run(gpu: &Gpu, wanted: &Wanted, mut watch: impl FnMut(usize, &str)) -> Result<BenchReport> {
    let mut training = Vec::new();
    for workload in &wanted.training {
        training.push(Measured::new(gpu, workload, &[workload.accumulation_steps])?);
    }
    let mut accumulation = Vec::new();
    for workload in &wanted.accumulation {
        accumulation.push(Measured::new(gpu, workload, &STEPS)?);
    }
    let mut matrices = Vec::new();
    let mut colds: Vec<Vec<Cold>> = training.iter().map(|_| Vec::new()).collect();
    for round in 1..=wanted.rounds {
        for (workload, colds) in wanted.training.iter().zip(&mut colds) {
            watch(round, &format!("{}, cold start", workload.name));
            colds.push(cold::start(workload, WARM_AFTER_COLD * wanted.seconds, wanted.adapter.as_deref())?);
        }
        for measured in training.iter_mut().chain(&mut accumulation) {
            watch(round, &measured.name);
            measured.round(wanted.seconds)?;
        }
        if wanted.matmul {
            watch(round, "matmul");
            matrices.push(speed::matrices(gpu)?);
        }
    }
    Ok(BenchReport {
        version: env!("CARGO_PKG_VERSION"),
        build: if cfg!(debug_assertions) { "debug" } else { "release" },
        platform: Platform {
            os: std::env::consts::OS,
            arch: std::env::consts::ARCH,
            cores: std::thread::available_parallelism().map_or(1, usize::from),
        },
        device: Device::of(gpu),
        rounds: wanted.rounds,
        seconds: wanted.seconds,
        training: training.into_iter().zip(colds).map(|(measured, colds)| measured.training(&colds)).collect(),
        accumulation: accumulation.into_iter().map(Measured::accumulation).collect(),
        matmul: wanted.matmul.then(|| matmul(&matrices)),
    })
}

/// How long a cold-started process trains after its first update, as a share of a round: its memory is then at its peak.
const WARM_AFTER_COLD: f64 = 0.25;

/// A workload with one or several numbers of accumulation steps, and the results of its rounds.
struct Measured {
    name: String,
    subjects: Vec<(Subject, Counted, Vec<Round>)>,
}

impl Measured {
    fn new(gpu: &Gpu, workload: &Workload, steps: &[usize]) -> Result<Measured> {
        let data = Rc::new(Data::random(workload)?);
        let subject = |&accumulation_steps: &usize| {
            let workload = Workload { accumulation_steps, ..workload.clone() };
            let mut subject = Subject::new(gpu, workload, data.clone())?;
            let counted = subject.count()?;
            Ok((subject, counted, Vec::new()))
        };
        Ok(Measured { name: workload.name.clone(), subjects: steps.iter().map(subject).collect::<Result<_>>()? })
    }

    fn round(&mut self, seconds: f64) -> Result<()> {
        for (subject, _, rounds) in &mut self.subjects {
            rounds.push(subject.round(seconds, || ())?);
        }
        Ok(())
    }

    fn training(mut self, colds: &[Cold]) -> Training {
        let (subject, counted, rounds) = self.subjects.remove(0);
        let batch = subject.workload.batch() as f64;
        let per = |of: fn(&Round) -> f64| Spread::of(rounds.iter().map(of));
        let samples_per_s = Spread::of(rounds.iter().map(|round| batch * round.updates as f64 / round.seconds));
        Training {
            us_per_update: per(|round| 1e6 * round.seconds / round.updates as f64),
            submits_per_s: per(|round| round.submits as f64 / round.seconds),
            flop_per_sample: subject.flop_per_sample,
            gflops: 1e-9 * subject.flop_per_sample as f64 * samples_per_s.median,
            samples_per_s,
            dispatches_per_update: counted.dispatches,
            dispatches_per_micro_batch: counted.dispatches / subject.workload.accumulation_steps as f64,
            bytes_to_gpu_per_update: counted.bytes,
            gpu_bytes: subject.gpu_bytes,
            cold_start_s: Spread::of(colds.iter().map(|cold| cold.seconds)),
            peak_resident_bytes: colds.iter().filter_map(|cold| cold.peak_bytes).max(),
            workload: subject.workload,
        }
    }

    fn accumulation(self) -> Accumulation {
        let us = |subject: &Subject, round: &Round| {
            1e6 * round.seconds / (round.updates * subject.workload.batch() as u64) as f64
        };
        let one: Vec<f64> = self.subjects[0].2.iter().map(|round| us(&self.subjects[0].0, round)).collect();
        let accumulated = |(subject, _, rounds): &(Subject, Counted, Vec<Round>)| {
            let us_per_sample = Spread::of(rounds.iter().map(|round| us(subject, round)));
            let ratios = us_per_sample.rounds.iter().zip(&one).map(|(us, one)| us / one);
            Accumulated {
                accumulation_steps: subject.workload.accumulation_steps,
                beside_one_step: Spread::of(ratios),
                us_per_sample,
            }
        };
        Accumulation {
            micro_batch: self.subjects[0].0.workload.micro_batch,
            steps: self.subjects.iter().map(accumulated).collect(),
            name: self.name,
        }
    }
}

fn matmul(rounds: &[[f64; 3]]) -> Matmul {
    let of = |at: usize| Spread::of(rounds.iter().map(|round| round[at]));
    Matmul { size: speed::SIZE, forward_gflops: of(0), backward_input_gflops: of(1), backward_weight_gflops: of(2) }
}
