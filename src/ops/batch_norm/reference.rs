//! Batch normalisation in f64.

use super::BatchNorm;
use crate::graph::tolerance::rounds;
use crate::graph::{Checked, Tolerance};
use crate::tensor::{Matrix, Operand};

/// One group of rows: its lines that count, and mean and 1 / √(variance + eps) of each channel.
struct Group {
    lines: Vec<usize>,
    mean: Vec<f64>,
    rstd: Vec<f64>,
}

/// The groups, and the group of each line.
fn groups(op: &BatchNorm, x: &Operand) -> (Vec<Group>, Vec<usize>) {
    let positions = x.shape.positions();
    let rows = x.rows / positions;
    let counts = |row: usize| x.counts.get(row).copied().unwrap_or(true);
    let group = |first: usize| {
        let of_group = (first..rows.min(first + op.group)).filter(|&row| counts(row));
        let lines: Vec<usize> = of_group.flat_map(|row| row * positions..(row + 1) * positions).collect();
        let n = lines.len().max(1) as f64;
        let mean: Vec<f64> = (0..x.columns).map(|c| lines.iter().map(|&l| x.at(l, c)).sum::<f64>() / n).collect();
        let variance = |c: usize| lines.iter().map(|&l| (x.at(l, c) - mean[c]).powi(2)).sum::<f64>() / n;
        let rstd = (0..x.columns).map(|c| 1.0 / (variance(c) + op.eps).sqrt()).collect();
        Group { lines, mean, rstd }
    };
    let of_line = (0..x.rows).map(|line| line / positions / op.group).collect();
    ((0..rows).step_by(op.group).map(group).collect(), of_line)
}

fn normalised(groups: &[Group], of_line: &[usize], x: &Operand) -> Matrix {
    Matrix::build(x.rows, x.columns, |l, c| {
        let group = &groups[of_line[l]];
        (x.at(l, c) - group.mean[c]) * group.rstd[c]
    })
}

pub(super) fn forward(op: &BatchNorm, inputs: &[Operand]) -> Matrix {
    let (x, parameters) = (inputs[0], inputs[1]);
    let (groups, of_line) = groups(op, &x);
    let h = normalised(&groups, &of_line, &x);
    Matrix::build(x.rows, x.columns, |l, c| h.at(l, c) * parameters.at(0, c) + parameters.at(0, x.columns + c))
}

pub(super) fn backward(op: &BatchNorm, inputs: &[Operand], dy: &Matrix) -> Vec<Matrix> {
    let (x, parameters) = (inputs[0], inputs[1]);
    let (groups, of_line) = groups(op, &x);
    let h = normalised(&groups, &of_line, &x);
    let (mut dx, mut dparameters) = (Matrix::zeros(x.rows, x.columns), Matrix::zeros(1, 2 * x.columns));
    for group in &groups {
        let n = group.lines.len() as f64;
        for c in 0..x.columns {
            let sum: f64 = group.lines.iter().map(|&l| dy.at(l, c)).sum();
            let along: f64 = group.lines.iter().map(|&l| dy.at(l, c) * h.at(l, c)).sum();
            dparameters.values[c] += along;
            dparameters.values[x.columns + c] += sum;
            for &l in &group.lines {
                let d = dy.at(l, c) - sum / n - h.at(l, c) * along / n;
                dx.values[l * x.columns + c] = parameters.at(0, c) * group.rstd[c] * d;
            }
        }
    }
    vec![dx, dparameters, Matrix::default()]
}

/// The mean of n lines is within `rounds(n)` of the lines' size, and so is all that follows from it, as for a layer norm.
pub(super) fn tolerance(op: &BatchNorm, checked: &Checked) -> Tolerance {
    let (x, parameters, dy) = (checked.inputs[0], checked.inputs[1], checked.doutput);
    let (groups, of_line) = groups(op, &x);
    let h = normalised(&groups, &of_line, &x);
    let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |most: f64, v| most.max(v.abs()));
    // Of each group and channel: the error of h, the largest h and the largest dy.
    let of_group = |group: &Group, c: usize| {
        let by = 1e-6 + 4.0 * rounds(group.lines.len());
        let lines = || group.lines.iter();
        let largest = most(&mut lines().map(|&l| h.at(l, c))) + 1.0;
        let off = by * (most(&mut lines().map(|&l| x.at(l, c))) * group.rstd[c] + largest);
        (by, off, largest, most(&mut lines().map(|&l| dy.at(l, c))))
    };
    let known: Vec<Vec<_>> = groups.iter().map(|group| (0..x.columns).map(|c| of_group(group, c)).collect()).collect();
    let value = |l: usize, c: usize| {
        let (by, off, ..) = known[of_line[l]][c];
        off * parameters.at(0, c).abs() + by * (checked.output.at(l, c).abs() + parameters.at(0, x.columns + c).abs())
    };
    let gradient = |l: usize, c: usize| {
        let (by, off, largest, d) = known[of_line[l]][c];
        groups[of_line[l]].rstd[c] * parameters.at(0, c).abs() * d * (by * largest * largest + 2.0 * off * largest)
    };
    let sums = |_: usize, at: usize| {
        let (c, is_weight) = (at % x.columns, at < x.columns);
        let of_group = groups.iter().zip(&known).map(|(group, known)| {
            let (_, off, largest, _) = known[c];
            let size: f64 = group.lines.iter().map(|&l| dy.at(l, c).abs()).sum();
            let factor = if is_weight { largest } else { 1.0 };
            rounds(x.rows) * size * factor + if is_weight { off * size } else { 0.0 }
        });
        of_group.sum()
    };
    let inputs =
        vec![Matrix::build(x.rows, x.columns, gradient), Matrix::build(1, 2 * x.columns, sums), Matrix::default()];
    Tolerance { value: Matrix::build(x.rows, x.columns, value), inputs }
}
