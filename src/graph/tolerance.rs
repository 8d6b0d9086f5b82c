//! Tolerances of f32 against f64, from the sizes of the terms that are added.

use super::{Checked, Op};
use crate::tensor::{Matrix, Operand};

/// The relative rounding error of f32.
pub const EPS: f64 = 1.0 / (1u64 << 24) as f64;

/// The smallest normal number of f32.
const LEAST: f64 = f32::MIN_POSITIVE as f64;

/// The tolerance of one f32 element, given its f64 value and the size of its terms.
pub struct Tolerance {
    /// The op's output.
    pub value: Matrix,
    /// The gradients of its inputs.
    pub inputs: Vec<Matrix>,
}

/// The rounding error of this many additions, relative to Σ|terms|. Each addition rounds by EPS of a partial sum; the signs
/// are random, so the observed error is that of √terms additions.
pub fn rounds(terms: usize) -> f64 {
    (2.0 * (terms as f64).sqrt() + 4.0) * EPS
}

impl Tolerance {
    /// The tolerance of an op that sums products, with this many terms per sum: its output, then the gradient of each input.
    ///
    /// Each of K additions rounds by EPS of a partial sum, which is at most Σ|terms|; see [`rounds`]. Σ|terms| is the op's
    /// reference applied to absolute values. WGSL lets a driver flush subnormal numbers: a subnormal factor may count as 0
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

    /// The tolerance of an activation: |f(x)| < 1.1 · (|x| + 1) and |f'(x)| < 2, from about 20 operations and one exp within a few
    /// EPS: 1e-6 of that size (the polynomial of erf alone is off by 1.5e-7).
    pub fn of_elements(checked: &Checked) -> Tolerance {
        let (x, dy) = (checked.inputs[0], checked.doutput);
        let size = |r, c| 1e-6 * (1.0 + x.at(r, c).abs());
        let gradient = Matrix::build(x.rows, x.columns, |r, c| size(r, c) * dy.at(r, c).abs());
        Tolerance { value: Matrix::build(x.rows, x.columns, size), inputs: vec![gradient] }
    }

    /// The tolerance of a loss, which adds terms of the size of the logits and whose mean rounds √columns times. The gradient
    /// by one column has the size of the weight times `share`, or more where the error is larger.
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

/// The size of a number plus what a driver that flushes subnormals may take away.
fn flushed(v: f64) -> f64 {
    if v.abs() < LEAST { 2.0 * v.abs() } else { v.abs() }
}

/// Σ|terms| of an op's output and of its inputs' gradients, for factors of these sizes.
fn sums(op: &dyn Op, checked: &Checked, size: fn(f64) -> f64) -> Vec<Matrix> {
    let of = |m: &Matrix| Matrix::build(m.rows, m.columns, |r, c| size(m.at(r, c)));
    let values: Vec<Matrix> = checked.inputs.iter().map(|input| of(input)).collect();
    let inputs: Vec<Operand> =
        checked.inputs.iter().zip(&values).map(|(input, values)| Operand { values, ..*input }).collect();
    let mut sums = vec![op.reference_forward(&inputs)];
    sums.extend(op.reference_backward(&inputs, checked.output, &of(checked.doutput)));
    sums
}
