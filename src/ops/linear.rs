//! A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`

use super::map::{CLOCK, PADDING, SPECIAL};
use super::{Activation, Op, Piece, Place, Role, Saved, Site, Step, rows};
use crate::gpu::{Grid, Shader};
use crate::graph::{Part, Shape};
use crate::twin::Matrix;

/// A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`
pub static LINEAR: Linear =
    Linear { shader: Shader { name: "linear", parts: &[CLOCK, PADDING, CHAIN, SIZES, IDENTITY, SMALL] } };

const CHAIN: &str = include_str!("../../shaders/lib/chain.wgsl");
const SIZES: &str = include_str!("../../shaders/linear/sizes.wgsl");
const IDENTITY: &str = include_str!("../../shaders/linear/identity.wgsl");
const THROUGH: &str = include_str!("../../shaders/linear/through.wgsl");
const KEEPS_X: &str = include_str!("../../shaders/linear/keeps_x.wgsl");
const KEEPS_Y: &str = include_str!("../../shaders/linear/keeps_y.wgsl");
const SMALL: &str = include_str!("../../shaders/linear/small.wgsl");

/// The op [`LINEAR`].
pub struct Linear {
    shader: Shader,
}

/// `weight` (outputs, inputs) and `bias` (outputs)
pub fn parts(inputs: usize, outputs: usize) -> Vec<Part> {
    vec![Part { name: "weight", shape: vec![outputs, inputs] }, Part { name: "bias", shape: vec![outputs] }]
}

/// The kernels of a layer with an activation.
fn joined(activation: &Activation) -> &'static Shader {
    let (keeps, how) = match activation.saved {
        Some(Saved::Input) => (KEEPS_X, "keeping"),
        _ => (KEEPS_Y, "along"),
    };
    let mut parts = vec![CLOCK, PADDING, CHAIN, SIZES, SPECIAL, THROUGH, keeps, SMALL];
    parts.extend(activation.wgsl);
    Shader::joined(format!("linear.{}.{how}", activation.name), parts)
}

impl Linear {
    fn step(&self, site: &Site, entry: &'static str, grid: Grid, activation: Option<&Activation>) -> Step {
        let (x, y) = (site.input(0), site.output());
        let (inputs, outputs) = (site.columns(x), site.columns(y));
        // Each of the three kernels passes over x or its gradient, y's, and the parameters or theirs.
        let weights = u64::from(inputs) * u64::from(outputs);
        let mut step = site
            .step(entry, grid)
            .dims(&[
                ("inputs", inputs),
                ("outputs", outputs),
                ("inputs4", inputs.div_ceil(4)),
                ("outputs4", outputs.div_ceil(4)),
                ("x_stride4", site.stride(x) / 4),
            ])
            .computes(2 * weights)
            .moves(inputs + outputs, weights + u64::from(outputs));
        if let Some(activation) = activation {
            step.shader = joined(activation);
        }
        step
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
        let above = site.along.above.as_ref();
        let step = self
            .step(site, "forward", Grid::Tiles { columns, rows_each: 4 }, above)
            .loops(u64::from(site.columns(site.input(0)).div_ceil(4)), 0)
            .bind("left", Place::Value(site.input(0)))
            .bind("parameters", Place::Value(site.input(1)))
            .bind("y", Place::Value(above.map_or(site.output(), |activation| activation.y)));
        match above {
            Some(activation) if activation.saved == Some(Saved::Input) => {
                step.bind("before", Place::Value(activation.x))
            }
            _ => step,
        }
    }

    fn backward(&self, site: &Site) -> Vec<Step> {
        let (x, parameters, y) = (site.input(0), site.input(1), site.output());
        let inputs4 = site.columns(x).div_ceil(4);
        let mut steps = Vec::new();
        if let Some(write) = site.wants[0] {
            let below = site.along.below.as_ref();
            let input = self
                .step(site, "backward_input", Grid::Tiles { columns: inputs4, rows_each: 4 }, below)
                .loops(u64::from(site.columns(y).div_ceil(4)), 0)
                .bind("left", Place::Gradient(y))
                .bind("parameters", Place::Value(parameters))
                .bind("dx", Place::Gradient(below.map_or(x, |activation| activation.x)))
                .write(write);
            steps.push(match below.and_then(Activation::saved) {
                Some(saved) => input.bind("saved", Place::Value(saved)),
                None => input,
            });
        }
        // One column more than the weight has: the bias.
        let grid = Grid::Fixed { columns: inputs4 + 1, rows: site.columns(y).div_ceil(4) };
        let weight = self
            .step(site, "backward_weight", grid, None)
            // Where an invocation does a bias, it passes the loops of a weight once.
            .loops(8, 34)
            .bind("x", Place::Value(x))
            .bind("left", Place::Gradient(y))
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
