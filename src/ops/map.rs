//! What the activations share: `shaders/lib/map.wgsl`, joined with the op's own `f` and `df`.

use std::fmt;

use crate::gpu::{Grid, Shader};
use crate::graph::{
    Checked, DerivativeOf, Export, LoopBound, MlpPart, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, MAP, PADDING, SPECIAL};

/// An activation: y = f(x), element by element.
#[derive(Clone, Copy)]
pub struct Map {
    /// Its name.
    pub name: &'static str,
    /// The WGSL of f and df.
    pub wgsl: &'static [&'static str],
    /// f(x)
    pub f: fn(f64) -> f64,
    /// f'(x)
    pub df: fn(f64) -> f64,
    /// The argument of the shader's df.
    pub derivative_of: DerivativeOf,
    /// Where f' jumps.
    pub kinks: &'static [f64],
    /// What it is in PyTorch and ONNX.
    pub export: fn() -> Export,
}

impl Map {
    fn step(&self, cx: &OpContext, entry: &'static str, tensors: u32) -> Step {
        let x = cx.input(0);
        let columns = cx.columns(x);
        let columns4 = columns.div_ceil(4);
        let saved = match self.derivative_of {
            DerivativeOf::Input => x,
            DerivativeOf::Output => cx.output(),
        };
        let dims = [
            ("columns", columns),
            ("columns4", columns4),
            ("x_stride4", cx.stride(x) / 4),
            ("saved_stride4", cx.stride(saved) / 4),
        ];
        cx.step(entry, Grid::Elements { columns: columns4 }, Work::moves(tensors * columns, LoopBound::NONE))
            .dims(&dims)
    }
}

impl fmt::Debug for Map {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Op for Map {
    fn name(&self) -> &'static str {
        self.name
    }

    fn role(&self) -> Role {
        Role::Activation
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name.to_owned(), [&[CLOCK, PADDING, SPECIAL, MAP], self.wgsl].concat())
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => sample(x, "x").cloned(),
            _ => Err(format!("takes x, but {} tensors were given", inputs.len())),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        vec![self.step(cx, "forward", 2).bind("x", cx.value(0)).bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let saved = match self.derivative_of {
            DerivativeOf::Input => cx.value(0),
            DerivativeOf::Output => cx.output_value(),
        };
        let step = self.step(cx, "backward", 4).bind("saved", saved).bind("dy", cx.output_gradient());
        vec![step.bind("dinput", cx.gradient(0)).write(write)]
    }

    fn mlp_part(&self) -> Option<MlpPart> {
        Some(MlpPart::Activation { wgsl: self.wgsl, derivative_of: self.derivative_of })
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let x = inputs[0];
        Matrix::build(x.rows, x.columns, |r, c| (self.f)(x.at(r, c)))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = inputs[0];
        vec![Matrix::build(x.rows, x.columns, |r, c| (self.df)(x.at(r, c)) * dy.at(r, c))]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_elements(checked)
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        Some((self.export)())
    }

    fn kinks(&self) -> &'static [f64] {
        self.kinks
    }
}
