//! How far attention in f32 may be from that in f64.

use super::heads::Heads;
use crate::graph::tolerance::{EPS, rounds};
use crate::graph::{Checked, Tolerance};
use crate::tensor::Matrix;

/// A score is a sum over a head's columns, whose rounding moves the weight by as much, relatively; so does that of the largest score,
/// and WGSL lets exp(v) be off by (3 + 2 |v|) EPS. All that is made of weights is a sum over tokens of terms that are off like this.
pub(super) fn of(heads: &Heads, checked: &Checked) -> Tolerance {
    let (x, dy, y) = (checked.inputs[0], checked.doutput, checked.output);
    let (width, scale) = (heads.width, heads.scale());
    let mut value = Matrix::zeros(y.rows, y.columns);
    let mut input = Matrix::zeros(x.rows, x.columns);
    heads.each_query(&x, |query| {
        let all: Vec<(usize, f64)> = query.weights(&x).collect();
        let size = query.seen().map(|j| query.score(&x, j, f64::abs)).fold(0.0, f64::max);
        let by_score = (rounds(width) + 2.0 * EPS) * size;
        let in_sum = rounds(all.len()) + 4.0 * EPS;
        let of_weight = 4.0 * by_score + (8.0 + 8.0 * size) * EPS + in_sum;
        let column = |d: usize| query.head * width + d;
        let slope = |d: usize| dy.at(query.line, column(d));
        let mut off_value = vec![0.0; width];
        for &(j, weight) in &all {
            for (d, off) in off_value.iter_mut().enumerate() {
                *off += (of_weight + in_sum) * weight * heads.value(&x, j, query.head, d).abs();
            }
        }
        // Σ_d dy · v of a token, its size, and how far it is off; and the same of their mean, which is Σ_d dy · y.
        let of_token = |j: usize| {
            let terms = (0..width).map(|d| slope(d) * heads.value(&x, j, query.head, d));
            terms.fold([0.0, 0.0], |[sum, size], term| [sum + term, size + term.abs()])
        };
        let mean: f64 = (0..width).map(|d| slope(d) * y.at(query.line, column(d))).sum();
        let mean_size: f64 = (0..width).map(|d| (slope(d) * y.at(query.line, column(d))).abs()).sum();
        let off_mean = rounds(width) * mean_size + (0..width).map(|d| slope(d).abs() * off_value[d]).sum::<f64>();
        for &(j, weight) in &all {
            let [by_weight, by_weight_size] = of_token(j);
            let difference = by_weight.abs() + mean.abs();
            let off_difference = rounds(width) * by_weight_size + off_mean + EPS * difference;
            let size = weight * difference * scale;
            let off = weight * scale * off_difference + (of_weight + 4.0 * EPS) * size;
            for d in 0..width {
                let [q, k, v] = heads.columns(query.head, d);
                // A key's sum is over the queries of all heads that share it.
                let of_keys = rounds(heads.tokens * heads.op.heads / heads.op.kv_heads);
                input.values[query.line * x.columns + q] += (off + in_sum * size) * x.at(j, k).abs();
                input.values[j * x.columns + k] += (off + of_keys * size) * x.at(query.line, q).abs();
                input.values[j * x.columns + v] += (of_weight + of_keys) * weight * slope(d).abs();
            }
        }
        for (d, off) in off_value.into_iter().enumerate() {
            value.values[query.line * y.columns + column(d)] = off;
        }
    });
    let least = f64::from(f32::MIN_POSITIVE) * heads.tokens as f64;
    value.values.iter_mut().chain(&mut input.values).for_each(|off| *off += least);
    Tolerance { value, inputs: vec![input] }
}
