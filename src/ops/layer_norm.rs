//! Layer normalisation of each position's columns, like PyTorch's `nn.LayerNorm` over the last dimension:
//! `y = (x - mean) / √(variance + eps) · weight + bias`; and `rms_norm`, which leaves the mean and the bias out.

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use crate::gpu::{Grid, Shader};
use crate::graph::tolerance::rounds;
use crate::graph::{
    Checked, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Role, Shape, Step, Tolerance, Work,
    on_images, sample,
};
use crate::tensor::{Matrix, Operand, pad4};
use crate::wgsl::{CLOCK, PADDING};

/// In PyTorch, for the channels of an image, which come first there.
const CLASS: &str = r#"class ImageNorm(nn.LayerNorm):
    """Normalises the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
"#;

/// The same without the mean.
const RMS_CLASS: &str = r#"class ImageRmsNorm(nn.RMSNorm):
    """Normalises the channels of each pixel."""

    def forward(self, x):
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)
"#;

/// Layer normalisation of each position's columns.
#[derive(Clone, Copy, Debug)]
pub struct LayerNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Whether the mean is taken away; without it this is `rms_norm`, which has no bias.
    pub centered: bool,
    /// Whether a bias is added.
    pub bias: bool,
}

impl Default for LayerNorm {
    /// PyTorch's default: 1e-5.
    fn default() -> LayerNorm {
        LayerNorm { eps: 1e-5, centered: true, bias: true }
    }
}

impl LayerNorm {
    /// `y = x / √(mean of x² + eps) · weight`, like PyTorch's `nn.RMSNorm`, whose eps is that of a float.
    pub fn rms() -> LayerNorm {
        LayerNorm { eps: f64::from(f32::EPSILON), centered: false, bias: false }
    }
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    let default = LayerNorm::default();
    vec![Arc::new(default), Arc::new(LayerNorm { eps: 0.5, ..default }), Arc::new(LayerNorm { bias: false, ..default })]
}

pub(super) fn rms_samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(LayerNorm::rms()), Arc::new(LayerNorm { eps: 0.5, ..LayerNorm::rms() })]
}

impl LayerNorm {
    fn step(&self, cx: &OpContext, entry: &'static str, grid: Grid, work: Work) -> Step {
        let columns = cx.columns(cx.input(0));
        let dims = [
            ("columns", columns),
            ("columns4", columns.div_ceil(4)),
            ("x_stride4", cx.stride(cx.input(0)) / 4),
            ("first", 0),
        ];
        self.formula(cx.step(entry, grid, work).dims(&dims))
    }

    /// Sets what decides a kernel's formula.
    fn formula(&self, step: Step) -> Step {
        let flag = |is: bool| f64::from(u8::from(is));
        step.constant("CENTERED", flag(self.centered)).constant("BIASED", flag(self.bias))
    }

    /// (mean, 1 / √(variance + eps)) of a line; the mean is 0 where it is not taken away
    fn statistics(&self, x: &Matrix, r: usize) -> (f64, f64) {
        let mean = (0..x.columns).map(|c| x.at(r, c)).sum::<f64>() / x.columns as f64;
        let mean = if self.centered { mean } else { 0.0 };
        let variance = (0..x.columns).map(|c| (x.at(r, c) - mean).powi(2)).sum::<f64>() / x.columns as f64;
        (mean, 1.0 / (variance + self.eps).sqrt())
    }

    fn onnx(&self, x: &str, y: &str) -> Vec<OnnxNode> {
        let inputs = [x, "weight", "bias"];
        let node = OnnxNode::new("LayerNormalization", &inputs[..if self.bias { 3 } else { 2 }], y);
        vec![node.with("epsilon", self.eps as f32)]
    }

    /// Of nodes that every version of ONNX has.
    fn onnx_rms(&self, x: &str, y: &str) -> Vec<OnnxNode> {
        vec![
            OnnxNode::new("Constant", &[], "eps").with("value_floats", vec![self.eps as f32]),
            OnnxNode::new("Mul", &[x, x], "squares"),
            OnnxNode::new("Constant", &[], "axes").with("value_ints", vec![-1]),
            OnnxNode::new("ReduceMean", &["squares", "axes"], "mean"),
            OnnxNode::new("Add", &["mean", "eps"], "more"),
            OnnxNode::new("Sqrt", &["more"], "size"),
            OnnxNode::new("Div", &[x, "size"], "h"),
            OnnxNode::new("Mul", &["h", "weight"], y),
        ]
    }

    /// The bias of a column, or 0.
    fn bias_of(&self, parameters: &Matrix, columns: usize, c: usize) -> f64 {
        if self.bias { parameters.at(0, columns + c) } else { 0.0 }
    }

    /// The normalised columns of a line.
    fn normalised(&self, x: &Matrix, r: usize) -> Vec<f64> {
        let (mean, rstd) = self.statistics(x, r);
        (0..x.columns).map(|c| (x.at(r, c) - mean) * rstd).collect()
    }
}

impl Op for LayerNorm {
    fn name(&self) -> &'static str {
        if self.centered { "layer_norm" } else { "rms_norm" }
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let own = include_str!("../../shaders/layer_norm.wgsl");
        Shader::joined(self.name().to_owned(), vec![CLOCK, PADDING, own])
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        let shape = vec![x.columns().unwrap_or(0)];
        let weight = ParameterSpec::new("weight", &shape, Init::Constant(1.0));
        let bias = self.bias.then(|| ParameterSpec::new("bias", &shape, Init::Constant(0.0)));
        [weight].into_iter().chain(bias).collect()
    }

    fn takes_arguments(&self) -> bool {
        true
    }

    fn stands_alone(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let names: &[&str] = if self.centered { &["eps", "bias"] } else { &["eps"] };
        let given = Arguments::new(arguments, names)?;
        let bias = given.flag("bias")?.unwrap_or(self.bias);
        Ok(Arc::new(LayerNorm { eps: given.positive("eps")?.unwrap_or(self.eps), bias, ..*self }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its parameters".to_owned()) };
        let x = sample(x, "x")?;
        if *given != self.parameters(x) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(x.clone())
    }

    /// The normalised columns, padded, and 1 / √(variance + eps) in four floats.
    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        let x = inputs[0];
        vec![x.positions() * (pad4(x.columns().unwrap_or(0)) + 4)]
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let loops = LoopBound::fixed(3 * u64::from(columns.div_ceil(4) + 1));
        let step = self
            .step(cx, "forward", Grid::Rows, Work::moves(3 * columns + 4, loops).computing(8 * u64::from(columns)))
            .bind("x", cx.value(0))
            .bind("parameters", cx.value(1))
            .bind("y", cx.output_value())
            .bind("saved", cx.saved(0))
            .constant("EPS", self.eps);
        vec![step]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let columns = cx.columns(cx.input(0));
        let columns4 = columns.div_ceil(4);
        let input = cx.wants[0].map(|write| {
            let loops = LoopBound::fixed(2 * u64::from(columns4 + 1));
            self.step(
                cx,
                "backward_input",
                Grid::Rows,
                Work::moves(3 * columns + 4, loops).computing(8 * u64::from(columns)),
            )
            .bind("parameters", cx.value(1))
            .bind("saved", cx.saved(0))
            .bind("dy", cx.output_gradient())
            .bind("dinput", cx.gradient(0))
            .write(write)
        });
        // For each block: its lines, and the last iterations of the two loops.
        let loops = LoopBound { fixed: 2, block: 34 };
        let work =
            Work { once: 4 * u64::from(columns), computes: 3 * u64::from(columns), ..Work::moves(2 * columns, loops) };
        let parameters = self
            .step(cx, "backward_parameters", Grid::Line(columns4), work)
            .bind("saved", cx.saved(0))
            .bind("dy", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", 1);
        input.into_iter().chain([parameters]).collect()
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let columns = x.columns()?;
        let is_image = x.dims().len() == 3;
        let (from, to) = if is_image { ("x_last", "y_last") } else { ("x", "y") };
        let nodes = if self.centered { self.onnx(from, to) } else { self.onnx_rms(from, to) };
        let nodes = if is_image { on_images(nodes) } else { nodes };
        let name = |plain: &'static str, image: &'static str| if is_image { image } else { plain };
        let bias = if self.bias { "" } else { ", bias=False" };
        let torch = match self.centered {
            true => format!("{}({columns}, eps={:?}{bias})", name("nn.LayerNorm", "ImageNorm"), self.eps),
            false => format!("{}({columns}, eps={:?})", name("nn.RMSNorm", "ImageRmsNorm"), self.eps),
        };
        let export = Export::new(torch, nodes);
        Some(match (is_image, self.centered) {
            (false, _) => export,
            (true, true) => export.with_class(CLASS),
            (true, false) => export.with_class(RMS_CLASS),
        })
    }

    /// Without the mean, y turns from -1 to 1 within √eps around 0.
    fn is_smooth(&self, inputs: &[Operand], within: f64) -> bool {
        let x = inputs[0];
        let size = |r: usize| (0..x.columns).map(|c| x.at(r, c).powi(2)).sum::<f64>() / x.columns as f64;
        self.centered || (0..x.rows).all(|r| size(r).sqrt() > 10.0 * within)
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, parameters) = (inputs[0], inputs[1]);
        let lines: Vec<Vec<f64>> = (0..x.rows).map(|r| self.normalised(&x, r)).collect();
        Matrix::build(x.rows, x.columns, |r, c| {
            lines[r][c] * parameters.at(0, c) + self.bias_of(&parameters, x.columns, c)
        })
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, parameters) = (inputs[0], inputs[1]);
        let h: Vec<Vec<f64>> = (0..x.rows).map(|r| self.normalised(&x, r)).collect();
        let mut dx = Matrix::zeros(x.rows, x.columns);
        for r in 0..x.rows {
            let g: Vec<f64> = (0..x.columns).map(|c| dy.at(r, c) * parameters.at(0, c)).collect();
            let mean = if self.centered { g.iter().sum::<f64>() / x.columns as f64 } else { 0.0 };
            let along = g.iter().zip(&h[r]).map(|(g, h)| g * h).sum::<f64>() / x.columns as f64;
            let (_, rstd) = self.statistics(&x, r);
            for c in 0..x.columns {
                dx.values[r * x.columns + c] = rstd * (g[c] - mean - h[r][c] * along);
            }
        }
        let dparameters = Matrix::build(1, parameters.columns, |_, at| match at.checked_sub(x.columns) {
            Some(c) => (0..x.rows).map(|r| dy.at(r, c)).sum(),
            None => (0..x.rows).map(|r| dy.at(r, at) * h[r][at]).sum(),
        });
        vec![dx, dparameters]
    }

    /// The mean of C columns is within `rounds(C)` of the columns' size, and so is everything computed from it: `h` of a line
    /// within that of the largest |x - mean| · rstd, its gradient within that of the largest |g|. A parameter's gradient is a
    /// sum of such `h` over lines.
    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let (x, parameters, dy) = (checked.inputs[0], checked.inputs[1], checked.doutput);
        let by = 1e-6 + 4.0 * rounds(x.columns);
        let most = |values: &mut dyn Iterator<Item = f64>| values.fold(0.0, |most: f64, v| most.max(v.abs()));
        let rstd: Vec<f64> = (0..x.rows).map(|r| self.statistics(&x, r).1).collect();
        let h: Vec<Vec<f64>> = (0..x.rows).map(|r| self.normalised(&x, r)).collect();
        let largest: Vec<f64> = h.iter().map(|h| most(&mut h.iter().copied()) + 1.0).collect();
        // The error of h: rounding of x itself if the line is far from 0, and rounding of the statistics.
        let size = |r: usize| most(&mut (0..x.columns).map(|c| x.at(r, c)));
        let off: Vec<f64> = (0..x.rows).map(|r| by * (size(r) * rstd[r] + largest[r])).collect();
        let value = |r: usize, c: usize| {
            let weight = parameters.at(0, c).abs();
            off[r] * weight + by * (checked.output.at(r, c).abs() + self.bias_of(&parameters, x.columns, c).abs())
        };
        let g = |r: usize| most(&mut (0..x.columns).map(|c| dy.at(r, c) * parameters.at(0, c)));
        let of_line = |r: usize| rstd[r] * g(r) * (by * largest[r] * largest[r] + 2.0 * off[r] * largest[r]);
        let of_lines: Vec<f64> = (0..x.rows).map(of_line).collect();
        let gradient = |r: usize, _: usize| of_lines[r];
        let sums = |_: usize, at: usize| {
            let (c, is_weight) = (at % x.columns, at < x.columns);
            let size: f64 = (0..x.rows).map(|r| dy.at(r, c).abs()).sum();
            let factor = if is_weight { most(&mut h.iter().map(|h| h[c])) } else { 1.0 };
            let moved: f64 = (0..x.rows).map(|r| if is_weight { off[r] * dy.at(r, c).abs() } else { 0.0 }).sum();
            rounds(x.rows) * size * factor.max(1.0) + moved
        };
        Tolerance {
            value: Matrix::build(x.rows, x.columns, value),
            inputs: vec![Matrix::build(x.rows, x.columns, gradient), Matrix::build(1, parameters.columns, sums)],
        }
    }
}
