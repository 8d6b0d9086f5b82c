//! Every op of a case on the GPU against its twin in f64.

use std::collections::HashMap;

use accrue::gpu::Gpu;
use accrue::graph::{Kind, Tensor};
use accrue::ops::{Op, Place, Reads, Role};
use accrue::optim::Sgd;
use accrue::twin::{self, Matrix};

use super::case::Case;
use super::distance;
use super::rig::{Rig, Written};

/// f32 rounds to within this, relatively.
const EPS: f64 = 1.0 / (1u64 << 24) as f64;

/// What f32 may make of one element, given what f64 makes of it and the size of what it is made from.
struct Tolerance {
    value: Matrix,
    inputs: Vec<Matrix>,
}

/// The tolerances of an op's output and of its inputs' gradients.
///
/// * A layer is a sum of K products. Each of K additions rounds by EPS of a partial sum, which is at most Σ|terms|; the
///   roundings have random signs, so √K of them is what is seen and 2√K + 4 what is allowed. Σ|terms| is what the op's
///   twin makes of the absolute values.
/// * An activation has |f(x)| <= |x| + 1 and |f'(x)| < 2, out of about 20 operations and one exp within a few EPS: 1e-6 of
///   that size (the polynomial of erf alone is 1.5e-7 away).
/// * A loss adds terms of the size of the logits, and its mean rounds √columns times. Its gradient by one output is of
///   the size of the row's weight / columns (of the weight, for a class), or larger where the error is.
fn tolerance(op: &dyn Op, inputs: &[&Matrix], output: &Matrix, doutput: &Matrix, twins: &[Matrix]) -> Tolerance {
    let absolute = |m: &Matrix| Matrix::build(m.rows, m.columns, |r, c| m.at(r, c).abs());
    let scaled = |m: &Matrix, by: f64| Matrix::build(m.rows, m.columns, |r, c| m.at(r, c) * by);
    let rounds = |terms: usize| (2.0 * (terms as f64).sqrt() + 4.0) * EPS;
    let x = inputs[0];
    match op.role() {
        Role::Layer => {
            let sizes: Vec<Matrix> = inputs.iter().map(|m| absolute(m)).collect();
            let sizes: Vec<&Matrix> = sizes.iter().collect();
            let gradients = op.twin_backward(&sizes, output, &absolute(doutput));
            Tolerance {
                value: scaled(&op.twin_forward(&sizes), rounds(x.columns)),
                inputs: vec![scaled(&gradients[0], rounds(output.columns)), scaled(&gradients[1], rounds(x.rows))],
            }
        }
        Role::Activation => Tolerance {
            value: Matrix::build(x.rows, x.columns, |r, c| 1e-6 * (1.0 + x.at(r, c).abs())),
            inputs: vec![Matrix::build(x.rows, x.columns, |r, c| {
                1e-6 * (1.0 + x.at(r, c).abs()) * doutput.at(r, c).abs()
            })],
        },
        Role::Loss(reads) => {
            let by = 1e-6 + rounds(x.columns);
            let largest = |r| (0..x.columns).fold(1.0, |most: f64, c| most.max(x.at(r, c).abs()));
            let share = if reads == Reads::Class { 1.0 } else { 1.0 / x.columns as f64 };
            let gradient = |r, c| by * (twins[0].at(r, c).abs() + doutput.at(r, 0).abs() * share);
            Tolerance {
                value: Matrix::build(x.rows, 1, |r, _| by * (output.at(r, 0).abs() + largest(r))),
                inputs: vec![Matrix::build(x.rows, x.columns, gradient), Matrix::default()],
            }
        }
    }
}

fn compare(case: &Case, what: &str, ours: &Matrix, twin: &Matrix, allowed: &Matrix, skip: Option<usize>) {
    assert_eq!((ours.rows, ours.columns), (twin.rows, twin.columns), "{}: {what}", case.name);
    for r in (0..twin.rows).filter(|&r| Some(r) != skip) {
        for c in 0..twin.columns {
            let (ours, twin, allowed) = (ours.at(r, c), twin.at(r, c), allowed.at(r, c));
            let apart = (ours - twin).abs();
            assert!(
                apart <= allowed,
                "{}: {what}[{r}, {c}] is {ours:e}, its twin {twin:e}: {apart:e} apart, {allowed:e} allowed",
                case.name
            );
        }
    }
}

/// Everything that a micro-step wrote, without padding.
pub struct Ran {
    /// Values by tensor.
    pub values: HashMap<Tensor, Matrix>,
    /// Gradients by tensor.
    pub gradients: HashMap<Tensor, Matrix>,
}

/// What a micro-step wrote, by tensor.
pub fn ran(rig: &Rig, written: &Written) -> Ran {
    let case = rig.case;
    let mut ran = Ran { values: case.given.clone(), gradients: HashMap::new() };
    for (&place, floats) in written {
        match place {
            Place::Value(tensor) => drop(ran.values.insert(tensor, rig.matrix(tensor, floats))),
            Place::Gradient(tensor) if case.graph.info(tensor).kind == Kind::Made => {
                ran.gradients.insert(tensor, rig.matrix(tensor, floats));
            }
            _ => {}
        }
    }
    let gradients = rig.read(Place::Gradients(rig.all()));
    ran.gradients.extend(rig.unflat(&gradients));
    let weights = Matrix { rows: case.rows(), columns: 1, values: case.weights.clone() };
    ran.gradients.insert(case.loss, weights);
    ran
}

/// Each op against its twin, both given what the GPU gave the op, so that no other op's rounding is in the difference.
pub fn check_each_op(case: &Case, ran: &Ran) {
    let mut sums: HashMap<Tensor, (Matrix, Matrix)> = HashMap::new();
    for node in case.graph.nodes().iter().rev() {
        let inputs: Vec<&Matrix> = node.inputs.iter().map(|input| &ran.values[input]).collect();
        let (output, doutput) = (&ran.values[&node.output], &ran.gradients[&node.output]);
        let twin = node.op.twin_forward(&inputs);
        let twins = node.op.twin_backward(&inputs, &twin, doutput);
        let allowed = tolerance(node.op, &inputs, &twin, doutput, &twins);
        let name = &case.graph.info(node.output).name;
        compare(case, name, output, &twin, &allowed.value, case.masked);
        for ((&input, twin), allowed) in node.inputs.iter().zip(twins).zip(allowed.inputs) {
            match sums.get_mut(&input) {
                None => drop(sums.insert(input, (twin, allowed))),
                Some((sum, bound)) => {
                    sum.values.iter_mut().zip(&twin.values).for_each(|(s, v)| *s += v);
                    // One more addition.
                    bound
                        .values
                        .iter_mut()
                        .zip(&allowed.values)
                        .zip(&sum.values)
                        .for_each(|((b, a), s)| *b += a + 2.0 * EPS * s.abs());
                }
            }
        }
    }
    for (tensor, (twin, allowed)) in &sums {
        if matches!(case.graph.info(*tensor).kind, Kind::Made | Kind::Parameter) {
            let what = format!("d {}", case.graph.info(*tensor).name);
            compare(case, &what, &ran.gradients[tensor], twin, allowed, None);
        }
    }
}

/// The window's loss and weight against the sums over its rows.
fn check_sums(case: &Case, ran: &Ran, stats: &[f32]) {
    let rows: Vec<(f64, f64)> = (0..case.rows())
        .map(|r| (case.weights[r], ran.values[&case.loss].at(r, 0)))
        .filter(|row| row.0 != 0.0)
        .collect();
    let by = (2.0 * (rows.len() as f64).sqrt() + 4.0) * EPS;
    let (weight, loss) = rows.iter().fold((0.0, 0.0), |sum, row| (sum.0 + row.0, sum.1 + row.0 * row.1));
    let size: f64 = rows.iter().map(|row| (row.0 * row.1).abs()).sum();
    assert!((f64::from(stats[0]) - loss).abs() <= by * size, "{}: window loss {}, twin {loss}", case.name, stats[0]);
    assert!((f64::from(stats[1]) - weight).abs() <= by * weight, "{}: weight {}, twin {weight}", case.name, stats[1]);
}

/// Runs one micro-step and compares everything that it wrote: values, gradients, sums, padding.
pub fn check(gpu: &Gpu, case: &Case) {
    let rig = Rig::new(gpu, case, &Sgd::default());
    let written = rig.micro_step();
    let ran = ran(&rig, &written);
    check_each_op(case, &ran);
    check_sums(case, &ran, &written[&Place::Stats]);
    if case.masked.is_some() {
        return; // in f64 the huge row ends in other numbers than in f32, and none of them count
    }
    // From end to end: the ops are also in the right order and given the right tensors.
    let mut twin = twin::forward(&case.graph, &case.given);
    twin::backward(&case.graph, &mut twin, case.loss, &case.weights);
    for tensor in case.graph.tensors().filter(|&tensor| case.graph.info(tensor).kind == Kind::Parameter) {
        let apart = distance(ran.gradients[&tensor].values.clone(), twin.gradients[&tensor].values.clone());
        assert!(apart < 1e-4, "{}: d {} is {apart:e} away from end to end", case.name, case.graph.info(tensor).name);
    }
}
