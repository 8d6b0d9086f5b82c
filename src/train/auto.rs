//! Finds the micro-batch: from the memory, by trials of speed, and smaller if the driver refuses memory. The choice does not
//! change what is learned, because no partition of a window does.

use std::time::{Duration, Instant};

use super::settings::Settings;
use super::trainer::Trainer;
use super::trial::SpeedTrial;
use crate::data::Batch;
use crate::gpu::Gpu;
use crate::graph::Packing;
use crate::nn::{Model, Network};
use crate::plan::{BLOCK, Budget, Chosen, Kernels, Plan, Reads, Training, blocks_of_groups, choose, needs_open_blocks};
use crate::{Error, Result};

/// The most rows at once that fit a budget, for windows of at most `batch` rows; with a carried tail that may be more than
/// `samples`. Nothing is allocated.
///
/// # Errors
/// [`Error::Memory`] if not even one row fits; it names what is too large and the smallest sufficient budget.
pub fn choose_micro_batch(
    gpu: &Gpu,
    model: &Model,
    settings: &Settings,
    batch: usize,
    samples: usize,
    budget: &Budget,
) -> Result<Chosen> {
    let network = settings.network(model)?;
    let data = data_bytes(&network, settings.packing, samples);
    let choose = |copies| {
        choose(batch, data, budget, gpu.limits(), |rows, open_blocks| {
            let plan = plan(gpu, &network, settings, (rows, open_blocks, copies))?;
            plan.check(gpu).map(|()| plan)
        })
    };
    match choose(settings.copies) {
        Ok(chosen) if !chosen.copies || chosen.micro_batch >= BLOCK.min(batch) => Ok(chosen),
        _ => choose(false),
    }
}

/// Checks a requested micro-batch of this many rows, with open blocks or without, against adapter and budget. Nothing is
/// allocated.
///
/// # Errors
/// [`Error::Memory`] if it does not fit; it says what is too large.
pub fn fixed_micro_batch(
    gpu: &Gpu,
    model: &Model,
    settings: &Settings,
    (micro_batch, open_blocks): (usize, bool),
    samples: usize,
    budget: Option<&Budget>,
) -> Result<Chosen> {
    let network = settings.network(model)?;
    let data = data_bytes(&network, settings.packing, samples);
    let with = |copies| plan(gpu, &network, settings, (micro_batch, open_blocks, copies));
    let allowed = budget.map_or(u64::MAX, |budget| budget.bytes);
    let mut plan = with(settings.copies)?;
    if plan.bytes() > allowed || plan.check(gpu).is_err() {
        plan = with(false)?;
    }
    let limits = gpu.limits();
    plan.check(gpu)?;
    if plan.bytes() > allowed {
        return Err(Error::Memory(format!(
            "train.micro_batch = {micro_batch} needs {} bytes on the GPU, but {allowed} are allowed (train.memory); lower it, \
             or write micro_batch = \"auto\"",
            plan.bytes()
        )));
    }
    let largest = limits.max_storage_buffer_binding_size.min(limits.max_buffer_size);
    let resident = data <= largest && data <= allowed - plan.bytes();
    let data = if resident { data } else { 0 };
    let (bytes, copies) = (plan.bytes() + data, plan.reads != Reads::Buffers);
    Ok(Chosen { micro_batch, open_blocks, copies, resident, data, bytes, why: "as configured".to_owned() })
}

/// The plan for so many rows, with open blocks and copies or without.
fn plan(
    gpu: &Gpu,
    network: &Network,
    settings: &Settings,
    (rows, open_blocks, copies): (usize, bool, bool),
) -> Result<Plan> {
    let loss = network.loss.ok_or_else(|| Error::Internal("a network for training has a loss".to_owned()))?;
    let (optimizer, kernels) = (&*settings.optimizer, Kernels::with(gpu, settings.kernels, copies));
    let lr_factors = settings.lr_factors.clone();
    let training = Training {
        loss,
        optimizer,
        clip: settings.clip,
        lr_factors,
        decay: settings.decay,
        open_blocks,
        kernels,
        seed: settings.seed,
        augment: settings.augment,
    };
    let plan = Plan::new(&network.graph, network.output, rows, Some(training))?;
    Ok(plan.for_packed(settings.packing.is_some()))
}

fn data_bytes(network: &Network, packing: Option<Packing>, samples: usize) -> u64 {
    let record = network.graph.record();
    4 * packing.map_or(record.stride * samples, |packing| packing.words(&record, samples)) as u64
}

/// The plan of a training with the chosen micro-batch: its steps and its memory, as data.
pub fn plan_training(gpu: &Gpu, model: &Model, settings: &Settings, chosen: &Chosen) -> Result<Plan> {
    plan(gpu, &settings.network(model)?, settings, (chosen.micro_batch, chosen.open_blocks, chosen.copies))
}

/// Makes a trainer for the chosen micro-batch; halves the micro-batch whenever the driver refuses the memory.
///
/// # Errors
/// [`Error::Memory`] if the driver refuses even one row at a time.
pub fn build(
    gpu: &Gpu,
    model: &Model,
    batch: usize,
    mut chosen: Chosen,
    settings: impl Fn() -> Result<Settings>,
) -> Result<(Trainer, Chosen)> {
    let group = model.network(false)?.graph.group();
    loop {
        let now = Settings {
            micro_batch: chosen.micro_batch,
            open_blocks: chosen.open_blocks,
            copies: chosen.copies,
            stream: !chosen.resident,
            ..settings()?
        };
        match Trainer::new(gpu, model, now) {
            Ok(trainer) => {
                chosen.bytes = trainer.plan().bytes() + chosen.data;
                return Ok((trainer, chosen));
            }
            Err(Error::Memory(message)) if chosen.micro_batch > group => {
                // Whole blocks first: fewer rows than a block need an open block of gradients.
                let (half, unit) = (chosen.micro_batch / 2, blocks_of_groups(group));
                let whole = |unit: usize| (half / unit * unit).max(unit);
                let rows = if chosen.micro_batch > unit { whole(unit) } else { whole(group) };
                log::warn!("{message}; continuing with micro-batches of {rows} rows instead of {}", chosen.micro_batch);
                chosen.micro_batch = rows;
                chosen.open_blocks |= needs_open_blocks(batch, rows);
                chosen.why = "the driver refused more".to_owned();
            }
            Err(error) => return Err(error),
        }
    }
}

/// The fastest of the micro-batches that fit, by a short trial of each on the data. The weights of trials are discarded.
pub fn fastest(
    gpu: &Gpu,
    model: &Model,
    batch: usize,
    most: &Chosen,
    data: &Batch,
    settings: impl Fn() -> Result<Settings>,
) -> Result<Chosen> {
    let mut best: Option<(f64, Chosen)> = None;
    let mut rows = blocks_of_groups(model.network(false)?.graph.group()).min(most.micro_batch);
    loop {
        let candidate = Chosen {
            micro_batch: rows,
            open_blocks: needs_open_blocks(batch, rows),
            why: String::new(),
            ..most.clone()
        };
        let (trainer, candidate) = build(gpu, model, batch, candidate, &settings)?;
        let seconds = seconds_per_row(trainer, batch, data)?;
        log::info!("micro-batch {rows}: {:.1} µs a row", 1e6 * seconds);
        if best.as_ref().is_none_or(|(least, _)| seconds < *least) {
            best = Some((seconds, candidate));
        }
        if rows == most.micro_batch {
            break;
        }
        rows = (2 * rows).min(most.micro_batch);
    }
    let (seconds, chosen) = best.ok_or_else(|| Error::Internal("a trial has a winner".to_owned()))?;
    Ok(Chosen { why: format!("the fastest of a trial, {:.1} µs a row", 1e6 * seconds), ..chosen })
}

/// Seconds per row: the median of three trials of a window, after one warm-up.
fn seconds_per_row(trainer: Trainer, batch: usize, data: &Batch) -> Result<f64> {
    const LONG_ENOUGH: Duration = Duration::from_millis(50);
    let mut trial = SpeedTrial::new(trainer, batch, data)?;
    let mut once = || -> Result<f64> {
        let (start, mut rows) = (Instant::now(), 0);
        while rows == 0 || start.elapsed() < LONG_ENOUGH {
            trial.run(1)?;
            rows += batch;
        }
        Ok(start.elapsed().as_secs_f64() / rows as f64)
    };
    once()?;
    let mut trials = [once()?, once()?, once()?];
    trials.sort_by(f64::total_cmp);
    Ok(trials[1])
}
