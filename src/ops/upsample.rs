//! Repeats the pixels of an image, like PyTorch's `nn.Upsample` of mode `nearest`: (height, width, channels) to
//! (height · factor, width · factor, channels)

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use super::pool::image;
use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// Repeats each pixel.
#[derive(Clone, Copy, Debug)]
pub struct Upsample {
    /// How often, along (height, width).
    pub factor: [usize; 2],
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Upsample { factor: [2, 2] }), Arc::new(Upsample { factor: [1, 3] })]
}

impl Upsample {
    fn step(&self, cx: &OpContext, entry: &'static str, pixels: usize, turns: u64) -> Step {
        let (x, y) = (cx.graph.shape(cx.input(0)), cx.graph.shape(cx.output()));
        let columns4 = cx.columns(cx.input(0)).div_ceil(4);
        let work = Work::moves((x.padded() + y.padded()) as u32, LoopBound::fixed(turns));
        cx.step_over_rows(entry, Grid::Tiles { columns: pixels as u32 * columns4, rows_each: 1 }, work).dims(&[
            ("height", x.dims()[0] as u32),
            ("width", x.dims()[1] as u32),
            ("columns4", columns4),
            ("x_stride4", cx.stride(cx.input(0)) / 4),
            ("factor_y", self.factor[0] as u32),
            ("factor_x", self.factor[1] as u32),
        ])
    }

    /// The line of x that each line of y repeats.
    fn source(&self, x: &Shape) -> impl Fn(usize) -> usize {
        let (height, width) = (x.dims()[0], x.dims()[1]);
        let [tall, wide] = self.factor;
        move |line| {
            let (row, at) = (line / (height * width * tall * wide), line % (height * width * tall * wide));
            (row * height + at / (width * wide) / tall) * width + at % (width * wide) / wide
        }
    }
}

impl Op for Upsample {
    fn name(&self) -> &'static str {
        "upsample"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/upsample.wgsl")])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let factor = Arguments::new(arguments, &["factor"])?.pair("factor", 1)?;
        let factor = factor.ok_or("takes a factor, as in { upsample = 2 }")?;
        Ok(Arc::new(Upsample { factor }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x] = inputs else { return Err(format!("takes x, but {} tensors were given", inputs.len())) };
        let [height, width, channels] = image(x)?;
        let [tall, wide] = self.factor;
        Ok(Shape::of(&[height.saturating_mul(tall), width.saturating_mul(wide), channels]))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let step = self.step(cx, "forward", cx.graph.shape(cx.output()).positions(), 0);
        vec![step.bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let [tall, wide] = self.factor.map(|factor| factor as u64);
        let step = self.step(cx, "backward", cx.positions() as usize, tall * (wide + 2) + 1);
        vec![step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(0)).write(write)]
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        let [tall, wide] = self.factor;
        let torch = format!("nn.Upsample(scale_factor=({tall}, {wide}), mode=\"nearest\")");
        let scales = vec![1.0, 1.0, tall as f32, wide as f32];
        let scales = OnnxNode::new("Constant", &[], "scales").with("value_floats", scales);
        let resize = OnnxNode::new("Resize", &["x", "", "scales"], "y");
        let resize = resize.with("coordinate_transformation_mode", "asymmetric").with("nearest_mode", "floor");
        Some(Export::new(torch, vec![scales, resize]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, source) = (inputs[0], self.source(inputs[0].shape));
        Matrix::build(x.rows * self.factor[0] * self.factor[1], x.columns, |line, c| x.at(source(line), c))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, source) = (inputs[0], self.source(inputs[0].shape));
        let mut dx = Matrix::zeros(x.rows, x.columns);
        for (line, c) in (0..dy.rows).flat_map(|line| (0..dy.columns).map(move |c| (line, c))) {
            dx.values[source(line) * x.columns + c] += dy.at(line, c);
        }
        vec![dx]
    }

    /// A value is one term, copied; a gradient is a sum.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_products(self, checked, &[1, self.factor[0] * self.factor[1]])
    }
}
