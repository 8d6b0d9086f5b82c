//! How far f32 may be from f64, from the sizes of what is added.

use super::{Checked, Op};
use crate::tensor::{Matrix, Operand};

/// f32 rounds to within this, relatively.
pub const EPS: f64 = 1.0 / (1u64 << 24) as f64;

/// The smallest normal number.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

/// What f32 may make of one element, given what f64 makes of it and the size of what it is made from.
pub struct Tolerance {
    /// Of the op's output.
    pub value: Matrix,
    /// Of the gradients of its inputs.
    pub inputs: Vec<Matrix>,
}

/// What so many additions may round, relative to Σ|terms|. Each rounds by EPS of a partial sum; the roundings have random
/// signs, so √terms of them is what is seen.
pub fn rounds(terms: usize) -> f64 {
    (2.0 * (terms as f64).sqrt() + 4.0) * EPS
}

impl Tolerance {
    /// Of an op that makes sums of products, of so many terms each: its output, then the gradient of each input.
    ///
    /// Each of K additions rounds by EPS of a partial sum, which is at most Σ|terms|; see [`rounds`]. Σ|terms| is what the op's
    /// reference makes of the absolute values. WGSL lets a driver flush subnormal numbers: a factor that is one may count as 0
    /// or as itself, and each partial sum may lose the smallest normal number.
    pub fn of_products(op: &dyn Op, checked: &Checked, terms: &[usize]) -> Tolerance {
        let [plain, flushed] = [f64::abs, flushed].map(|size| sums(op, checked, size));
        let within = |at: usize| {
            let (plain, flushed): (&Matrix, &Matrix) = (&plain[at], &flushed[at]);
            Matrix::build(plain.rows, plain.columns, |r, c| {
                let size = plain.at(r, c);
                rounds(terms[at]) * size + (flushed.at(r, c) - size) + terms[at] as f64 * LEAST
            })
        };
        Tolerance { value: within(0), inputs: (1..terms.len()).map(within).collect() }
    }

    /// Of an activation: |f(x)| <= |x| + 1 and |f'(x)| < 2, out of about 20 operations and one exp within a few EPS: 1e-6 of
    /// that size (the polynomial of erf alone is 1.5e-7 away).
    pub fn of_elements(checked: &Checked) -> Tolerance {
        let (x, dy) = (checked.inputs[0], checked.doutput);
        let size = |r, c| 1e-6 * (1.0 + x.at(r, c).abs());
        let gradient = Matrix::build(x.rows, x.columns, |r, c| size(r, c) * dy.at(r, c).abs());
        Tolerance { value: Matrix::build(x.rows, x.columns, size), inputs: vec![gradient] }
    }

    /// Of a loss, which adds terms of the size of the logits, and whose mean rounds √columns times. Its gradient by one column
    /// is of the size of the weight times `share`, or larger where the error is.
    pub fn of_loss(checked: &Checked, share: f64) -> Tolerance {
        let y = checked.inputs[0];
        let by = 1e-6 + rounds(y.columns);
        let largest = |r| (0..y.columns).fold(1.0, |most: f64, c| most.max(y.at(r, c).abs()));
        let gradient = |r, c| by * (checked.gradients[0].at(r, c).abs() + checked.doutput.at(r, 0).abs() * share);
        Tolerance {
            value: Matrix::build(y.rows, 1, |r, _| by * (checked.output.at(r, 0).abs() + largest(r))),
            inputs: vec![Matrix::build(y.rows, y.columns, gradient), Matrix::default()],
        }
    }
}

/// More than a number by what a driver takes away that flushes it.
fn flushed(v: f64) -> f64 {
    if v.abs() < LEAST { 2.0 * v.abs() } else { v.abs() }
}

/// Σ|terms| of an op's output and of the gradients of its inputs, with factors of these sizes.
fn sums(op: &dyn Op, checked: &Checked, size: fn(f64) -> f64) -> Vec<Matrix> {
    let of = |m: &Matrix| Matrix::build(m.rows, m.columns, |r, c| size(m.at(r, c)));
    let values: Vec<Matrix> = checked.inputs.iter().map(|input| of(input)).collect();
    let inputs: Vec<Operand> =
        checked.inputs.iter().zip(&values).map(|(input, values)| Operand { shape: input.shape, values }).collect();
    let mut sums = vec![op.reference_forward(&inputs)];
    sums.extend(op.reference_backward(&inputs, checked.output, &of(checked.doutput)));
    sums
}
