//! An op with one thing changed: a mistake that a test must find.

use std::fmt;
use std::sync::Arc;

use accrue::gpu::Shader;
use accrue::graph::{Checked, Op, OpContext, ParameterSpec, Role, Scratch, Shape, Step, Tolerance};
use accrue::reference::{Matrix, Operand};

/// The gradients that an op's reference gives, made from the op, its inputs, its output and its output's gradient.
pub type Gradients = Box<dyn Fn(&dyn Op, &[Operand], &Matrix, &Matrix) -> Vec<Matrix> + Send + Sync>;

/// An op that is another one but for its shader, or but for the gradients of its reference.
pub struct Changed {
    op: Arc<dyn Op>,
    shader: Option<&'static Shader>,
    gradients: Option<Gradients>,
}

impl Changed {
    /// With another shader, after which it is called.
    pub fn shader(op: Arc<dyn Op>, shader: &'static Shader) -> Arc<dyn Op> {
        Arc::new(Changed { op, shader: Some(shader), gradients: None })
    }

    /// With other gradients of its reference.
    pub fn gradients(op: Arc<dyn Op>, gradients: Gradients) -> Arc<dyn Op> {
        Arc::new(Changed { op, shader: None, gradients: Some(gradients) })
    }
}

impl fmt::Debug for Changed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

impl Op for Changed {
    fn name(&self) -> &'static str {
        self.shader.map_or_else(|| self.op.name(), |shader| shader.name)
    }

    fn role(&self) -> Role {
        self.op.role()
    }

    fn shader(&self) -> &'static Shader {
        self.shader.unwrap_or_else(|| self.op.shader())
    }

    fn parameters(&self, x: &Shape) -> Vec<ParameterSpec> {
        self.op.parameters(x)
    }

    fn statistics(&self, x: &Shape) -> Vec<ParameterSpec> {
        self.op.statistics(x)
    }

    fn group(&self) -> usize {
        self.op.group()
    }

    fn differs_in_training(&self) -> bool {
        self.op.differs_in_training()
    }

    fn update(&self, cx: &OpContext) -> Vec<Step> {
        self.op.update(cx)
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        self.op.output(inputs)
    }

    fn saved(&self, inputs: &[&Shape]) -> Vec<usize> {
        self.op.saved(inputs)
    }

    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        self.op.scratch(inputs)
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        self.op.forward(cx)
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        self.op.backward(cx)
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        self.op.reference_forward(inputs)
    }

    fn reference_backward(&self, inputs: &[Operand], output: &Matrix, doutput: &Matrix) -> Vec<Matrix> {
        match &self.gradients {
            Some(gradients) => gradients(&*self.op, inputs, output, doutput),
            None => self.op.reference_backward(inputs, output, doutput),
        }
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        self.op.tolerance(checked)
    }

    fn is_smooth(&self, inputs: &[Operand], within: f64) -> bool {
        self.op.is_smooth(inputs, within)
    }

    fn kinks(&self) -> &'static [f64] {
        self.op.kinks()
    }
}
