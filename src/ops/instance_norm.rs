//! Normalisation of each channel over all positions of a row, like PyTorch's `nn.InstanceNorm2d`:
//! `y = (x - mean) / √(variance + eps)`, mean and variance of each row and channel

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use super::grouped::Grouped;
use crate::gpu::Shader;
use crate::graph::{Checked, Export, Op, OpContext, ParameterSpec, Role, Scratch, Shape, Step, Tolerance, sample};
use crate::tensor::{Matrix, Operand};

/// Normalisation of each channel over all positions of a row: a group normalisation with a group for each channel.
#[derive(Clone, Copy, Debug)]
pub struct InstanceNorm {
    /// Added to the variance.
    pub eps: f64,
    /// Whether each channel has a weight and a bias.
    pub affine: bool,
}

impl Default for InstanceNorm {
    /// PyTorch's defaults: 1e-5, and no parameters.
    fn default() -> InstanceNorm {
        InstanceNorm { eps: 1e-5, affine: false }
    }
}

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(InstanceNorm::default()), Arc::new(InstanceNorm { eps: 0.5, affine: true })]
}

impl InstanceNorm {
    fn grouped(&self, x: &Shape) -> Grouped {
        Grouped { groups: x.columns().unwrap_or(0), eps: self.eps, affine: self.affine }
    }
}

impl Op for InstanceNorm {
    fn name(&self) -> &'static str {
        "instance_norm"
    }

    fn looks_ahead(&self) -> bool {
        true
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &'static Shader {
        Grouped::shader(self.name())
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        self.grouped(x).parameters(x)
    }

    fn takes_arguments(&self) -> bool {
        true
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let arguments = Arguments::new(arguments, &["affine", "eps"])?;
        let InstanceNorm { eps, affine } = InstanceNorm::default();
        let (eps, affine) = (arguments.positive("eps")?.unwrap_or(eps), arguments.flag("affine")?.unwrap_or(affine));
        Ok(Arc::new(InstanceNorm { eps, affine }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let x = inputs.first().ok_or("takes x")?;
        self.grouped(sample(x, "x")?).output(inputs)
    }

    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        Grouped::saved(inputs[0])
    }

    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        Grouped::scratch(inputs[0])
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        self.grouped(cx.graph.shape(cx.input(0))).forward(cx)
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        self.grouped(cx.graph.shape(cx.input(0))).backward(cx)
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        // Of sequences, PyTorch's module wants the channels before the tokens.
        let channels = x.columns().filter(|_| x.dims().len() == 3)?;
        let affine = if self.affine { "True" } else { "False" };
        let torch = format!("nn.InstanceNorm2d({channels}, eps={:?}, affine={affine})", self.eps);
        Some(Export::new(torch, self.grouped(x).onnx(x)))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        self.grouped(inputs[0].shape).reference_forward(inputs)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        self.grouped(inputs[0].shape).reference_backward(inputs, dy)
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        self.grouped(checked.inputs[0].shape).tolerance(checked)
    }
}
