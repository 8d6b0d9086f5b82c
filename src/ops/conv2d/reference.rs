//! The convolution in f64, as its definition says.

use super::Conv2d;
use crate::tensor::{Matrix, Operand};

/// The sizes of a convolution.
pub(super) struct Sizes {
    pub x: [usize; 3],
    pub y: [usize; 3],
    conv: Conv2d,
}

impl Sizes {
    pub fn of(conv: &Conv2d, x: &Operand) -> Sizes {
        let dims = x.shape.dims();
        let y = conv.made(x.shape).unwrap_or_default();
        Sizes { x: [dims[0], dims[1], dims[2]], y, conv: *conv }
    }

    /// Input channels of a group.
    fn group(&self) -> usize {
        self.x[2] / self.conv.groups
    }

    /// Calls `f` with every product: line and channel of y, line and channel of x, and the weight's place.
    pub fn each(&self, rows: usize, mut f: impl FnMut((usize, usize), (usize, usize), usize)) {
        let ([high, wide, _], [y_high, y_wide, outputs], conv) = (self.x, self.y, &self.conv);
        let ([kernel_h, kernel_w], pad, group) = (conv.kernel, conv.pad(), self.group());
        for line in 0..rows * y_high * y_wide {
            let (row, p, q) = (line / (y_high * y_wide), line / y_wide % y_high, line % y_wide);
            for tap in 0..kernel_h * kernel_w {
                let (v, u) = (tap / kernel_w, tap % kernel_w);
                let h = (p * conv.stride[0] + v * conv.dilation[0]).checked_sub(pad[0]).filter(|&h| h < high);
                let w = (q * conv.stride[1] + u * conv.dilation[1]).checked_sub(pad[1]).filter(|&w| w < wide);
                let (Some(h), Some(w)) = (h, w) else { continue };
                for o in 0..outputs {
                    let begin = o / (outputs / conv.groups) * group;
                    for i in 0..group {
                        let weight = ((o * group + i) * kernel_h + v) * kernel_w + u;
                        f((line, o), ((row * high + h) * wide + w, begin + i), weight);
                    }
                }
            }
        }
    }

    /// Numbers of the weight.
    pub fn weights(&self) -> usize {
        self.y[2] * self.group() * self.conv.kernel[0] * self.conv.kernel[1]
    }
}

pub(super) fn forward(conv: &Conv2d, x: &Operand, parameters: &Matrix) -> Matrix {
    let sizes = Sizes::of(conv, x);
    let [high, wide, outputs] = sizes.y;
    let rows = x.rows / x.shape.positions();
    let bias = |o| if conv.bias { parameters.at(0, sizes.weights() + o) } else { 0.0 };
    let mut y = Matrix::build(rows * high * wide, outputs, |_, o| bias(o));
    sizes.each(rows, |(line, o), (pixel, i), weight| {
        y.values[line * outputs + o] += x.at(pixel, i) * parameters.at(0, weight);
    });
    y
}

pub(super) fn backward(conv: &Conv2d, x: &Operand, parameters: &Matrix, dy: &Matrix) -> Vec<Matrix> {
    let sizes = Sizes::of(conv, x);
    let (mut dx, mut dparameters) = (Matrix::zeros(x.rows, x.columns), Matrix::zeros(1, parameters.columns));
    sizes.each(x.rows / x.shape.positions(), |(line, o), (pixel, i), weight| {
        dx.values[pixel * x.columns + i] += dy.at(line, o) * parameters.at(0, weight);
        dparameters.values[weight] += dy.at(line, o) * x.at(pixel, i);
    });
    if conv.bias {
        for (o, sum) in dparameters.values[sizes.weights()..].iter_mut().enumerate() {
            *sum = (0..dy.rows).map(|line| dy.at(line, o)).sum();
        }
    }
    vec![dx, dparameters]
}
