//! What all activations share: `shaders/lib/map.wgsl`, joined with the op's own `f` and `df`.

use super::{Op, Piece, Place, Role, Site, Step, rows};
use crate::gpu::{Grid, Shader};
use crate::graph::{Shape, Tensor};
use crate::twin::Matrix;

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
    pub saved: Saved,
}

/// What an activation keeps for the way back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Saved {
    /// Its x.
    Input,
    /// Its y.
    Output,
}

impl Map {
    fn step(&self, site: &Site, entry: &'static str) -> Step {
        let x = site.input(0);
        let columns = site.columns(x);
        let columns4 = columns.div_ceil(4);
        let dims = [
            ("columns", columns),
            ("columns4", columns4),
            ("x_stride4", site.stride(x) / 4),
            ("saved_stride4", site.stride(self.saved(site)) / 4),
        ];
        site.step(entry, Grid::Tiles { columns: columns4, rows_each: 1 }).dims(&dims)
    }

    fn saved(&self, site: &Site) -> Tensor {
        match self.saved {
            Saved::Input => site.input(0),
            Saved::Output => site.output(),
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

    fn forward(&self, site: &Site) -> Step {
        let (x, y) = (Place::Value(site.input(0)), Place::Value(site.output()));
        self.step(site, "forward").bind("x", x).bind("y", y).moves(2 * site.columns(site.output()), 0)
    }

    fn backward(&self, site: &Site) -> Vec<Step> {
        let Some(write) = site.wants[0] else { return Vec::new() };
        let step = self
            .step(site, "backward")
            .bind("saved", Place::Value(self.saved(site)))
            .bind("dy", Place::Gradient(site.output()))
            .bind("dinput", Place::Gradient(site.input(0)))
            .write(write)
            .moves(4 * site.columns(site.output()), 0);
        vec![step]
    }

    fn piece(&self) -> Option<Piece> {
        // Without the clock and the kernels that stand alone.
        let [_, _, special, _, own @ ..] = self.shader.parts else { return None };
        debug_assert!(*special == SPECIAL, "what f and df may call comes before them");
        Some(Piece::Activation(own, self.saved))
    }

    fn twin_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let x = inputs[0];
        Matrix::build(x.rows, x.columns, |r, c| (self.f)(x.at(r, c)))
    }

    fn twin_backward(&self, inputs: &[&Matrix], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let x = inputs[0];
        vec![Matrix::build(x.rows, x.columns, |r, c| (self.df)(x.at(r, c)) * dy.at(r, c))]
    }
}
