//! Convolution of images, like PyTorch's `nn.Conv2d`, by implicit matrix products: a kernel computes where the pixels of a tap are,
//! and copies none of them.

mod attributes;
mod kernel;
mod reference;

use std::sync::Arc;

use serde_json::Value;

pub use attributes::{Conv2d, Padding};
pub use kernel::ConvKernel;

use super::epilogue;
use crate::gpu::{Grid, Shader};
use crate::graph::{
    Activation, Checked, DerivativeOf, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Resource, Role,
    Shape, Step, Tensor, Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, PADDING};

const SIZES: &str = include_str!("../../../shaders/conv2d/sizes.wgsl");

/// All attributes, for images of this many channels: some fit any number of channels, others only those they divide.
pub(super) fn samples(channels: usize) -> Vec<Arc<dyn Op>> {
    let base = Conv2d::new(channels + channels / 3 + 1, 3);
    let same = Conv2d { padding: Padding::Same, ..base };
    let mut all = vec![
        same,
        Conv2d { kernel: [2, 4], stride: [2, 1], padding: Padding::Zeros([1, 2]), bias: false, ..base },
        Conv2d { kernel: [3, 2], stride: [3, 2], dilation: [2, 1], padding: Padding::Zeros([2, 1]), ..base },
        Conv2d { kernel: [1, 1], padding: Padding::Zeros([0, 0]), ..base },
        Conv2d { channels, groups: channels, stride: [2, 2], ..Conv2d { padding: Padding::Zeros([1, 1]), ..base } },
    ];
    if channels.is_multiple_of(2) {
        all.push(Conv2d { channels: 6, groups: 2, ..same });
    }
    if channels.is_multiple_of(8) {
        all.push(Conv2d { channels: 2 * channels, groups: 2, dilation: [1, 2], ..same });
    }
    all.into_iter().map(|conv| Arc::new(conv) as Arc<dyn Op>).collect()
}

/// The shader of a kind of kernels, with an activation or none.
fn shader(kernel: &ConvKernel, activation: Option<&Activation>) -> &'static Shader {
    let mut parts = vec![CLOCK, PADDING, SIZES];
    parts.extend(kernel.parts);
    let name = format!("conv2d.{}", kernel.name);
    epilogue::joined(&name, &name, parts, activation)
}

/// The sizes of a convolution in a graph.
struct Layer<'a> {
    conv: &'a Conv2d,
    x: [u32; 3],
    y: [u32; 3],
}

impl Layer<'_> {
    fn taps(&self) -> u32 {
        (self.conv.kernel[0] * self.conv.kernel[1]) as u32
    }

    /// Channels of x that an output reads.
    fn group(&self) -> u32 {
        self.x[2] / self.conv.groups as u32
    }

    fn group4(&self) -> u32 {
        self.group().div_ceil(4)
    }

    /// Products of one pixel of y.
    fn products(&self) -> u64 {
        u64::from(self.taps()) * u64::from(self.group()) * u64::from(self.y[2])
    }

    fn weights(&self) -> u64 {
        self.products() + u64::from(self.y[2])
    }

    fn dims(&self) -> [(&'static str, u32); 19] {
        let Conv2d { kernel, dilation, groups, .. } = *self.conv;
        let pad = self.conv.pad();
        let ([x_high, x_wide, inputs], [y_high, y_wide, outputs]) = (self.x, self.y);
        [
            ("outputs", outputs),
            ("outputs4", outputs.div_ceil(4)),
            ("inputs4", self.taps() * self.group4()),
            ("x4", inputs.div_ceil(4)),
            ("group", self.group()),
            ("group4", self.group4()),
            ("outputs_of_group", outputs / groups as u32),
            ("high", kernel[0] as u32),
            ("wide", kernel[1] as u32),
            ("x_high", x_high),
            ("x_wide", x_wide),
            ("y_high", y_high),
            ("y_wide", y_wide),
            ("pad_h", pad[0] as u32),
            ("pad_w", pad[1] as u32),
            ("step_h", dilation[0] as u32),
            ("step_w", dilation[1] as u32),
            ("inputs", inputs),
            ("first", 0),
        ]
    }

    /// Loop iterations behind one element of an image, whose sums have so many steps a tap.
    fn loops(&self, steps: u32) -> LoopBound {
        let taps = u64::from(self.taps());
        LoopBound::fixed(4 * (taps * u64::from(steps + 1) + 2 * self.conv.kernel[0] as u64 + 4))
    }
}

impl Conv2d {
    fn layer(&self, cx: &OpContext) -> Layer<'_> {
        let of = |tensor: Tensor| -> [u32; 3] {
            let dims = cx.graph.shape(tensor).dims();
            std::array::from_fn(|d| dims.get(d).copied().unwrap_or(1) as u32)
        };
        Layer { conv: self, x: of(cx.input(0)), y: of(cx.output()) }
    }

    /// A step over the lines of an image that is `width` pixels wide.
    fn step(&self, step: Step, layer: &Layer, shader: &'static Shader, width: u32) -> Step {
        let step = Step { shader, ..step };
        step.dims(&layer.dims())
            .constant("WIDTH", f64::from(width))
            .constant("STRIDE_H", self.stride[0] as f64)
            .constant("STRIDE_W", self.stride[1] as f64)
            .constant("BIAS", f64::from(u8::from(self.bias)))
    }

    fn backward_input(&self, cx: &OpContext) -> Option<Step> {
        let write = cx.wants[0]?;
        let layer = self.layer(cx);
        let below = cx.epilogues.backward.as_ref();
        let x4 = layer.x[2].div_ceil(4);
        let kernel = ConvKernel::of(self, layer.x[2], x4, &cx.hardware);
        // Products of all pixels of y, spread over those of x.
        let [pixels_x, pixels_y] = [layer.x, layer.y].map(|[high, wide, _]| u64::from(high) * u64::from(wide));
        let computes = (2 * layer.products() * pixels_y).div_ceil(pixels_x);
        let loops = layer.loops(layer.y[2]);
        let work = Work { loops, computes, per_line: layer.x[2] + layer.y[2], once: layer.weights() };
        let step = cx.step_over(cx.input(0), "backward_input", kernel.made(x4), work);
        let step = self
            .step(step, &layer, shader(kernel, below), layer.x[1])
            .bind("left", cx.output_gradient())
            .bind("parameters", cx.value(1))
            .bind("dinput", below.map_or(cx.gradient(0), |activation| Resource::Gradient(activation.x)))
            .write(write);
        let step = match below.and_then(Activation::saved) {
            Some(saved) => step.bind("saved", saved),
            None => step,
        };
        Some(step.in_parts("first", 1))
    }

    fn backward_weight(&self, cx: &OpContext) -> Step {
        let layer = self.layer(cx);
        let kernel = ConvKernel::of_gradient(self, layer.x[2], &cx.hardware);
        let outputs4 = layer.y[2].div_ceil(4);
        let grid: Grid = kernel.gradient(outputs4, layer.taps() * layer.group4(), self.kernel);
        let loops = LoopBound { fixed: 16, block: kernel.turns };
        let computes = 2 * layer.products();
        let work = Work { loops, computes, per_line: layer.x[2] + layer.y[2], once: 2 * layer.weights() };
        let step = cx.step_over(cx.output(), "backward_weight", grid, work);
        self.step(step, &layer, shader(kernel, None), layer.y[1])
            .bind("x", cx.value(0))
            .bind("left", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", kernel.outputs_apart())
    }
}

impl Op for Conv2d {
    fn name(&self) -> &'static str {
        "conv2d"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        let hardware = crate::graph::Hardware { cpu: false, subgroups: false, matmul: None, rows: 1 };
        shader(ConvKernel::of(self, self.channels as u32, u32::MAX, &hardware), None)
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        let group = x.columns().unwrap_or(1) / self.groups;
        let [high, wide] = self.kernel;
        // Initialised like PyTorch's `nn.Conv2d`.
        let init = Init::Uniform(1.0 / ((group * high * wide) as f64).sqrt());
        let weight = ParameterSpec::new("weight", &[self.channels, group, high, wide], init);
        let is_depthwise = self.groups > 1 && group == 1 && self.groups == self.channels;
        let weight = weight.in_order(if is_depthwise { &[2, 3, 1, 0] } else { &[0, 2, 3, 1] });
        let bias = ParameterSpec::new("bias", &[self.channels], init);
        std::iter::once(weight).chain(self.bias.then_some(bias)).collect()
    }

    fn kind_of(&self, part: &ParameterSpec) -> &'static str {
        if part.name == "bias" { "bias" } else { "weight" }
    }

    fn multiplications(&self, x: &Shape) -> u64 {
        let made = self.made(x).map_or(0, |dims| dims.iter().map(|&dim| dim as u64).product());
        let [high, wide] = self.kernel;
        made * (high * wide * x.columns().unwrap_or(0) / self.groups.max(1)) as u64
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        Ok(Arc::new(Conv2d::parse(arguments)?))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its parameters".to_owned()) };
        let x = sample(x, "x")?;
        self.check()?;
        let made = self.made(x)?;
        if *given != self.parameters(x) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(Shape::of(&made))
    }

    fn activates(&self) -> bool {
        true
    }

    fn passes_back(&self) -> bool {
        true
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let layer = self.layer(cx);
        let above = cx.epilogues.forward.as_ref();
        let outputs4 = layer.y[2].div_ceil(4);
        let kernel = ConvKernel::of(self, layer.x[2], outputs4, &cx.hardware);
        let (loops, computes) = (layer.loops(layer.group()), 2 * layer.products());
        let work = Work { loops, computes, per_line: layer.x[2] + layer.y[2], once: layer.weights() };
        let step = cx.step_over(cx.output(), "forward", kernel.made(outputs4), work);
        let step = self
            .step(step, &layer, shader(kernel, above), layer.y[1])
            .bind("left", cx.value(0))
            .bind("parameters", cx.value(1))
            .bind("y", above.map_or(cx.output_value(), |activation| Resource::Value(activation.y)));
        let step = match above {
            Some(activation) if activation.derivative_of == Some(DerivativeOf::Input) => {
                step.bind("before", cx.output_value())
            }
            _ => step,
        };
        vec![step.in_parts("first", 1)]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        self.backward_input(cx).into_iter().chain([self.backward_weight(cx)]).collect()
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let Conv2d { channels, kernel: [high, wide], stride, dilation, groups, bias, padding } = *self;
        let same = padding == Padding::Same;
        let [top, left] = self.pad();
        let padding = if same { "\"same\"".to_owned() } else { format!("({top}, {left})") };
        let bias_is = if bias { "True" } else { "False" };
        let torch = format!(
            "nn.Conv2d({}, {channels}, ({high}, {wide}), stride=({}, {}), padding={padding}, dilation=({}, {}), \
             groups={groups}, bias={bias_is})",
            x.columns()?,
            stride[0],
            stride[1],
            dilation[0],
            dilation[1],
        );
        let ints = |values: &[usize]| values.iter().map(|&value| value as i64).collect::<Vec<i64>>();
        let all = [dilation[0] * (high - 1), dilation[1] * (wide - 1)];
        let behind = if same { [all[0] - top, all[1] - left] } else { [top, left] };
        let inputs: &[&str] = if bias { &["x", "weight", "bias"] } else { &["x", "weight"] };
        let node = OnnxNode::new("Conv", inputs, "y")
            .with("kernel_shape", ints(&self.kernel))
            .with("strides", ints(&stride))
            .with("pads", ints(&[top, left, behind[0], behind[1]]))
            .with("dilations", ints(&dilation))
            .with("group", groups as i64);
        Some(Export::new(torch, vec![node]))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        reference::forward(self, &inputs[0], inputs[1].values)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        reference::backward(self, &inputs[0], inputs[1].values, dy)
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let x = checked.inputs[0];
        let taps = self.kernel[0] * self.kernel[1];
        let (forward, back) = (taps * x.columns / self.groups, taps * self.channels / self.groups);
        Tolerance::of_products(self, checked, &[forward, back, checked.output.rows])
    }
}

#[cfg(test)]
mod tests;
