//! Softmax cross-entropy against a class: loss_r = log Σ_c exp(y_c) - y_class

use super::loss::{ROW_LOSS, Reads, both};
use super::map::CLOCK;
use super::{FusionPart, Op, OpContext, Role, Step, rows};
use crate::gpu::Shader;
use crate::graph::Shape;
use crate::reference::Matrix;

/// Softmax cross-entropy against a class: loss_r = log Σ_c exp(y_c) - y_class
pub static CROSS_ENTROPY: CrossEntropy = CrossEntropy {
    shader: Shader {
        name: "cross_entropy",
        parts: &[CLOCK, ROW_LOSS, include_str!("../../shaders/cross_entropy.wgsl")],
    },
};

/// The op [`CROSS_ENTROPY`].
pub struct CrossEntropy {
    shader: Shader,
}

/// (max, Σ exp(y - max)) of a row
fn softmax(y: &Matrix, r: usize) -> (f64, f64) {
    let m = (0..y.columns).map(|c| y.at(r, c)).fold(f64::NEG_INFINITY, f64::max);
    (m, (0..y.columns).map(|c| (y.at(r, c) - m).exp()).sum())
}

impl Op for CrossEntropy {
    fn name(&self) -> &'static str {
        self.shader.name
    }

    fn role(&self) -> Role {
        Role::Loss(Reads::Class)
    }

    fn shader(&self) -> &Shader {
        &self.shader
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [y, target] = inputs else {
            return Err(format!("takes y and a class, but {} tensors were given", inputs.len()));
        };
        rows(y, "y")?;
        match rows(target, "the class")? {
            1 => Ok(Shape::Rows(1)),
            _ => Err(format!("the class is {target}, but it takes one column")),
        }
    }

    fn forward(&self, cx: &OpContext) -> Step {
        both(cx)
    }

    fn backward(&self, _: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    fn fusion_part(&self) -> Option<FusionPart> {
        // Without the clock and the kernels that stand alone.
        self.shader.parts.get(2..).map(FusionPart::Loss)
    }

    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix {
        let (y, class) = (inputs[0], inputs[1]);
        Matrix::build(y.rows, 1, |r, _| {
            let (m, s) = softmax(y, r);
            s.ln() + m - y.at(r, class.at(r, 0) as usize)
        })
    }

    fn reference_backward(&self, inputs: &[&Matrix], _: &Matrix, dloss: &Matrix) -> Vec<Matrix> {
        let (y, class) = (inputs[0], inputs[1]);
        let dy = Matrix::build(y.rows, y.columns, |r, c| {
            let (m, s) = softmax(y, r);
            let hit = if c == class.at(r, 0) as usize { 1.0 } else { 0.0 };
            dloss.at(r, 0) * ((y.at(r, c) - m).exp() / s - hit)
        });
        vec![dy, Matrix::default()]
    }
}
