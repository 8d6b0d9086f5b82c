//! Convolution of images, like PyTorch's `nn.Conv2d`, by implicit matrix products: a kernel computes where the pixels of a tap are,
//! and copies none of them.

mod attributes;
mod kernel;
mod reference;
mod weight;

use std::sync::Arc;

use serde_json::Value;

pub use attributes::{Conv2d, Padding};
pub use kernel::ConvKernel;

use super::epilogue;
use crate::gpu::Shader;
use crate::graph::{
    Activation, Checked, DerivativeOf, Export, Init, LoopBound, OnnxNode, Op, OpContext, ParameterSpec, Resource, Role,
    Scratch, Shape, Step, Tensor, Tolerance, Work, sample,
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

/// From one tap to the next that reads for the same pixels of x: the smallest step that is a multiple of the stride.
fn leap(stride: usize, dilation: usize) -> usize {
    (1..=stride).find(|taps| (taps * dilation).is_multiple_of(stride)).unwrap_or(stride)
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

    /// Whether the image that is made is as large as that which is read, at a stride of 1.
    fn is_same(&self) -> bool {
        self.conv.stride == [1, 1] && self.x[..2] == self.y[..2]
    }

    /// Places of the phases that x is made in for its gradient: all pixels with the same remainders by the strides.
    fn phase(&self) -> [u32; 2] {
        std::array::from_fn(|d| self.x[d].div_ceil(self.conv.stride[d] as u32))
    }

    /// How many phases there are: no more along an axis than pixels.
    fn phases(&self) -> u32 {
        let along = |d: usize| (self.conv.stride[d] as u32).min(self.x[d]);
        along(0) * along(1)
    }

    /// How far from its pixel of x the first and the last one are that a row of taps reads.
    fn reach(&self) -> [i64; 2] {
        let pad = self.conv.pad()[1] as i64;
        [-pad, (self.conv.dilation[1] * (self.conv.kernel[1] - 1)) as i64 - pad]
    }

    /// The same for the pixels of y that are read for a phase of x.
    fn reach_back(&self) -> [i64; 2] {
        let stride = self.conv.stride[1] as i64;
        let [first, last] = self.reach();
        [(-last).div_euclid(stride), (stride - 1 - first).div_euclid(stride)]
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

    /// The same where what is read lies as what is made does, and a row of taps reaches this far: lanes may hand pixels on.
    fn side_by_side(kernel: &ConvKernel, step: Step, is_same: bool, [first, last]: [i64; 2]) -> Step {
        match is_same && kernel.hands_on(last - first) {
            true => step.constant("SAME", 1.0).constant("LOWEST", first as f64).constant("SPAN", (last - first) as f64),
            false => step,
        }
    }

    fn backward_input(&self, cx: &OpContext) -> Option<Step> {
        let write = cx.wants[0]?;
        let layer = self.layer(cx);
        let below = cx.epilogues.backward.as_ref();
        let x4 = layer.x[2].div_ceil(4);
        let kernel = ConvKernel::of(self, layer.x[2], x4, &cx.hardware);
        // Products of all pixels of y, spread over those of a phase of x.
        let phase = layer.phase();
        let pixels_y = u64::from(layer.y[0]) * u64::from(layer.y[1]);
        let lines = phase[0] * phase[1];
        let computes = (2 * layer.products() * pixels_y).div_ceil(u64::from(lines));
        let leaps: [usize; 2] = std::array::from_fn(|d| leap(self.stride[d], self.dilation[d]));
        let of_group = layer.y[2] / self.groups as u32;
        let turns = kernel.made_turns(self.kernel, of_group) + (leaps[0] + leaps[1]) as u64 + 2;
        let loops = LoopBound::fixed(turns);
        let per_line = layer.phases() * layer.x[2] + layer.y[2];
        let work = Work { loops, computes, per_line, once: layer.weights() };
        let step = cx.step_of_lines(lines as usize, "backward_input", kernel.made(x4, layer.phases()), work);
        let step = self
            .step(step, &layer, shader(kernel, below), phase[1])
            .constant("LEAP_H", leaps[0] as f64)
            .constant("LEAP_W", leaps[1] as f64);
        let step = Conv2d::side_by_side(kernel, step, phase[..] == layer.y[..2], layer.reach_back())
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

    /// The sums of blocks of lines, of weight and bias.
    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        vec![Scratch { per_row: self.sums(inputs[0]), fixed: 0 }]
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
        let loops = LoopBound::fixed(kernel.made_turns(self.kernel, layer.group()));
        let computes = 2 * layer.products();
        let work = Work { loops, computes, per_line: layer.x[2] + layer.y[2], once: layer.weights() };
        let step = cx.step_over(cx.output(), "forward", kernel.made(outputs4, 1), work);
        let step = self.step(step, &layer, shader(kernel, above), layer.y[1]);
        let step = Conv2d::side_by_side(kernel, step, layer.is_same(), layer.reach())
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
        self.backward_input(cx).into_iter().chain(self.backward_weight(cx)).collect()
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
