//! How far f32 may be from f64, from the sizes of what is added.

use crate::ops::{Op, Reads, Role};
use crate::reference::Matrix;

/// f32 rounds to within this, relatively.
pub(super) const EPS: f64 = 1.0 / (1u64 << 24) as f64;

/// The smallest normal number.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

/// What f32 may make of one element, given what f64 makes of it and the size of what it is made from.
pub(super) struct Tolerance {
    /// Of the op's output.
    pub value: Matrix,
    /// Of the gradients of its inputs.
    pub inputs: Vec<Matrix>,
}

/// What so many additions may round, relative to Σ|terms|. Each rounds by EPS of a partial sum; the roundings have random
/// signs, so √terms of them is what is seen.
pub(super) fn rounds(terms: usize) -> f64 {
    (2.0 * (terms as f64).sqrt() + 4.0) * EPS
}

fn plain(v: f64) -> f64 {
    v.abs()
}

/// More than a number by what a driver takes away that flushes it.
fn flushed(v: f64) -> f64 {
    if v.abs() < LEAST { 2.0 * v.abs() } else { v.abs() }
}

/// Σ|terms| of a layer's output and of the gradients of its inputs, with factors of these sizes.
fn sums(op: &dyn Op, inputs: &[&Matrix], output: &Matrix, doutput: &Matrix, size: fn(f64) -> f64) -> Vec<Matrix> {
    let of = |m: &Matrix| Matrix::build(m.rows, m.columns, |r, c| size(m.at(r, c)));
    let inputs: Vec<Matrix> = inputs.iter().map(|m| of(m)).collect();
    let inputs: Vec<&Matrix> = inputs.iter().collect();
    let mut sums = vec![op.reference_forward(&inputs)];
    sums.extend(op.reference_backward(&inputs, output, &of(doutput)));
    sums
}

/// The tolerances of an op's output and of its inputs' gradients.
///
/// * A layer is a sum of K products. Each of K additions rounds by EPS of a partial sum, which is at most Σ|terms|; see
///   [`rounds`]. Σ|terms| is what the op's reference makes of the absolute values. WGSL lets a driver flush subnormal numbers: a factor
///   that is one may count as 0 or as itself, and each partial sum may lose the smallest normal number.
/// * An activation has |f(x)| <= |x| + 1 and |f'(x)| < 2, out of about 20 operations and one exp within a few EPS: 1e-6 of
///   that size (the polynomial of erf alone is 1.5e-7 away).
/// * A loss adds terms of the size of the logits, and its mean rounds √columns times. Its gradient by one output is of
///   the size of the row's weight / columns (of the weight, for a class), or larger where the error is.
pub(super) fn tolerance(
    op: &dyn Op,
    inputs: &[&Matrix],
    output: &Matrix,
    doutput: &Matrix,
    references: &[Matrix],
) -> Tolerance {
    let x = inputs[0];
    match op.role() {
        Role::Layer => {
            let [plain, flushed] = [plain, flushed].map(|size| sums(op, inputs, output, doutput, size));
            let within = |at: usize, terms: usize| {
                let (plain, flushed): (&Matrix, &Matrix) = (&plain[at], &flushed[at]);
                Matrix::build(plain.rows, plain.columns, |r, c| {
                    let size = plain.at(r, c);
                    rounds(terms) * size + (flushed.at(r, c) - size) + terms as f64 * LEAST
                })
            };
            Tolerance { value: within(0, x.columns), inputs: vec![within(1, output.columns), within(2, x.rows)] }
        }
        Role::Activation => Tolerance {
            value: Matrix::build(x.rows, x.columns, |r, c| 1e-6 * (1.0 + x.at(r, c).abs())),
            inputs: inputs
                .iter()
                .map(|x| {
                    Matrix::build(x.rows, x.columns, |r, c| 1e-6 * (1.0 + x.at(r, c).abs()) * doutput.at(r, c).abs())
                })
                .collect(),
        },
        Role::Loss(reads) => {
            let by = 1e-6 + rounds(x.columns);
            let largest = |r| (0..x.columns).fold(1.0, |most: f64, c| most.max(x.at(r, c).abs()));
            let share = if reads == Reads::Class { 1.0 } else { 1.0 / x.columns as f64 };
            let gradient = |r, c| by * (references[0].at(r, c).abs() + doutput.at(r, 0).abs() * share);
            Tolerance {
                value: Matrix::build(x.rows, 1, |r, _| by * (output.at(r, 0).abs() + largest(r))),
                inputs: vec![Matrix::build(x.rows, x.columns, gradient), Matrix::default()],
            }
        }
    }
}
