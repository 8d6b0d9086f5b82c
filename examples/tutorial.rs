//! The two-layer regression of a gradient-accumulation tutorial: micro-batches of 40 rows, 3 of them for each update.
//!
//! What it looks like in PyTorch:
//!
//! ```python
//! model = nn.Sequential(nn.Linear(8, 16), nn.ReLU(), nn.Linear(16, 1))
//! optimizer = torch.optim.SGD(model.parameters(), lr=0.01)
//! for epoch in range(4):
//!     for step, (x, y) in enumerate(micro_batches):
//!         loss = F.mse_loss(model(x), y) / 3          # right only while every window has 3 full micro-batches
//!         loss.backward()
//!         if (step + 1) % 3 == 0:
//!             optimizer.step()
//!             optimizer.zero_grad()
//! ```
//!
//! Here `micro_step` is forward and backward, `update` is `step` and `zero_grad`, and the division is by what the window
//! really held.
//!
//!     cargo run --release --example tutorial

use accrue::Result;
use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::{Arrays, Model};
use accrue::train::{Settings, Trainer};
use rand::rngs::ChaCha8Rng;
use rand::{RngExt, SeedableRng};

const ROWS: usize = 1200;
const FEATURES: usize = 8;
const BATCH: usize = 120; // rows of one update
const EPOCHS: usize = 4;

fn main() -> Result<()> {
    let gpu = Gpu::new(&Choice::default())?;
    println!("on {}", gpu.info().name);
    let (x, y) = data();

    let weights = train(&gpu, &x, &y, 40, true)?;

    println!("the same updates, cut otherwise:");
    for micro_batch in [7, 120] {
        let others = train(&gpu, &x, &y, micro_batch, false)?;
        let verdict = if bits(&others) == bits(&weights) { "bit-identical" } else { "DIFFERENT" };
        println!("  micro-batches of {micro_batch:>3}: weights are {verdict}");
    }
    Ok(())
}

fn train(gpu: &Gpu, x: &[f32], y: &[f32], micro_batch: usize, print: bool) -> Result<Arrays> {
    let model = Model::new(FEATURES, &[16.into(), "relu".into(), 1.into()], "mse")?;
    let settings = Settings { micro_batch, lr: 0.01, seed: 0, ..Settings::default() }; // plain SGD is the default
    let mut trainer = Trainer::new(gpu, &model, settings)?;

    for epoch in 1..=EPOCHS {
        for (x, y) in x.chunks(BATCH * FEATURES).zip(y.chunks(BATCH)) {
            for (x, y) in x.chunks(micro_batch * FEATURES).zip(y.chunks(micro_batch)) {
                trainer.micro_step(&Batch::values(x, y))?;
            }
            trainer.update()?;
        }
        let updates = trainer.finish()?; // nothing was waited for until here
        let loss = updates.iter().map(|update| update.loss * update.weight).sum::<f64>() / ROWS as f64;
        if print {
            println!("epoch {epoch}: {} updates, loss {loss:.6}", updates.len());
        }
    }
    trainer.parameters()
}

/// Normal inputs, and a smooth function of them with noise.
fn data() -> (Vec<f32>, Vec<f32>) {
    let mut random = ChaCha8Rng::seed_from_u64(2026);
    let x: Vec<f32> = (0..ROWS * FEATURES).map(|_| normal(&mut random)).collect();
    let truth = |x: &[f32]| x[0].sin() + 0.5 * x[1] * x[2] + (x[3] - x[4]).tanh() - 0.5 * x[6];
    let y = x.chunks(FEATURES).map(|x| truth(x) + 0.1 * normal(&mut random)).collect();
    (x, y)
}

/// A number from the standard normal distribution, by Box and Muller.
fn normal(random: &mut ChaCha8Rng) -> f32 {
    let (u, v): (f32, f32) = (1.0 - random.random::<f32>(), random.random());
    (-2.0 * u.ln()).sqrt() * (std::f32::consts::TAU * v).cos()
}

/// Every weight as its bit pattern: equal only if nothing at all differs.
fn bits(weights: &Arrays) -> Vec<u32> {
    weights.values().flat_map(|array| &array.values).map(|value| value.to_bits()).collect()
}
