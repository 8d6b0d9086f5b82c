//! Normalisation of groups of channels over all positions of a row, like PyTorch's `nn.GroupNorm`:
//! `y = (x - mean) / √(variance + eps) · weight + bias`, mean and variance of each row and group

use std::sync::Arc;

use serde_json::Value;

use super::arguments::Arguments;
use super::grouped::Grouped;
use crate::gpu::Shader;
use crate::graph::{Checked, Export, Op, OpContext, ParameterSpec, Role, Scratch, Shape, Step, Tolerance};
use crate::tensor::{Matrix, Operand};

/// Normalisation of groups of channels over all positions of a row.
#[derive(Clone, Copy, Debug)]
pub struct GroupNorm {
    /// Groups, each of equally many channels.
    pub groups: usize,
    /// Added to the variance.
    pub eps: f64,
    /// Whether each channel has a weight and a bias.
    pub affine: bool,
}

pub(super) fn samples(columns: usize) -> Vec<Arc<dyn Op>> {
    let all = [(1, 1e-5, true), (2, 1e-5, true), (3, 0.5, true), (columns, 1e-5, false)];
    let fit = all.into_iter().filter(|(groups, ..)| columns.is_multiple_of(*groups));
    fit.map(|(groups, eps, affine)| Arc::new(GroupNorm { groups, eps, affine }) as Arc<dyn Op>).collect()
}

impl GroupNorm {
    fn grouped(&self) -> Grouped {
        Grouped { groups: self.groups, eps: self.eps, affine: self.affine }
    }
}

impl Op for GroupNorm {
    fn name(&self) -> &'static str {
        "group_norm"
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
        self.grouped().parameters(x)
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn with(&self, arguments: &Value) -> Result<Arc<dyn Op>, String> {
        let arguments = Arguments::new(arguments, &["groups", "eps", "affine"])?;
        let groups = arguments.whole("groups", 1)?.ok_or("takes a number of groups, as in { group_norm = 4 }")?;
        let (eps, affine) = (arguments.positive("eps")?.unwrap_or(1e-5), arguments.flag("affine")?.unwrap_or(true));
        Ok(Arc::new(GroupNorm { groups, eps, affine }))
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        self.grouped().output(inputs)
    }

    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        Grouped::saved(inputs[0])
    }

    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        Grouped::scratch(inputs[0])
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        self.grouped().forward(cx)
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        self.grouped().backward(cx)
    }

    fn export(&self, x: &Shape) -> Option<Export> {
        // Of sequences, PyTorch's module wants the channels before the tokens.
        let channels = x.columns().filter(|_| x.dims().len() != 2)?;
        let affine = if self.affine { "True" } else { "False" };
        let torch = format!("nn.GroupNorm({}, {channels}, eps={:?}, affine={affine})", self.groups, self.eps);
        Some(Export::new(torch, self.grouped().onnx(x)))
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        self.grouped().reference_forward(inputs)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        self.grouped().reference_backward(inputs, dy)
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        self.grouped().tolerance(checked)
    }
}
