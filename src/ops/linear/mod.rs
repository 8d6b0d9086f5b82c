//! A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`

pub mod tiles;

use super::map::{CLOCK, PADDING, SPECIAL};
use super::{Activation, Op, Piece, Place, Role, Saved, Site, Step, rows};
use crate::gpu::Shader;
use crate::graph::{Part, Shape};
use crate::twin::Matrix;
pub use tiles::{Products, Tiles};

/// A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`
pub static LINEAR: Linear = Linear {
    shader: Shader {
        name: "linear",
        parts: &[CLOCK, PADDING, CHAIN, SIZES, GRADIENT, tiles::SMALL.parts[0], tiles::SMALL.parts[1], IDENTITY],
    },
};

const CHAIN: &str = include_str!("../../../shaders/lib/chain.wgsl");
const SIZES: &str = include_str!("../../../shaders/linear/sizes.wgsl");
const IDENTITY: &str = include_str!("../../../shaders/linear/identity.wgsl");
const THROUGH: &str = include_str!("../../../shaders/linear/through.wgsl");
const KEEPS_X: &str = include_str!("../../../shaders/linear/keeps_x.wgsl");
const KEEPS_Y: &str = include_str!("../../../shaders/linear/keeps_y.wgsl");
const GRADIENT: &str = include_str!("../../../shaders/linear/gradient.wgsl");

/// The op [`LINEAR`].
pub struct Linear {
    shader: Shader,
}

/// `weight` (outputs, inputs) and `bias` (outputs)
pub fn parts(inputs: usize, outputs: usize) -> Vec<Part> {
    vec![Part { name: "weight", shape: vec![outputs, inputs] }, Part { name: "bias", shape: vec![outputs] }]
}

/// The kernels of a layer, made this way, with an activation or none.
fn joined(tiles: &Tiles, activation: Option<&Activation>) -> &'static Shader {
    let mut parts = vec![CLOCK, PADDING, CHAIN, SIZES, GRADIENT];
    parts.extend(tiles.parts);
    let Some(activation) = activation else {
        parts.push(IDENTITY);
        return Shader::joined(format!("linear.{tiles}"), parts);
    };
    let (keeps, how) = match activation.saved {
        Some(Saved::Input) => (KEEPS_X, "keeping"),
        _ => (KEEPS_Y, "along"),
    };
    parts.extend([SPECIAL, THROUGH, keeps]);
    parts.extend(activation.wgsl);
    Shader::joined(format!("linear.{tiles}.{}.{how}", activation.name), parts)
}

impl Linear {
    fn step(&self, site: &Site, entry: &'static str, tiles: &Tiles, activation: Option<&Activation>) -> Step {
        let (x, y) = (site.input(0), site.output());
        let (inputs, outputs) = (site.columns(x), site.columns(y));
        let (inputs4, outputs4) = (inputs.div_ceil(4), outputs.div_ceil(4));
        let (grid, loops) = match entry {
            "forward" => (tiles.rows(outputs4), tiles.loops_of_rows(inputs4)),
            "backward_input" => (tiles.rows(inputs4), tiles.loops_of_rows(outputs4)),
            _ => (tiles.gradient(outputs4, inputs4), tiles.loops_of_gradient()),
        };
        // Each of the three kernels passes over x or its gradient, y's, and the parameters or theirs.
        let weights = u64::from(inputs) * u64::from(outputs);
        let mut step = site
            .step(entry, grid)
            .dims(&[
                ("inputs", inputs),
                ("outputs", outputs),
                ("inputs4", inputs4),
                ("outputs4", outputs4),
                ("x_stride4", site.stride(x) / 4),
            ])
            .computes(2 * weights)
            .moves(inputs + outputs, weights + u64::from(outputs));
        step.loops = loops;
        step.constants.extend(tiles.constants.iter().map(|&(name, value)| (name, f64::from(value))));
        if *tiles != tiles::SMALL || activation.is_some() {
            step.shader = joined(tiles, activation);
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
        let above = site.along.above.as_ref();
        let tiles = site.products.of_rows(site.columns(site.output()) as usize);
        let step = self
            .step(site, "forward", tiles, above)
            .bind("left", Place::Value(site.input(0)))
            .bind("parameters", Place::Value(site.input(1)))
            .bind("y", Place::Value(above.map_or(site.output(), |activation| activation.y)));
        let step = match above {
            Some(activation) if activation.saved == Some(Saved::Input) => {
                step.bind("before", Place::Value(activation.x))
            }
            _ => step,
        };
        step.in_parts("first", tiles.columns_each())
    }

    fn backward(&self, site: &Site) -> Vec<Step> {
        let (x, parameters, y) = (site.input(0), site.input(1), site.output());
        let (inputs, outputs) = (site.columns(x) as usize, site.columns(y) as usize);
        let mut steps = Vec::new();
        if let Some(write) = site.wants[0] {
            let below = site.along.below.as_ref();
            let tiles = site.products.of_rows(inputs);
            let input = self
                .step(site, "backward_input", tiles, below)
                .bind("left", Place::Gradient(y))
                .bind("parameters", Place::Value(parameters))
                .bind("dinput", Place::Gradient(below.map_or(x, |activation| activation.x)))
                .write(write);
            let input = match below.and_then(Activation::saved) {
                Some(saved) => input.bind("saved", Place::Value(saved)),
                None => input,
            };
            steps.push(input.in_parts("first", tiles.columns_each()));
        }
        let tiles = site.products.of_gradient(outputs, inputs);
        let weight = self
            .step(site, "backward_weight", tiles, None)
            .bind("x", Place::Value(x))
            .bind("left", Place::Gradient(y))
            .bind("dparameters", Place::Gradient(parameters))
            .bind("open_parameters", Place::Open(parameters));
        steps.push(weight.in_parts("first", tiles.outputs_each()));
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
