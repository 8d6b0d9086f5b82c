//! The sum of tensors of one shape, such as what goes around a few layers and what goes through them: y = a + b + …

use std::sync::Arc;

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, LoopBound, Op, OpContext, Role, Shape, Step, Tensor, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

/// The sum of two or more tensors of one shape, in their order.
#[derive(Clone, Copy, Debug)]
pub struct Add;

pub(super) fn samples(_: usize) -> Vec<Arc<dyn Op>> {
    vec![Arc::new(Add)]
}

fn step(cx: &OpContext, entry: &'static str, a: Tensor, b: Tensor) -> Step {
    let columns4 = cx.columns(a).div_ceil(4);
    let work = Work::moves(12 * columns4, LoopBound::NONE);
    cx.step(entry, Grid::Elements { columns: columns4 }, work).dims(&[
        ("columns4", columns4),
        ("a_stride4", cx.stride(a) / 4),
        ("b_stride4", cx.stride(b) / 4),
    ])
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn role(&self) -> Role {
        Role::Join
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined(self.name().to_owned(), vec![CLOCK, include_str!("../../shaders/add.wgsl")])
    }

    fn stands_alone(&self) -> bool {
        false
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let [first, others @ ..] = inputs else { return Err("takes two tensors or more".to_owned()) };
        if others.is_empty() {
            return Err("takes two tensors or more, but one was given".to_owned());
        }
        match others.iter().find(|other| *other != first) {
            Some(other) => Err(format!("{first} and {other} are not of one shape, and cannot be added")),
            None => sample(first, "x").cloned(),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let inputs = &cx.node.inputs;
        let first = step(cx, "forward", inputs[0], inputs[1]).bind("a", cx.value(0)).bind("b", cx.value(1));
        let more = (2..inputs.len()).map(|k| step(cx, "more", inputs[k], inputs[k]).bind("a", cx.value(k)));
        std::iter::once(first).chain(more).map(|step| step.bind("y", cx.output_value())).collect()
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let wanted = cx.wants.iter().enumerate().filter_map(|(k, write)| write.map(|write| (k, write)));
        let step = |(k, write)| {
            let step = step(cx, "backward", cx.input(k), cx.input(k));
            step.bind("dy", cx.output_gradient()).bind("dinput", cx.gradient(k)).write(write)
        };
        wanted.map(step).collect()
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let sum = |r, c| inputs.iter().map(|input| input.at(r, c)).sum();
        Matrix::build(inputs[0].rows, inputs[0].columns, sum)
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        vec![dy.clone(); inputs.len()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        let count = checked.inputs.len();
        Tolerance::of_products(self, checked, &[vec![count], vec![1; count]].concat())
    }
}
