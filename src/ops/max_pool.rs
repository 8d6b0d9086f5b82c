//! The largest value of each window of an image, like PyTorch's `nn.MaxPool2d`: (height, width, channels) to
//! (⌊(height + 2 · padding - kernel) / stride⌋ + 1, as much for the width, channels)

use std::sync::Arc;

use serde_json::Value;

use super::pool::{self, Windows};
use crate::gpu::Shader;
use crate::graph::tolerance::rounds;
use crate::graph::{Activation, Checked, Export, Op, OpContext, Resource, Role, Shape, Step, Tolerance};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, IDENTITY, POOL, SPECIAL, THROUGH};

/// The largest value of each window of an image. The padding counts as -∞. Of equal values the first in scan order gets the
/// gradient; a NaN counts as larger than every number.
#[derive(Clone, Copy, Debug)]
pub struct MaxPool {
    /// Its windows.
    pub windows: Windows,
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    let all = [
        Windows::side_by_side(2),
        Windows { kernel: [3, 3], stride: [2, 2], padding: [1, 1] },
        Windows { kernel: [3, 2], stride: [1, 3], padding: [0, 1] },
    ];
    all.into_iter().map(|windows| Arc::new(MaxPool { windows }) as Arc<dyn Op>).collect()
}

/// The shader, with the activation before it or none.
fn shader(below: Option<&Activation>) -> &'static Shader {
    let mut parts = vec![CLOCK, POOL, include_str!("../../shaders/max_pool.wgsl")];
    let Some(activation) = below else {
        parts.push(IDENTITY);
        return Shader::joined("max_pool".to_owned(), parts);
    };
    parts.extend([SPECIAL, THROUGH]);
    parts.extend(activation.wgsl);
    Shader::joined(format!("max_pool.{}", activation.name), parts)
}

impl MaxPool {
    /// Calls `with` for each window and column: the line of the output, the lines of x in it, the column, and the line of the
    /// largest value.
    fn each(&self, x: &Operand, mut with: impl FnMut(usize, &[usize], usize, usize)) {
        self.windows.each(x, |o, lines| {
            for c in 0..x.columns {
                let mut best = lines[0];
                for &line in lines {
                    let v = x.at(line, c);
                    if v > x.at(best, c) || v.is_nan() {
                        best = line;
                    }
                }
                with(o, lines, c, best);
            }
        });
    }
}

impl Op for MaxPool {
    fn name(&self) -> &'static str {
        "max_pool"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        shader(None)
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        Ok(Arc::new(MaxPool { windows: pool::windows(arguments, self.name())? }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        self.windows.output(x)
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let (pixels, windows) = [cx.input(0), cx.output()].map(|t| cx.graph.shape(t).positions()).into();
        let step = self.windows.step(cx, "forward", windows, pixels + windows, self.windows.turns());
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn passes_back(&self) -> bool {
        true
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let (pixels, windows): (usize, usize) =
            [cx.input(0), cx.output()].map(|t| cx.graph.shape(t).positions()).into();
        let step = if self.windows.are_apart() {
            let [height, width] = [0, 1].map(|axis| cx.graph.shape(cx.input(0)).dims()[axis]);
            let [high, wide] = self.windows.stride;
            let each = height.div_ceil(high) * width.div_ceil(wide);
            let turns = self.windows.turns() + (high * (wide + 2)) as u64 + 1;
            self.windows.step(cx, "backward_apart", each, 2 * pixels + windows, turns)
        } else {
            let turns = self.windows.turns_back(self.windows.turns());
            self.windows.step(cx, "backward", pixels, 2 * pixels + windows, turns)
        };
        let below = cx.epilogues.backward.as_ref();
        let step = Step { shader: shader(below), ..step };
        let step = step
            .bind("x", cx.value(0))
            .bind("dy", cx.output_gradient())
            .bind("dinput", below.map_or(cx.gradient(0), |activation| Resource::Gradient(activation.x)))
            .write(write);
        vec![match below.and_then(Activation::saved) {
            Some(saved) => step.bind("saved", saved),
            None => step,
        }]
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        let torch = format!("nn.MaxPool2d({})", self.windows.torch());
        Some(Export::new(torch, vec![self.windows.onnx("MaxPool")]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = &inputs[0];
        let (mut values, mut lines) = (Vec::new(), 0);
        self.each(x, |o, _, c, best| {
            values.push(x.at(best, c));
            lines = o + 1;
        });
        Matrix { rows: lines, columns: x.columns, values }
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = &inputs[0];
        let mut dx = Matrix::zeros(x.rows, x.columns);
        self.each(x, |o, _, c, best| dx.values[best * x.columns + c] += dy.at(o, c));
        vec![dx]
    }

    /// Values are copied; the gradient of a pixel is the sum over the windows that it lies in.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let dy = checked.doutput;
        let sizes = Matrix::build(dy.rows, dy.columns, |r, c| dy.at(r, c).abs());
        let sums = self.reference_backward(checked.inputs, checked.output, &sizes).swap_remove(0);
        let by = rounds(self.windows.overlap());
        let least = self.windows.overlap() as f64 * f64::from(f32::MIN_POSITIVE);
        let sums = Matrix::build(sums.rows, sums.columns, |r, c| by * sums.at(r, c) + least);
        Tolerance { value: Matrix::zeros(checked.output.rows, checked.output.columns), inputs: vec![sums] }
    }

    /// Where two values of a window change places.
    fn is_smooth(&self, inputs: &[Operand], within: f64) -> bool {
        let x = &inputs[0];
        let mut smooth = true;
        self.each(x, |_, lines, c, best| {
            let near = |&line: &usize| line != best && (x.at(best, c) - x.at(line, c)).abs() <= within;
            smooth &= !lines.iter().any(near);
        });
        smooth
    }
}
