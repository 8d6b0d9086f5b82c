//! The law of partitions on a small run: no bit of the result depends on how a window is cut into micro-batches or on which
//! kernels compute it.

use super::{Event, Extent, Finding, Numbers, Section};
use crate::data::{Batch, Elements, Target};
use crate::gpu::Gpu;
use crate::nn::{Arrays, Model};
use crate::optim::{Adam, Clip, Optimizer, Sgd};
use crate::plan::ExecutionMode;
use crate::train::{Settings, Trainer, Update};
use crate::{Error, Result};

/// Rows of a window.
const BATCH: usize = 64;
/// Windows of a run.
const UPDATES: usize = 3;
const FEATURES: usize = 13;
const OUTPUTS: usize = 3;

/// Trains with each optimizer, each cut and each execution mode, and compares the bits with those of whole windows. Each
/// optimizer has its own kernels for a whole network; unless all are wanted, only one optimizer is tried with those.
///
/// # Errors
/// The driver's error.
pub(super) fn check(gpu: &Gpu, extent: Extent, mut watch: impl FnMut(Event)) -> Result<()> {
    let cuts: [(&str, &[usize], ExecutionMode); 8] = [
        ("64 at once, again", &[BATCH], ExecutionMode::Ops),
        ("5 + 17 + 42", &[5, 17, 42], ExecutionMode::Ops),
        ("8 × 8", &[8; 8], ExecutionMode::Ops),
        ("64 × 1", &[1; BATCH], ExecutionMode::Ops),
        ("64 at once, fused", &[BATCH], ExecutionMode::Fused),
        ("5 + 17 + 42, fused", &[5, 17, 42], ExecutionMode::Fused),
        ("64 at once, windows", &[BATCH], ExecutionMode::Windows),
        ("5 + 17 + 42, windows", &[5, 17, 42], ExecutionMode::Windows),
    ];
    let mut whole = Vec::new();
    for (name, cut, kernels) in cuts {
        watch(Event::Begins(name.to_owned()));
        let trainings = trainings(extent, kernels);
        let mut wrong = None;
        for &training in trainings {
            let found = match beside_whole(gpu, training, &mut whole, cut, kernels) {
                Err(Error::Kernel { kernel, message, .. }) => Some(format!("{kernel}: {message}")),
                found => found?,
            };
            wrong = wrong.or(found);
        }
        let (name, cases) = (name.to_owned(), trainings.len());
        watch(Event::Found(Finding { part: Section::Bits, name, cases, rounding: None, wrong }));
    }
    Ok(())
}

/// The first difference between a cut run and one of whole windows, which is made once per training.
fn beside_whole(
    gpu: &Gpu,
    training: Training,
    whole: &mut Vec<(Training, Left)>,
    cut: &[usize],
    kernels: ExecutionMode,
) -> Result<Option<String>> {
    if !whole.iter().any(|&(known, _)| known == training) {
        whole.push((training, run(gpu, training, &[BATCH], ExecutionMode::Ops)?));
    }
    let cut = run(gpu, training, cut, kernels)?;
    Ok(whole.iter().filter(|&&(known, _)| known == training).find_map(|(_, whole)| apart(whole, &cut)))
}

/// The result of a run after each update.
type Left = Vec<(Update, Arrays)>;

/// A network and its optimizer.
#[derive(Clone, Copy, PartialEq)]
enum Training {
    AdamW,
    Adam,
    Sgd,
}

fn trainings(extent: Extent, kernels: ExecutionMode) -> &'static [Training] {
    match (extent, kernels) {
        (Extent::All, _) => &[Training::AdamW, Training::Adam, Training::Sgd],
        (Extent::Chosen, ExecutionMode::Ops | ExecutionMode::Fused) => &[Training::AdamW],
        // Clipping by norm excludes such kernels.
        (Extent::Chosen, ExecutionMode::Windows) => &[Training::Sgd],
    }
}

fn run(gpu: &Gpu, training: Training, cut: &[usize], kernels: ExecutionMode) -> Result<Left> {
    let (norm, free) = (Clip { norm: Some(0.5), value: None }, Clip::default());
    let sgd = Sgd { momentum: 0.9, weight_decay: 0.01, ..Sgd::default() };
    let (activation, loss, optimizer, clip): (_, _, Box<dyn Optimizer>, _) = match training {
        Training::AdamW => ("gelu", "cross_entropy", Box::new(Adam::decoupled()), norm),
        Training::Adam => ("gelu", "huber", Box::<Adam>::default(), free),
        Training::Sgd => ("tanh", "mse", Box::new(sgd), free),
    };
    let micro_batch = cut.iter().copied().max().unwrap_or(BATCH);
    let settings =
        Settings { micro_batch, optimizer, clip, lr: 0.05, seed: 1, kernels: Some(kernels), ..Settings::default() };
    train(gpu, activation, loss, settings, cut)
}

fn train(gpu: &Gpu, activation: &str, loss: &str, settings: Settings, cut: &[usize]) -> Result<Left> {
    let layers = [19.into(), activation.into(), 7.into(), activation.into(), OUTPUTS.into()];
    let model = Model::new(FEATURES, &layers, loss)?;
    let whole_windows = settings.kernels == Some(ExecutionMode::Windows);
    let mut trainer = Trainer::new(gpu, &model, settings)?;
    let mut numbers = Numbers::new(1);
    let rows = UPDATES * BATCH;
    let (features, values) = (numbers.floats(rows * FEATURES), numbers.floats(rows * OUTPUTS));
    let classes: Vec<u32> = (0..rows).map(|_| numbers.below(OUTPUTS) as u32).collect();
    // Some rows have weight 0.
    let weights: Vec<f32> = (0..rows).map(|_| (numbers.below(4) as f32) * 0.7).collect();
    let stretch = |row: usize, rows: usize| Batch {
        features: Elements::F32(&features[row * FEATURES..][..rows * FEATURES]),
        targets: match loss {
            "cross_entropy" => Target::Classes(&classes[row..][..rows]),
            _ => Target::Values(&values[row * OUTPUTS..][..rows * OUTPUTS]),
        },
        weights: Some(&weights[row..][..rows]),
    };
    if whole_windows {
        trainer.attach(&stretch(0, rows))?;
    }
    let mut row = 0;
    let mut left = Left::new();
    for _ in 0..UPDATES {
        for &rows in cut {
            match whole_windows {
                true => trainer.schedule(&(row..row + rows).map(|row| row as u32).collect::<Vec<_>>(), false)?,
                false => trainer.micro_step(&stretch(row, rows))?,
            }
            row += rows;
        }
        trainer.update()?;
        let updates = trainer.finish()?;
        let parameters = trainer.parameters()?;
        left.extend(updates.into_iter().map(|update| (update, parameters.clone())));
    }
    Ok(left)
}

/// The first difference between two runs.
fn apart(whole: &Left, cut: &Left) -> Option<String> {
    if whole.len() != UPDATES || cut.len() != UPDATES {
        return Some(format!("{} and {} updates were made, not {UPDATES}", whole.len(), cut.len()));
    }
    for ((a, whole), (b, cut)) in whole.iter().zip(cut) {
        if !a.made() || !b.made() {
            return Some(format!("update {} was left out: its loss is {} and {}", a.update, a.loss, b.loss));
        }
        if (a.loss.to_bits(), a.weight.to_bits()) != (b.loss.to_bits(), b.weight.to_bits()) {
            return Some(format!("the loss of update {} is {:e}, but {:e} at once", a.update, b.loss, a.loss));
        }
        for (name, whole) in whole {
            let cut = cut.get(name).map_or(&[][..], |array| &array.values);
            let differs = |at: &usize| cut.get(*at).map(|v| v.to_bits()) != Some(whole.values[*at].to_bits());
            if let Some(at) = (0..whole.values.len()).find(differs) {
                let (ours, whole) = (cut.get(at).copied().unwrap_or(f32::NAN), whole.values[at]);
                return Some(format!("after update {} {name}[{at}] is {ours:e}, but {whole:e} at once", a.update));
            }
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;
    use crate::plan::Array;
    use crate::train::LeftOut;

    fn left(loss: f64, weight: f32) -> Left {
        let update = |update| Update { update, samples: 64, weight: 60.0, loss, lr: 0.05, left_out: None };
        let array = Array { shape: vec![1], values: vec![weight] };
        (1..=UPDATES as u64).map(|k| (update(k), BTreeMap::from([("0.bias".to_owned(), array.clone())]))).collect()
    }

    #[test]
    fn runs_part_at_the_first_bit_that_differs() {
        let whole = left(0.5, 0.0);
        assert_eq!(apart(&whole, &whole), None);
        assert_eq!(
            apart(&whole, &left(0.5, -0.0)).unwrap(),
            "after update 1 0.bias[0] is -0e0, but 0e0 at once",
            "-0 is not 0"
        );
        assert_eq!(apart(&whole, &left(0.25, 0.0)).unwrap(), "the loss of update 1 is 2.5e-1, but 5e-1 at once");
        assert_eq!(apart(&whole, &whole[..2].to_vec()).unwrap(), "3 and 2 updates were made, not 3");
        let mut not_made = left(0.5, 0.0);
        not_made[1].0.left_out = Some(LeftOut::NoWeight);
        assert_eq!(apart(&whole, &not_made).unwrap(), "update 2 was left out: its loss is 0.5 and 0.5");
    }
}
