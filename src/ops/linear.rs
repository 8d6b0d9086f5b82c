//! A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`

use super::map::{CLOCK, PADDING};
use super::{Op, Piece, Place, Role, Site, Step, rows};
use crate::gpu::{Grid, Shader};
use crate::graph::{Part, Shape};
use crate::twin::Matrix;

/// A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`
pub static LINEAR: Linear = Linear {
    shader: Shader {
        name: "linear",
        parts: &[
            CLOCK,
            PADDING,
            include_str!("../../shaders/lib/chain.wgsl"),
            include_str!("../../shaders/linear.wgsl"),
        ],
    },
};

/// The op [`LINEAR`].
pub struct Linear {
    shader: Shader,
}

/// `weight` (outputs, inputs) and `bias` (outputs)
pub fn parts(inputs: usize, outputs: usize) -> Vec<Part> {
    vec![Part { name: "weight", shape: vec![outputs, inputs] }, Part { name: "bias", shape: vec![outputs] }]
}

impl Linear {
    fn step(&self, site: &Site, entry: &'static str, grid: Grid) -> Step {
        let (x, y) = (site.input(0), site.output());
        let (inputs, outputs) = (site.columns(x), site.columns(y));
        // Each of the three kernels passes over x or its gradient, y's, and the parameters or theirs.
        let weights = u64::from(inputs) * u64::from(outputs);
        site.step(entry, grid)
            .dims(&[
                ("inputs", inputs),
                ("outputs", outputs),
                ("inputs4", inputs.div_ceil(4)),
                ("outputs4", outputs.div_ceil(4)),
                ("x_stride4", site.stride(x) / 4),
            ])
            .computes(2 * weights)
            .moves(inputs + outputs, weights + u64::from(outputs))
    }
}

impl Op for Linear {
    fn name(&self) -> &'static str {
        self.shader.name
    }

    fn role(&self) -> Role {
        Role::Layer
    }

    fn shader(&self) -> &Shader {
        &self.shader
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [x, Shape::Parameters(given)] = inputs else { return Err("takes x and its parameters".to_owned()) };
        let columns = rows(x, "x")?;
        let outputs = given.last().map_or(0, Part::elements);
        if *given != parts(columns, outputs) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(Shape::Rows(outputs))
    }

    fn forward(&self, site: &Site) -> Step {
        let columns = site.columns(site.output()).div_ceil(4);
        self.step(site, "forward", Grid::Tiles { columns, rows_each: 4 })
            .loops(u64::from(site.columns(site.input(0)).div_ceil(4)), 0)
            .bind("x", Place::Value(site.input(0)))
            .bind("parameters", Place::Value(site.input(1)))
            .bind("y", Place::Value(site.output()))
    }

    fn backward(&self, site: &Site) -> Vec<Step> {
        let (x, parameters, y) = (site.input(0), site.input(1), site.output());
        let inputs4 = site.columns(x).div_ceil(4);
        let mut steps = Vec::new();
        if let Some(write) = site.wants[0] {
            let input = self
                .step(site, "backward_input", Grid::Tiles { columns: inputs4, rows_each: 4 })
                .loops(u64::from(site.columns(y).div_ceil(4)), 0)
                .bind("dy", Place::Gradient(y))
                .bind("parameters", Place::Value(parameters))
                .bind("dx", Place::Gradient(x))
                .write(write);
            steps.push(input);
        }
        // One column more than the weight has: the bias.
        let grid = Grid::Fixed { columns: inputs4 + 1, rows: site.columns(y).div_ceil(4) };
        let weight = self
            .step(site, "backward_weight", grid)
            // Where an invocation does a bias, it passes the loops of a weight once.
            .loops(8, 34)
            .bind("x", Place::Value(x))
            .bind("dy", Place::Gradient(y))
            .bind("dparameters", Place::Gradient(parameters))
            .bind("open_parameters", Place::Open(parameters));
        steps.push(weight);
        steps
    }

    fn piece(&self) -> Option<Piece> {
        Some(Piece::Linear)
    }

    fn twin_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let (x, parameters) = (inputs[0], inputs[1]);
        let outputs = parameters.columns / (x.columns + 1);
        Matrix::build(x.rows, outputs, |r, o| {
            let bias = parameters.at(0, outputs * x.columns + o);
            bias + (0..x.columns).map(|i| x.at(r, i) * parameters.at(0, o * x.columns + i)).sum::<f64>()
        })
    }

    fn twin_backward(&self, inputs: &[&Matrix], y: &Matrix, dy: &Matrix) -> Vec<Matrix> {
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
}
