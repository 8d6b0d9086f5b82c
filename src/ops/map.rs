//! What all activations share: `shaders/lib/map.wgsl`, joined with the op's own `f` and `df`.

use super::{FusionPart, Op, OpContext, Resource, Role, Step, rows};
use crate::gpu::{Grid, Shader};
use crate::graph::{Shape, Tensor};
use crate::reference::Matrix;

pub(super) const CLOCK: &str = include_str!("../../shaders/lib/clock.wgsl");
pub(super) const PADDING: &str = include_str!("../../shaders/lib/padding.wgsl");
pub(super) const SPECIAL: &str = include_str!("../../shaders/lib/special.wgsl");
pub(super) const MAP: &str = include_str!("../../shaders/lib/map.wgsl");

/// An activation: y = f(x), element by element.
pub struct Map {
    /// The op's WGSL.
    pub shader: Shader,
    /// f(x)
    pub f: fn(f64) -> f64,
    /// f'(x)
    pub df: fn(f64) -> f64,
    /// What the shader's df is a function of.
    pub saved: DerivativeOf,
}

/// What an activation keeps for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum DerivativeOf {
    /// Its x.
    Input,
    /// Its y.
    Output,
}

impl Map {
    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let x = cx.input(0);
        let columns = cx.columns(x);
        let columns4 = columns.div_ceil(4);
        let dims = [
            ("columns", columns),
            ("columns4", columns4),
            ("x_stride4", cx.stride(x) / 4),
            ("saved_stride4", cx.stride(self.saved(cx)) / 4),
        ];
        cx.step(entry, Grid::Tiles { columns: columns4, rows_each: 1 }).dims(&dims)
    }

    fn saved(&self, cx: &OpContext) -> Tensor {
        match self.saved {
            DerivativeOf::Input => cx.input(0),
            DerivativeOf::Output => cx.output(),
        }
    }
}

impl Op for Map {
    fn name(&self) -> &'static str {
        self.shader.name
    }

    fn role(&self) -> Role {
        Role::Activation
    }

    fn shader(&self) -> &Shader {
        &self.shader
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match inputs {
            [x] => Ok(Shape::Rows(rows(x, "x")?)),
            _ => Err(format!("takes x, but {} tensors were given", inputs.len())),
        }
    }

    fn forward(&self, cx: &OpContext) -> Step {
        let (x, y) = (Resource::Value(cx.input(0)), Resource::Value(cx.output()));
        self.step(cx, "forward").bind("x", x).bind("y", y).moves(2 * cx.columns(cx.output()), 0)
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let Some(write) = cx.wants[0] else { return Vec::new() };
        let step = self
            .step(cx, "backward")
            .bind("saved", Resource::Value(self.saved(cx)))
            .bind("dy", Resource::Gradient(cx.output()))
            .bind("dinput", Resource::Gradient(cx.input(0)))
            .write(write)
            .moves(4 * cx.columns(cx.output()), 0);
        vec![step]
    }

    fn fusion_part(&self) -> Option<FusionPart> {
        // Without the clock and the kernels that stand alone.
        let [_, _, special, _, own @ ..] = self.shader.parts else { return None };
        debug_assert!(*special == SPECIAL, "what f and df may call comes before them");
        Some(FusionPart::Activation(own, self.saved))
    }

    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let x = inputs[0];
        Matrix::build(x.rows, x.columns, |r, c| (self.f)(x.at(r, c)))
    }

    fn reference_backward(&self, inputs: &[&Matrix], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = inputs[0];
        vec![Matrix::build(x.rows, x.columns, |r, c| (self.df)(x.at(r, c)) * dy.at(r, c))]
    }
}
