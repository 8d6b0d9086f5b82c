//! The kernels that end a window against their references: clipping, optimizers over several updates, closing an open block.

use std::ops::Range;
use std::sync::Arc;

use super::case::{linear, loss_of_values};
use super::compare::{Compared, largest};
use super::rig::{Rig, kernel};
use super::{Case, Numbers};
use crate::gpu::Gpu;
use crate::graph::tolerance::rounds;
use crate::graph::{Graph, Op, Resource, Tensor};
use crate::ops::Linear;
use crate::optim::{ALL, Clip, Decay, Factor, Kind, LrFactors, Optimizer, STRETCH, Sgd, Word};
use crate::plan::{Kernels, Stats, Training};
use crate::reference::Matrix;
use crate::{Error, Result};

/// A network of one layer, and its parameters.
///
/// # Errors
/// Never for sizes above 0.
pub fn layer(inputs: usize, outputs: usize) -> Result<(Case, Tensor)> {
    of_one_layer(inputs, outputs, 1)
}

pub(super) fn of_one_layer(inputs: usize, outputs: usize, rows: usize) -> Result<(Case, Tensor)> {
    let mut graph = Graph::new();
    let x = graph.input(inputs);
    let output = linear(&mut graph, "layer", x, outputs)?;
    let parameters = graph.nodes()[0].inputs[1];
    let name = format!("a layer of {inputs} × {outputs}");
    Ok((Case { name, ..Case::ending(graph, output, loss_of_values(), rows, 5)? }, parameters))
}

/// Every optimizer in each of its cases, with each kind of clipping.
pub fn cases() -> Vec<(Box<dyn Optimizer>, Clip)> {
    let clips = [Clip::default(), Clip { norm: Some(0.2), value: None }, Clip { norm: Some(2.0), value: Some(0.05) }];
    let of = |kind: &&Kind| {
        let all = clips.len().max((kind.cases)().len());
        let optimizers = std::iter::repeat_with(kind.cases).flatten();
        optimizers.zip(clips.into_iter().cycle()).take(all).collect::<Vec<_>>()
    };
    ALL.iter().flat_map(of).collect()
}

/// Words of the stats before the results.
const HEADER: usize = Stats::HEADER as usize / 4;

/// Gives the next update its window: the sums of the gradients, of the loss and of the weight, and the number of updates made
/// before it. Other words of the stats stay, and are 0 in the beginning.
///
/// # Errors
/// The driver's error.
pub fn window(rig: &Rig, sums: &[f32], loss: f32, weight: f32, made: u32) -> Result<()> {
    rig.upload(Resource::Gradients(rig.all()), sums)?;
    let mut head = if made == 0 { vec![0.0; HEADER] } else { rig.read(Resource::Stats)?[..HEADER].to_vec() };
    (head[0], head[1], head[8]) = (loss, weight, f32::from_bits(made));
    // The clock says that no update came before, and no gradient was checked yet.
    (head[Stats::SEQUENCE], head[Stats::UNFIT]) = (0.0, 0.0);
    rig.upload(Resource::Stats, &head)
}

/// Makes one update of the window that was set.
///
/// # Errors
/// The driver's error.
pub fn update(rig: &Rig, optimizer: &dyn Optimizer, update: u64, lr: f64) -> Result<()> {
    let step = rig.plan().update_steps().last().ok_or_else(|| Error::Internal("a plan has an update".to_owned()))?;
    let reflection = step.shader.reflection()?;
    let scalars = reflection.pack("scalars", &optimizer.scalars(update, lr)).map_err(Error::Internal)?;
    rig.clock(&[("update", update as u32)], &scalars)?;
    rig.run(rig.program.update())
}

/// Factors of the learning rate, those of weights and biases far apart.
pub fn factors() -> LrFactors {
    LrFactors::from([("weight", Factor::Word(Word::FanIn)), ("bias", Factor::Number(3.0))])
}

/// The reference of an optimizer with a factor of the learning rate for each stretch of the parameters.
fn reference(
    optimizer: &dyn Optimizer,
    (update, lr): (u64, f64),
    factors: &[(Range<usize>, f64)],
    gradient: &[f64],
    parameters: &mut [f64],
    moments: &mut [f64],
) {
    let count = parameters.len();
    for (stretch, factor) in factors {
        let slot = |k: usize| k * count + stretch.start..k * count + stretch.end;
        let mut own: Vec<f64> = (0..optimizer.state_slots()).flat_map(|k| moments[slot(k)].to_vec()).collect();
        let parameters = &mut parameters[stretch.clone()];
        optimizer.reference(update, lr * factor, &gradient[stretch.clone()], parameters, &mut own);
        for (k, own) in own.chunks(stretch.len()).enumerate() {
            moments[slot(k)].copy_from_slice(own);
        }
    }
}

/// An optimizer against its reference over six updates of one layer: parameters, optimizer state and the clipped gradient.
///
/// # Errors
/// The driver's error.
pub fn optimizer(
    gpu: &Gpu,
    optimizer: &dyn Optimizer,
    clip: Clip,
    lr_factors: LrFactors,
    layer: (usize, usize),
) -> Result<Vec<Compared>> {
    let (case, tensor) = of_one_layer(layer.0, layer.1, 1)?;
    let weights = layer.0 * layer.1;
    let stretches = [("weight", 0..weights), ("bias", weights..weights + layer.1)];
    let factors = stretches.map(|(kind, stretch)| (stretch, lr_factors.of(kind, layer.0)));
    let kernels = Kernels::OPS;
    let training = Training {
        loss: case.loss,
        optimizer,
        clip,
        lr_factors,
        decay: Decay::All,
        open_blocks: true,
        kernels,
        seed: 0,
        augment: Default::default(),
    };
    let rig = Rig::of(gpu, &case, training)?;
    let name = rig.plan().update_steps().last().map_or_else(String::new, kernel);
    let mut numbers = Numbers::new(9);
    let mut parameters = case.given[&tensor].clone();
    let count = parameters.columns;
    let mut moments = vec![0.0; count * optimizer.state_slots()];
    let mut all = Vec::new();
    for at in 1..=6 {
        // Weights far from 1: a missing division shows.
        let weight = 3.0 + 10.0 * numbers.float().abs();
        let sums = Matrix::from_f32(1, count, &numbers.floats(count));
        let mut gradient: Vec<f64> = sums.values.iter().map(|sum| sum / f64::from(weight)).collect();
        let lr = 0.5 / at as f64;
        window(&rig, &rig.flat(|_| sums.clone())?, 1.0, weight, at as u32 - 1)?;
        update(&rig, optimizer, at, lr)?;
        all.extend(norm(&rig, clip, weight)?);
        clip.reference(&mut gradient);
        reference(optimizer, (at, lr), &factors, &gradient, &mut parameters.values, &mut moments);

        let mut compare = |what: String, flat: &[f32], reference: &Matrix| -> Result<()> {
            let allowed = 1e-6 * largest(reference);
            let ours = &rig.unflat(flat)[&tensor];
            all.push(Compared::new(name.clone(), what.clone(), ours, reference, |_, _| allowed, None));
            all.extend(Compared::padding(name.clone(), &what, rig.flat_padding(flat)?));
            Ok(())
        };
        compare(format!("parameters after update {at}"), &rig.read(Resource::Parameters(rig.all()))?, &parameters)?;
        if optimizer.state_slots() > 0 {
            let flat = rig.read(Resource::OptimizerState(rig.all()))?;
            let references =
                moments.chunks(count).map(|reference| Matrix { rows: 1, columns: count, values: reference.to_vec() });
            for (k, (flat, reference)) in flat.chunks(flat.len() / optimizer.state_slots()).zip(references).enumerate()
            {
                compare(format!("moment {} after update {at}", k + 1), flat, &reference)?;
            }
        }
    }
    Ok(all)
}

/// The parts of the gradient's squared norm, and the scale that follows from it.
fn norm(rig: &Rig, clip: Clip, weight: f32) -> Result<Vec<Compared>> {
    let (Some(most), [squares, factor, ..]) = (clip.norm, rig.plan().update_steps()) else { return Ok(Vec::new()) };
    let row = |values: Vec<f64>| Matrix { rows: 1, columns: values.len(), values };
    let sums = rig.read(Resource::Gradients(rig.all()))?;
    let norms = rig.read(Resource::Norms)?;
    let stretch = 4 * STRETCH;
    let square = |sum: &f32| (f64::from(*sum) / f64::from(weight)).powi(2);
    let reference = sums.chunks(stretch).map(|sums| sums.iter().map(square).sum::<f64>());
    let (ours, reference) = (row(norms.iter().map(|&norm| f64::from(norm)).collect()), row(reference.collect()));
    let squares = Compared::new(
        kernel(squares),
        "norms",
        &ours,
        &reference,
        |_, c| rounds(stretch) * reference.values[c] + 1e-30,
        None,
    );
    let norm = ours.values.iter().sum::<f64>().sqrt();
    let reference = row(vec![(most / (norm + 1e-6)).min(1.0)]);
    let ours = row(vec![f64::from(rig.read(Resource::Stats)?[10])]);
    let factor = Compared::new(kernel(factor), "scale", &ours, &reference, |_, _| 1e-6 * reference.values[0], None);
    Ok(vec![squares, factor])
}

/// Closing an open block: one addition per parameter, and for the sums of loss and weight. Exact.
///
/// # Errors
/// The driver's error.
pub fn close(gpu: &Gpu, layer: (usize, usize)) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(layer.0, layer.1, 1)?;
    let rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    let mut numbers = Numbers::new(3);
    let len = rig.plan().layout.floats();
    let (sums, open, head) = (numbers.floats(len), numbers.floats(len), numbers.floats(4));
    rig.upload(Resource::Gradients(rig.all()), &sums)?;
    rig.upload(Resource::OpenGradients(rig.all()), &open)?;
    rig.upload(Resource::Stats, &head)?;
    rig.clock(&[], &[])?;
    rig.run(rig.program.close())?;
    let name = rig.plan().training.as_ref().map_or_else(String::new, |steps| kernel(&steps.close));
    let added = |a: &[f32], b: &[f32]| -> Vec<f32> { a.iter().zip(b).map(|(a, b)| a + b).collect() };
    let compare = |what: &str, ours: &[f32], reference: &[f32]| {
        let row = |values: &[f32]| Matrix::from_f32(1, values.len(), values);
        Compared::new(name.clone(), what, &row(ours), &row(reference), |_, _| 0.0, None)
    };
    Ok(vec![
        compare("gradients", &rig.read(Resource::Gradients(rig.all()))?, &added(&sums, &open)),
        compare("loss and weight of the window", &rig.read(Resource::Stats)?[..2], &added(&head[..2], &head[2..])),
    ])
}

/// Adding the gradients of three uses of one parameter, in the order of the uses. Exact.
///
/// # Errors
/// The driver's error.
pub fn fold(gpu: &Gpu, width: usize) -> Result<Vec<Compared>> {
    let mut graph = Graph::new();
    let x = graph.input(width);
    let layer = Arc::new(Linear::new(width));
    let shared = graph.parameters("shared", layer.parameters(graph.shape(x)));
    let mut at = x;
    for name in ["first", "second", "third"] {
        at = graph.apply(layer.clone(), name, &[at, shared])?;
    }
    let case = Case::ending(graph, at, loss_of_values(), 2, 1)?;
    let rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    let every = rig.plan().all_gradients();
    let sums = Numbers::new(5).floats(every.floats() as usize);
    rig.upload(Resource::Gradients(every), &sums)?;
    rig.fold()?;
    let folded = rig.read(Resource::Gradient(shared))?;
    let uses = sums.chunks(sums.len() / 3).map(|sums| &sums[..folded.len()]);
    let add = |sum: Vec<f32>, next: &[f32]| sum.iter().zip(next).map(|(a, b)| a + b).collect();
    let wanted: Vec<f32> = uses.fold(vec![0.0; folded.len()], add);
    let name = rig.plan().update_steps().first().map_or_else(String::new, kernel);
    let row = |values: &[f32]| Matrix::from_f32(1, values.len(), values);
    Ok(vec![Compared::new(name, "gradients", &row(&folded), &row(&wanted), |_, _| 0.0, None)])
}

/// Counting submissions. Exact.
///
/// # Errors
/// The driver's error.
pub fn mark(gpu: &Gpu) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(1, 1, 1)?;
    let rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    let count =
        || -> Result<f64> { Ok(f64::from(Stats::of(bytemuck::cast_slice(&rig.read(Resource::Stats)?)).marks())) };
    let before = count()?;
    let mut counted = Vec::new();
    for _ in 0..3 {
        rig.run(rig.program.mark())?;
        counted.push(count()? - before);
    }
    let name = rig.plan().training.as_ref().map_or_else(String::new, |steps| kernel(&steps.mark));
    let row = |values: Vec<f64>| Matrix { rows: 1, columns: values.len(), values };
    let wanted = row(vec![1.0, 2.0, 3.0]);
    Ok(vec![Compared::new(name, "submissions", &row(counted), &wanted, |_, _| 0.0, None)])
}

/// Checking all gradients: whether one of them is not finite, wherever it is. Exact.
///
/// # Errors
/// The driver's error.
pub fn check(gpu: &Gpu, layer: (usize, usize)) -> Result<Vec<Compared>> {
    let (case, _) = of_one_layer(layer.0, layer.1, 1)?;
    let rig = Rig::new(gpu, &case, &Sgd::default(), Clip::default())?;
    let Some((step, dispatch)) = rig.plan().update_steps().iter().zip(rig.program.update()).next() else {
        return Ok(Vec::new());
    };
    let mut numbers = Numbers::new(6);
    let len = rig.plan().layout.floats();
    let mut cases = vec![None];
    for (at, value) in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, f32::MAX].into_iter().enumerate() {
        cases.extend([at, len - 1 - at, numbers.below(len)].map(|at| Some((at, value))));
    }
    let (mut ours, mut reference) = (Vec::new(), Vec::new());
    for case in &cases {
        let mut gradients = numbers.floats(len);
        if let Some((at, value)) = *case {
            gradients[at] = value;
        }
        rig.upload(Resource::Gradients(rig.all()), &gradients)?;
        rig.upload(Resource::Stats, &[0.0; HEADER])?;
        rig.run(std::slice::from_ref(dispatch))?;
        ours.push(rig.read(Resource::Stats)?[Stats::UNFIT].to_bits() as f32);
        reference.push(f32::from(u8::from(gradients.iter().any(|gradient| !gradient.is_finite()))));
    }
    let row = |values: &[f32]| Matrix::from_f32(1, values.len(), values);
    Ok(vec![Compared::new(kernel(step), "not finite", &row(&ours), &row(&reference), |_, _| 0.0, None)])
}
