//! The mean of each window of an image, like PyTorch's `nn.AvgPool2d`: (height, width, channels) to
//! (⌊(height + 2 · padding - kernel) / stride⌋ + 1, as much for the width, channels)

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use super::pool::Windows;
use crate::gpu::Shader;
use crate::graph::{Checked, Export, Op, OpContext, Role, Shape, Step, Tolerance};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, POOL};

/// The mean of each window of an image. The padding counts as 0.
#[derive(Clone, Copy, Debug)]
pub struct AvgPool {
    /// Its windows.
    pub windows: Windows,
    /// Whether sums are divided by the pixels of a whole window, padding included; otherwise by those that exist.
    pub count_include_pad: bool,
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    let padded = Windows { kernel: [3, 3], stride: [2, 1], padding: [1, 1] };
    let all = [
        AvgPool { windows: Windows::side_by_side(2), count_include_pad: true },
        AvgPool { windows: padded, count_include_pad: true },
        AvgPool { windows: padded, count_include_pad: false },
    ];
    all.into_iter().map(|op| Arc::new(op) as Arc<dyn Op>).collect()
}

impl AvgPool {
    /// The number that the sum over these lines of a window is divided by.
    fn count(&self, lines: &[usize]) -> f64 {
        let [high, wide] = self.windows.kernel;
        (if self.count_include_pad { high * wide } else { lines.len() }) as f64
    }

    fn step(&self, cx: &OpContext, entry: &'static str, pixels: usize, turns: u64) -> Step {
        let moves = cx.graph.shape(cx.input(0)).positions() + cx.graph.shape(cx.output()).positions();
        let step = self.windows.step(cx, entry, pixels, moves, turns);
        step.constant("PIXELS_ONLY", f64::from(u8::from(!self.count_include_pad)))
    }
}

impl Op for AvgPool {
    fn name(&self) -> &'static str {
        "avg_pool"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/avg_pool.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, POOL, own])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let names = ["kernel", "stride", "padding", "count_include_pad"];
        let arguments = Arguments::new(arguments, &names)?;
        let count_include_pad = arguments.flag("count_include_pad")?.unwrap_or(true);
        Ok(Arc::new(AvgPool { windows: Windows::from(&arguments, self.name())?, count_include_pad }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        self.windows.output(x)
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let step = self.step(cx, "forward", cx.graph.shape(cx.output()).positions(), self.windows.turns());
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let pixels = cx.graph.shape(cx.input(0)).positions();
        let step = self.step(cx, "backward", pixels, self.windows.turns_back(0));
        vec![step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        let include = if self.count_include_pad { "True" } else { "False" };
        let torch = format!("nn.AvgPool2d({}, count_include_pad={include})", self.windows.torch());
        let node = self.windows.onnx("AveragePool").with("count_include_pad", i64::from(self.count_include_pad));
        Some(Export::new(torch, vec![node]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = &inputs[0];
        let mut values = Vec::new();
        self.windows.each(x, |_, lines| {
            let mean = |c| lines.iter().map(|&line| x.at(line, c)).sum::<f64>() / self.count(lines);
            values.extend((0..x.columns).map(mean));
        });
        Matrix { rows: values.len() / x.columns, columns: x.columns, values }
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = &inputs[0];
        let mut dx = Matrix::zeros(x.rows, x.columns);
        self.windows.each(x, |o, lines| {
            for at in lines.iter().flat_map(|&line| (0..x.columns).map(move |c| (line, c))) {
                dx.values[at.0 * x.columns + at.1] += dy.at(o, at.1) / self.count(lines);
            }
        });
        vec![dx]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        // A division rounds by 2.5 units, as a few more terms.
        let [high, wide] = self.windows.kernel;
        Tolerance::of_products(self, checked, &[high * wide + 8, self.windows.overlap() + 8])
    }
}
