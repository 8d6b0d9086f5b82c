//! burn on wgpu on a workload of `accrue bench`: one line of JSON.
//!
//!     burn-peer WORKLOAD [SECONDS]
//!
//! Same networks, micro-batches, accumulation and plain SGD, in float32; random normal data that stays on the device. Fusion and
//! autotune are on, as a user gets them.

mod networks;

use std::time::Instant;

use burn::nn::loss::{CrossEntropyLossConfig, MseLoss, Reduction};
use burn::optim::{GradientsAccumulator, GradientsParams, ModuleOptimizer, SgdConfig};
use burn::tensor::{Device, Distribution, Int, Tensor, TensorData};

use networks::{Mlp, Network, Resnet8, SmallCnn};

const LR: f64 = 0.01;

/// Training before the clock starts, at least: kernels are compiled, and chosen by trying them.
const WARM_SECONDS: f64 = 2.0;

struct Workload {
    network: Network,
    /// Channels, height, width.
    sample: [usize; 3],
    /// 0 for numbers, one a sample.
    classes: usize,
    rows: usize,
    micro_batch: usize,
    steps: usize,
}

impl Workload {
    fn of(name: &str, device: &Device) -> Option<Workload> {
        let mlp = |widths: &[usize]| Network::Mlp(Mlp::new(widths, device));
        let (network, sample, classes, rows, micro_batch, steps) = match name {
            "W1" => (mlp(&[8, 16, 1]), [8, 1, 1], 0, 1200, 40, 3),
            "W2" => (mlp(&[8, 128, 128, 1]), [8, 1, 1], 0, 20_000, 256, 4),
            "W3" => (mlp(&[784, 512, 256, 10]), [784, 1, 1], 10, 8192, 64, 8),
            "W7" => (Network::SmallCnn(SmallCnn::new(device)), [1, 28, 28], 10, 1024, 64, 4),
            "W8" => (Network::Resnet8(Resnet8::new(device)), [3, 32, 32], 10, 512, 32, 4),
            _ => return None,
        };
        Some(Workload { network, sample, classes, rows, micro_batch, steps })
    }
}

/// What an update learns from.
type MicroBatch = (Tensor<4>, Target);

enum Target {
    Values(Tensor<2>),
    Classes(Tensor<1, Int>),
}

struct Training {
    network: Option<Network>,
    optimizer: ModuleOptimizer,
    /// Of each update, and then again from the first.
    updates: Vec<Vec<MicroBatch>>,
    at: usize,
    device: Device,
}

impl Training {
    fn new(workload: Workload, device: &Device) -> Training {
        let Workload { sample: [channels, height, width], classes, rows, micro_batch, steps, network } = workload;
        let normal = Distribution::Normal(0.0, 1.0);
        let make = |_| {
            let x = Tensor::random([micro_batch, channels, height, width], normal, device);
            let y = if classes == 0 {
                Target::Values(Tensor::random([micro_batch, 1], normal, device))
            } else {
                let all: Vec<i32> = (0..micro_batch).map(|row| (row * 7 % classes) as i32).collect();
                Target::Classes(Tensor::from_data(TensorData::new(all, [micro_batch]), device))
            };
            (x, y)
        };
        let updates = (0..rows / (micro_batch * steps)).map(|_| (0..steps).map(make).collect()).collect();
        Training { network: Some(network), optimizer: SgdConfig::new().init(), updates, at: 0, device: device.clone() }
    }

    fn update(&mut self) {
        let network = self.network.take().expect("a network between two updates");
        let micro_batches = &self.updates[self.at];
        let mut accumulator = GradientsAccumulator::new();
        for (x, y) in micro_batches {
            let output = network.forward(x.clone());
            let loss = match y {
                Target::Values(y) => MseLoss::new().forward(output, y.clone(), Reduction::Mean),
                Target::Classes(y) => CrossEntropyLossConfig::new().init(&self.device).forward(output, y.clone()),
            };
            let loss = loss.div_scalar(micro_batches.len() as f32);
            accumulator.accumulate(&network, GradientsParams::from_grads(loss.backward(), &network));
        }
        self.network = Some(self.optimizer.step(LR, network, accumulator.grads()));
        self.at = (self.at + 1) % self.updates.len();
    }

    /// Updates a second over about so many seconds; at least one update is made.
    fn rate(&mut self, seconds: f64) -> f64 {
        // Waiting after each update would cost small networks; so they are made in bunches of about 50 ms.
        let (clock, mut made, mut bunch) = (Instant::now(), 0.0, 1.0);
        loop {
            let before = clock.elapsed().as_secs_f64();
            for _ in 0..bunch as usize {
                self.update();
            }
            self.device.sync().expect("the device works");
            made += bunch;
            let now = clock.elapsed().as_secs_f64();
            if now >= seconds {
                return made / now;
            }
            bunch = (bunch * 0.05 / (now - before)).floor().clamp(1.0, 4096.0);
        }
    }
}

fn main() {
    let clock = Instant::now();
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let device = Device::wgpu(Default::default()).autodiff();
    let name = arguments.first().map_or("", String::as_str);
    let Some(workload) = Workload::of(name, &device) else {
        eprintln!("burn-peer WORKLOAD [SECONDS]: W1, W2, W3, W7 or W8");
        std::process::exit(2);
    };
    let seconds = arguments.get(1).map_or(2.0, |text| text.parse().expect("a number of seconds"));
    let batch = (workload.micro_batch * workload.steps) as f64;
    let mut training = Training::new(workload, &device);
    training.update();
    device.sync().expect("the device works");
    let first = clock.elapsed().as_secs_f64();
    training.rate(WARM_SECONDS);
    let rate = batch * training.rate(seconds);
    println!(
        "{{\"workload\": \"{name}\", \"samples_per_s\": {rate}, \"first_update_s\": {first}, \"burn\": \"0.22.1\"}}"
    );
}
