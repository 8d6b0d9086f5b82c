//! A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`

pub mod matmul;

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use super::epilogue;
use crate::gpu::Shader;
use crate::graph::{
    Activation, Checked, DerivativeOf, Export, LoopBound, MlpPart, OnnxNode, Op, OpContext, ParameterSpec, Resource,
    Role, Shape, Step, Tolerance, Work, sample,
};
use crate::tensor::{Init, Matrix, Operand};
use crate::wgsl::{CHAIN, CLOCK, PADDING};
pub use matmul::{MatmulKernel, MatmulPolicy};

const SIZES: &str = include_str!("../../../shaders/linear/sizes.wgsl");
const GRADIENT: &str = include_str!("../../../shaders/linear/gradient.wgsl");

/// A linear layer with this many outputs, at every position: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`
#[derive(Clone, Copy, Debug)]
pub struct Linear {
    /// Its outputs.
    pub outputs: usize,
    /// Whether it has a bias; without one, sums begin with +0.
    pub bias: bool,
    /// What it is for.
    pub place: Place,
}

/// Where a linear layer stands: this decides the names and the first values of its parameters.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Place {
    /// Among layers, like PyTorch's `nn.Linear`: `weight` and `bias`, uniform within 1/√inputs.
    #[default]
    Layer,
    /// Before attention, like `nn.MultiheadAttention`'s: `in_proj_weight`, by Glorot and Bengio's rule, and `in_proj_bias`, 0.
    IntoAttention,
    /// Behind attention, like `nn.MultiheadAttention`'s: `weight`, uniform within 1/√inputs, and `bias`, 0.
    OutOfAttention,
}

/// Outputs that are no multiple of the inputs, so that a check notices if the two are swapped.
pub(super) fn samples(columns: usize) -> Vec<Arc<dyn Op>> {
    let layer = Linear::new(columns + columns / 3 + 1);
    vec![Arc::new(layer), Arc::new(Linear { bias: false, ..layer })]
}

/// The shader of a layer for this matmul kernel, with an activation or none.
fn shader(kernel: &MatmulKernel, activation: Option<&Activation>) -> &'static Shader {
    let mut parts = vec![CLOCK, PADDING, CHAIN, SIZES, GRADIENT];
    parts.extend(kernel.parts);
    let name = if *kernel == matmul::SMALL { "linear".to_owned() } else { format!("linear.{kernel}") };
    epilogue::joined(&name, &format!("linear.{kernel}"), parts, activation)
}

impl Linear {
    /// A layer with a bias.
    pub fn new(outputs: usize) -> Linear {
        Linear { outputs, bias: true, place: Place::Layer }
    }

    fn step(
        &self,
        cx: &OpContext,
        entry: &'static str,
        kernel: &MatmulKernel,
        activation: Option<&Activation>,
    ) -> Step {
        let x = cx.input(0);
        let (inputs, outputs) = (cx.columns(x), self.outputs as u32);
        let (inputs4, outputs4) = (inputs.div_ceil(4), outputs.div_ceil(4));
        let (grid, loops) = match entry {
            "forward" => (kernel.rows(outputs4), kernel.loops_of_rows(inputs4)),
            "backward_input" => (kernel.rows(inputs4), kernel.loops_of_rows(outputs4)),
            _ => (kernel.gradient(outputs4, inputs4), kernel.loops_of_gradient()),
        };
        let mut step = cx.step(entry, grid, self.work(inputs, loops)).dims(&[
            ("inputs", inputs),
            ("outputs", outputs),
            ("inputs4", inputs4),
            ("outputs4", outputs4),
            ("x_stride4", cx.stride(x) / 4),
        ]);
        step = step.constant("BIAS", f64::from(u8::from(self.bias)));
        step.constants.extend(kernel.constants.iter().map(|&(name, value)| (name, f64::from(value))));
        if *kernel != matmul::SMALL || activation.is_some() {
            step.shader = shader(kernel, activation);
        }
        step
    }

    /// Each of the three kernels reads or writes x or its gradient, y or its gradient, and the parameters or theirs, once.
    fn work(&self, inputs: u32, loops: LoopBound) -> Work {
        let weights = u64::from(inputs) * self.outputs as u64;
        let once = weights + if self.bias { self.outputs as u64 } else { 0 };
        Work { loops, computes: 2 * weights, per_line: inputs + self.outputs as u32, once }
    }

    fn backward_input(&self, cx: &OpContext) -> Option<Step> {
        let write = cx.wants[0]?;
        let below = cx.epilogues.backward.as_ref();
        let kernel = MatmulPolicy::of(cx).of_rows(cx.columns(cx.input(0)) as usize);
        let step = self
            .step(cx, "backward_input", kernel, below)
            .bind("left", cx.output_gradient())
            .bind("parameters", cx.value(1))
            .bind("dinput", below.map_or(cx.gradient(0), |activation| Resource::Gradient(activation.x)))
            .write(write);
        let step = match below.and_then(Activation::saved) {
            Some(saved) => step.bind("saved", saved),
            None => step,
        };
        Some(step.in_parts("first", kernel.columns_each()))
    }

    fn backward_weight(&self, cx: &OpContext) -> Step {
        let kernel = MatmulPolicy::of(cx).of_gradient(self.outputs, cx.columns(cx.input(0)) as usize);
        self.step(cx, "backward_weight", kernel, None)
            .bind("x", cx.value(0))
            .bind("left", cx.output_gradient())
            .bind("dparameters", cx.gradient(1))
            .bind("open_parameters", cx.open(1))
            .in_parts("first", kernel.outputs_each())
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        "linear"
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        shader(&matmul::SMALL, None)
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        let inputs = x.columns().unwrap_or(1);
        let uniform = Init::Uniform(1.0 / (inputs as f64).sqrt());
        let glorot = Init::Uniform((6.0 / (inputs + self.outputs) as f64).sqrt());
        let (names, init) = match self.place {
            Place::Layer => (["weight", "bias"], [uniform, uniform]),
            Place::IntoAttention => (["in_proj_weight", "in_proj_bias"], [glorot, Init::Constant(0.0)]),
            Place::OutOfAttention => (["weight", "bias"], [uniform, Init::Constant(0.0)]),
        };
        let weight = ParameterSpec::new(names[0], &[self.outputs, inputs], init[0]);
        let bias = self.bias.then(|| ParameterSpec::new(names[1], &[self.outputs], init[1]));
        std::iter::once(weight).chain(bias).collect()
    }

    fn multiplications(&self, x: &Shape) -> u64 {
        x.columns().unwrap_or(0) as u64 * self.outputs as u64 * x.positions() as u64
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let given = Arguments::new(arguments, &["out_features", "bias"])?;
        let outputs = given.whole("out_features", 1)?;
        let outputs = outputs.ok_or("takes out_features, as in { linear = { out_features = 64, bias = false } }")?;
        let bias = given.flag("bias")?.unwrap_or(true);
        Ok(Arc::new(Linear { bias, ..Linear::new(outputs) }))
    }

    fn kind_of(&self, part: &ParameterSpec) -> &'static str {
        if part.name.ends_with("bias") { "bias" } else { "weight" }
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its parameters".to_owned()) };
        let x = sample(x, "x")?;
        let own = self.parameters(x);
        // Its weight may be that of another layer, whose first values are others.
        if given.len() != own.len() || !given.iter().zip(&own).all(|(given, own)| given.is_like(own)) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(x.with_columns(self.outputs))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let above = cx.epilogues.forward.as_ref();
        let kernel = MatmulPolicy::of(cx).of_rows(self.outputs);
        let step = self
            .step(cx, "forward", kernel, above)
            .bind("left", cx.value(0))
            .bind("parameters", cx.value(1))
            .bind("y", above.map_or(cx.output_value(), |activation| Resource::Value(activation.y)));
        let step = match above {
            Some(activation) if activation.derivative_of == Some(DerivativeOf::Input) => {
                step.bind("before", cx.output_value())
            }
            _ => step,
        };
        vec![step.in_parts("first", kernel.columns_each())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        self.backward_input(cx).into_iter().chain([self.backward_weight(cx)]).collect()
    }

    fn mlp_part(&self) -> Option<MlpPart> {
        Some(MlpPart::Linear)
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        let onnx = match (x.dims().len(), self.bias) {
            (1, true) => vec![OnnxNode::new("Gemm", &["x", "weight", "bias"], "y").with("transB", 1)],
            (1, false) => vec![OnnxNode::new("Gemm", &["x", "weight"], "y").with("transB", 1)],
            // Gemm takes matrices only.
            (_, true) => vec![
                OnnxNode::new("Transpose", &["weight"], "turned"),
                OnnxNode::new("MatMul", &["x", "turned"], "product"),
                OnnxNode::new("Add", &["product", "bias"], "y"),
            ],
            (_, false) => {
                vec![OnnxNode::new("Transpose", &["weight"], "turned"), OnnxNode::new("MatMul", &["x", "turned"], "y")]
            }
        };
        let bias = if self.bias { "" } else { ", bias=False" };
        Some(Export::new(format!("nn.Linear({}, {}{bias})", x.columns()?, self.outputs), onnx))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (x, parameters) = (inputs[0], inputs[1]);
        Matrix::build(x.rows, self.outputs, |r, o| {
            let bias = if self.bias { parameters.at(0, self.outputs * x.columns + o) } else { 0.0 };
            bias + (0..x.columns).map(|i| x.at(r, i) * parameters.at(0, o * x.columns + i)).sum::<f64>()
        })
    }

    fn reference_backward(&self, inputs: &[Operand], y: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let (x, parameters) = (inputs[0], inputs[1]);
        let weights = y.columns * x.columns;
        let dx = Matrix::build(x.rows, x.columns, |r, i| {
            (0..y.columns).map(|o| dy.at(r, o) * parameters.at(0, o * x.columns + i)).sum()
        });
        let dparameters = Matrix::build(1, parameters.columns, |_, at| match at.checked_sub(weights) {
            Some(o) => (0..y.rows).map(|r| dy.at(r, o)).sum(),
            None => (0..y.rows).map(|r| dy.at(r, at / x.columns) * x.at(r, at % x.columns)).sum(),
        });
        vec![dx, dparameters]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let x = checked.inputs[0];
        Tolerance::of_products(self, checked, &[x.columns, self.outputs, x.rows])
    }
}
