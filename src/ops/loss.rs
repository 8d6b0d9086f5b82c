//! What the losses share: the kernel in `shaders/lib/row_loss.wgsl`, and `shaders/lib/loss.wgsl` for losses that are a mean
//! over a position's columns; the latter is joined with the op's own `loss` and `dloss`.

use std::fmt;

use crate::gpu::{Grid, Shader};
use crate::graph::{
    Checked, LoopBound, MlpPart, Op, OpContext, Resource, Role, Shape, Step, TargetKind, Tolerance, Work, sample,
};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::{CLOCK, LOSS, ROW_LOSS};

/// A loss per position: Σ_c loss(y, t) / columns
#[derive(Clone, Copy)]
pub struct Mean {
    /// Its name.
    pub name: &'static str,
    /// The WGSL of loss and dloss.
    pub wgsl: &'static str,
    /// Its kind of target.
    pub target: TargetKind,
    /// loss(y, t)
    pub loss: fn(f64, f64) -> f64,
    /// Its derivative by y.
    pub dloss: fn(f64, f64) -> f64,
    /// Values of y - t where the derivative jumps.
    pub kinks: &'static [f64],
}

/// The step of a loss, which also computes the gradient of y: both need the same position and nothing else. An invocation
/// reads its columns `passes` times.
pub(super) fn both(cx: &OpContext, passes: u32) -> Vec<Step> {
    let y = cx.input(0);
    let (columns, targets) = (cx.columns(y), cx.columns(cx.input(1)));
    let record = cx.graph.record();
    let dims = [
        ("columns", columns),
        ("y_stride", cx.stride(y)),
        ("record_stride", record.stride as u32),
        ("target_at", record.target_at as u32),
        ("targets", targets),
        ("weight_at", record.weight_at as u32),
        ("weights", record.weights as u32),
    ];
    let loops = LoopBound::fixed(u64::from(passes) * u64::from(cx.stride(y) + 1));
    // y and its gradient, the target, the weight and the loss.
    let work = Work::moves(2 * columns + targets + 2, loops);
    let step = cx
        .step("both", Grid::Rows, work)
        .dims(&dims)
        .bind("y", cx.value(0))
        .bind("record", Resource::Record)
        .bind("row_loss", cx.output_value())
        .bind("dy", cx.gradient(0));
    vec![step]
}

/// The shader of a loss, from the WGSL of `prepare`, `loss_of` and `dloss_of`.
pub(super) fn shader(name: &str, wgsl: &[&'static str]) -> &'static Shader {
    Shader::joined(name.to_owned(), [&[CLOCK, ROW_LOSS], wgsl].concat())
}

/// The shape of a loss: one number per position of y, whose target has this many columns.
pub(super) fn per_position(inputs: &[&Shape], columns: impl Fn(usize) -> usize) -> Result<Shape, String> {
    let [y, target] = inputs else {
        return Err(format!("takes y and a target, but {} tensors were given", inputs.len()));
    };
    let (y, target) = (sample(y, "y")?, sample(target, "the target")?);
    let wanted = y.with_columns(columns(y.columns().unwrap_or(0)));
    if *target != wanted {
        return Err(format!("y is {y} but the target is {target}: it has to be {wanted}"));
    }
    Ok(y.with_columns(1))
}

impl Mean {
    const fn parts(&self) -> [&'static str; 2] {
        [LOSS, self.wgsl]
    }
}

impl fmt::Debug for Mean {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

impl Op for Mean {
    fn name(&self) -> &'static str {
        self.name
    }

    fn role(&self) -> Role {
        Role::Loss(self.target)
    }

    fn shader(&self) -> &'static Shader {
        shader(self.name, &self.parts())
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        per_position(inputs, |columns| columns)
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        both(cx, 2)
    }

    fn backward(&self, _: &OpContext) -> Vec<Step> {
        Vec::new()
    }

    fn mlp_part(&self) -> Option<MlpPart> {
        Some(MlpPart::Loss { wgsl: self.parts().to_vec(), constants: Vec::new() })
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let (y, t) = (inputs[0], inputs[1]);
        let mean = |r| (0..y.columns).map(|c| (self.loss)(y.at(r, c), t.at(r, c))).sum::<f64>() / y.columns as f64;
        Matrix::build(y.rows, 1, |r, _| mean(r))
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dloss: &Matrix) -> Vec<Matrix> {
        let (y, t) = (inputs[0], inputs[1]);
        let derivative = |r, c| dloss.at(r, 0) * (self.dloss)(y.at(r, c), t.at(r, c)) / y.columns as f64;
        vec![Matrix::build(y.rows, y.columns, derivative), Matrix::default()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_loss(checked, 1.0 / checked.inputs[0].columns as f64)
    }

    fn kinks(&self) -> &'static [f64] {
        self.kinks
    }
}
