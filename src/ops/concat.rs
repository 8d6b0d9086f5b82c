//! Several tensors side by side: their columns, one after the other, at every position.

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, LoopBound, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

const WGSL: &str = "
// forward    y[l, first + c] = x[l,c]          one dispatch for each x; the last one also writes the padding
// backward   dx[l,c] (+)= dy[l, first + c]

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns: u32,   // of x
    writes: u32,               // columns that are written, padding included
    x_stride: u32,             // from one line to the next
    y_stride: u32,
    first: u32,                // the column of y that x begins at
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> x: array<f32>;          // (lines, columns)
@group(0) @binding(3) var<storage, read_write> y: array<f32>;    // (lines, all columns)
@group(0) @binding(4) var<storage, read> dy: array<f32>;         // (lines, all columns)
@group(0) @binding(5) var<storage, read_write> dx: array<f32>;   // (lines, columns)

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.writes || id.y >= lines(now) { return; }
    var value = 0.0;
    if id.x < size.columns { value = x[id.y * size.x_stride + id.x]; }
    y[id.y * size.y_stride + size.first + id.x] = value;
}

@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.writes || id.y >= lines(now) { return; }
    var value = 0.0;
    if id.x < size.columns { value = dy[id.y * size.y_stride + size.first + id.x]; }
    let at = id.y * size.x_stride + id.x;
    if ACCUMULATE { dx[at] += value; } else { dx[at] = value; }
}
";

/// The columns of several tensors, one after the other.
#[derive(Clone, Copy, Debug)]
pub struct Concat;

/// The step of the k-th input; `to` is where its padding ends.
fn step(cx: &OpContext, entry: &'static str, k: usize, writes: u32) -> Step {
    let first = (0..k).map(|before| cx.columns(cx.input(before))).sum();
    let columns = cx.columns(cx.input(k));
    let dims = [
        ("columns", columns),
        ("writes", writes),
        ("x_stride", cx.stride(cx.input(k))),
        ("y_stride", cx.stride(cx.output())),
        ("first", first),
    ];
    let work = Work::moves(3 * writes, LoopBound::NONE);
    cx.step_over(cx.output(), entry, Grid::Tiles { columns: writes, rows_each: 1 }, work).dims(&dims)
}

impl Op for Concat {
    fn name(&self) -> &'static str {
        "concat"
    }

    fn role(&self) -> Role {
        Role::Join
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined("concat".to_owned(), vec![CLOCK, WGSL])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        let first = sample(inputs.first().ok_or("takes one tensor at least")?, "x")?;
        if let Some(odd) = inputs.iter().find(|x| x.with_columns(1) != first.with_columns(1)) {
            return Err(format!("{first} and {odd} differ in more than their columns"));
        }
        Ok(first.with_columns(inputs.iter().filter_map(|x| x.columns()).sum()))
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let count = cx.node.inputs.len();
        let padding = cx.stride(cx.output()) - cx.columns(cx.output());
        let of = |k: usize| {
            let writes = cx.columns(cx.input(k)) + if k + 1 == count { padding } else { 0 };
            step(cx, "forward", k, writes).bind("x", cx.value(k)).bind("y", cx.output_value())
        };
        (0..count).map(of).collect()
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let of = |(k, write): (usize, &Option<_>)| {
            let step = step(cx, "backward", k, cx.columns(cx.input(k)).next_multiple_of(4));
            write.map(|write| step.bind("dy", cx.output_gradient()).bind("dx", cx.gradient(k)).write(write))
        };
        cx.wants.iter().enumerate().filter_map(of).collect()
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let columns = inputs.iter().map(|x| x.columns).sum();
        let rows = inputs.first().map_or(0, |x| x.rows);
        let all = |r| inputs.iter().flat_map(move |x| (0..x.columns).map(move |c| x.at(r, c)));
        Matrix { rows, columns, values: (0..rows).flat_map(all).collect() }
    }

    fn reference_backward(&self, inputs: &[Operand], _: &Matrix, dy: &Matrix) -> Vec<Matrix> {
        let first = |k: usize| inputs[..k].iter().map(|x| x.columns).sum::<usize>();
        let of = |(k, x): (usize, &Operand)| Matrix::build(x.rows, x.columns, |r, c| dy.at(r, first(k) + c));
        inputs.iter().enumerate().map(of).collect()
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_elements(checked)
    }
}
