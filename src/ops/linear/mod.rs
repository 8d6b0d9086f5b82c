//! A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`

pub mod matmul;

use super::map::{CLOCK, PADDING, SPECIAL};
use super::{Activation, DerivativeOf, FusionPart, Op, OpContext, Resource, Role, Step, rows};
use crate::gpu::Shader;
use crate::graph::{ParameterSpec, Shape};
use crate::reference::Matrix;
pub use matmul::{MatmulKernel, MatmulPolicy};

/// A linear layer: `y[r,o] = bias[o] + Σ_i x[r,i] · weight[o,i]`
pub static LINEAR: Linear = Linear {
    shader: Shader {
        name: "linear",
        parts: &[CLOCK, PADDING, CHAIN, SIZES, GRADIENT, matmul::SMALL.parts[0], matmul::SMALL.parts[1], IDENTITY],
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
pub fn parts(inputs: usize, outputs: usize) -> Vec<ParameterSpec> {
    vec![
        ParameterSpec { name: "weight", shape: vec![outputs, inputs] },
        ParameterSpec { name: "bias", shape: vec![outputs] },
    ]
}

/// The kernels of a layer, made this way, with an activation or none.
fn joined(tiles: &MatmulKernel, activation: Option<&Activation>) -> &'static Shader {
    let mut parts = vec![CLOCK, PADDING, CHAIN, SIZES, GRADIENT];
    parts.extend(tiles.parts);
    let Some(activation) = activation else {
        parts.push(IDENTITY);
        return Shader::joined(format!("linear.{tiles}"), parts);
    };
    let (keeps, how) = match activation.saved {
        Some(DerivativeOf::Input) => (KEEPS_X, "keeping"),
        _ => (KEEPS_Y, "epilogues"),
    };
    parts.extend([SPECIAL, THROUGH, keeps]);
    parts.extend(activation.wgsl);
    Shader::joined(format!("linear.{tiles}.{}.{how}", activation.name), parts)
}

impl Linear {
    fn step(&self, cx: &OpContext, entry: &'static str, tiles: &MatmulKernel, activation: Option<&Activation>) -> Step {
        let (x, y) = (cx.input(0), cx.output());
        let (inputs, outputs) = (cx.columns(x), cx.columns(y));
        let (inputs4, outputs4) = (inputs.div_ceil(4), outputs.div_ceil(4));
        let (grid, loops) = match entry {
            "forward" => (tiles.rows(outputs4), tiles.loops_of_rows(inputs4)),
            "backward_input" => (tiles.rows(inputs4), tiles.loops_of_rows(outputs4)),
            _ => (tiles.gradient(outputs4, inputs4), tiles.loops_of_gradient()),
        };
        // Each of the three kernels passes over x or its gradient, y's, and the parameters or theirs.
        let weights = u64::from(inputs) * u64::from(outputs);
        let mut step = cx
            .step(entry, grid)
            .dims(&[
                ("inputs", inputs),
                ("outputs", outputs),
                ("inputs4", inputs4),
                ("outputs4", outputs4),
                ("x_stride4", cx.stride(x) / 4),
            ])
            .computes(2 * weights)
            .moves(inputs + outputs, weights + u64::from(outputs));
        step.loops = loops;
        step.constants.extend(tiles.constants.iter().map(|&(name, value)| (name, f64::from(value))));
        if *tiles != matmul::SMALL || activation.is_some() {
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
        let outputs = given.last().map_or(0, ParameterSpec::elements);
        if *given != parts(columns, outputs) {
            return Err(format!("x is {x} but the parameters are {}: they do not fit together", inputs[1]));
        }
        Ok(Shape::Rows(outputs))
    }

    fn forward(&self, cx: &OpContext) -> Step {
        let above = cx.epilogues.forward.as_ref();
        let tiles = cx.matmul.of_rows(cx.columns(cx.output()) as usize);
        let step = self
            .step(cx, "forward", tiles, above)
            .bind("left", Resource::Value(cx.input(0)))
            .bind("parameters", Resource::Value(cx.input(1)))
            .bind("y", Resource::Value(above.map_or(cx.output(), |activation| activation.y)));
        let step = match above {
            Some(activation) if activation.saved == Some(DerivativeOf::Input) => {
                step.bind("before", Resource::Value(activation.x))
            }
            _ => step,
        };
        step.in_parts("first", tiles.columns_each())
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let (x, parameters, y) = (cx.input(0), cx.input(1), cx.output());
        let (inputs, outputs) = (cx.columns(x) as usize, cx.columns(y) as usize);
        let mut steps = Vec::new();
        if let Some(write) = cx.wants[0] {
            let below = cx.epilogues.backward.as_ref();
            let tiles = cx.matmul.of_rows(inputs);
            let input = self
                .step(cx, "backward_input", tiles, below)
                .bind("left", Resource::Gradient(y))
                .bind("parameters", Resource::Value(parameters))
                .bind("dinput", Resource::Gradient(below.map_or(x, |activation| activation.x)))
                .write(write);
            let input = match below.and_then(Activation::saved) {
                Some(saved) => input.bind("saved", Resource::Value(saved)),
                None => input,
            };
            steps.push(input.in_parts("first", tiles.columns_each()));
        }
        let tiles = cx.matmul.of_gradient(outputs, inputs);
        let weight = self
            .step(cx, "backward_weight", tiles, None)
            .bind("x", Resource::Value(x))
            .bind("left", Resource::Gradient(y))
            .bind("dparameters", Resource::Gradient(parameters))
            .bind("open_parameters", Resource::Open(parameters));
        steps.push(weight.in_parts("first", tiles.outputs_each()));
        steps
    }

    fn fusion_part(&self) -> Option<FusionPart> {
        Some(FusionPart::Linear)
    }

    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let (x, parameters) = (inputs[0], inputs[1]);
        let outputs = parameters.columns / (x.columns + 1);
        Matrix::build(x.rows, outputs, |r, o| {
            let bias = parameters.at(0, outputs * x.columns + o);
            bias + (0..x.columns).map(|i| x.at(r, i) * parameters.at(0, o * x.columns + i)).sum::<f64>()
        })
    }

    fn reference_backward(&self, inputs: &[&Matrix], y: &Matrix, dy: &Matrix) -> Vec<Matrix> {
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
