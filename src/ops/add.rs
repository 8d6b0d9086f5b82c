//! The sum of two tensors of one shape: y = a + b

use crate::gpu::{Grid, Shader};
use crate::graph::{Checked, Export, LoopBound, OnnxNode, Op, OpContext, Role, Shape, Step, Tolerance, Work, sample};
use crate::tensor::{Matrix, Operand};
use crate::wgsl::CLOCK;

const WGSL: &str = "
// forward    y[l,c]  = a[l,c] + b[l,c]
// backward   dx[l,c] (+)= dy[l,c]

override ACCUMULATE: bool = false;

struct Dims {
    @align(16) columns4: u32,   // in vec4, rounded up
    a_stride4: u32,             // from one line to the next, in vec4
    b_stride4: u32,
}

@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
var<private> size: Dims;
@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;         // (lines, columns)
@group(0) @binding(3) var<storage, read> b: array<vec4<f32>>;         // (lines, columns)
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;   // (lines, columns)
@group(0) @binding(5) var<storage, read> dy: array<vec4<f32>>;        // (lines, columns)
@group(0) @binding(6) var<storage, read_write> dx: array<vec4<f32>>;  // (lines, columns)

@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    y[id.y * size.columns4 + id.x] = a[id.y * size.a_stride4 + id.x] + b[id.y * size.b_stride4 + id.x];
}

@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    now = clock[id.z];
    size = dims[id.z];
    if id.x >= size.columns4 || id.y >= lines(now) { return; }
    let at = id.y * size.columns4 + id.x;
    if ACCUMULATE { dx[at] += dy[at]; } else { dx[at] = dy[at]; }
}
";

/// y = a + b
#[derive(Clone, Copy, Debug)]
pub struct Add;

fn step(cx: &OpContext, entry: &'static str) -> Step {
    let columns4 = cx.columns(cx.output()).div_ceil(4);
    let [a, b] = [0, 1].map(|k| cx.stride(cx.input(k)) / 4);
    let dims = [("columns4", columns4), ("a_stride4", a), ("b_stride4", b)];
    let work = Work::moves(12 * columns4, LoopBound::NONE);
    cx.step(entry, Grid::Tiles { columns: columns4, rows_each: 1 }, work).dims(&dims)
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn role(&self) -> Role {
        Role::Join
    }

    fn shader(&self) -> &'static Shader {
        Shader::joined("add".to_owned(), vec![CLOCK, WGSL])
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        match inputs {
            [a, b] if a == b => sample(a, "a").cloned(),
            [a, b] => Err(format!("a is {a} but b is {b}; they must be alike")),
            _ => Err(format!("takes a and b, but {} tensors were given", inputs.len())),
        }
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let step = step(cx, "forward").bind("a", cx.value(0)).bind("b", cx.value(1));
        vec![step.bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let of = |(k, write): (usize, &Option<_>)| {
            let step = step(cx, "backward").bind("dy", cx.output_gradient()).bind("dx", cx.gradient(k));
            write.map(|write| step.write(write))
        };
        cx.wants.iter().enumerate().filter_map(of).collect()
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        let [a, b] = inputs else { return Matrix::default() };
        Matrix::build(a.rows, a.columns, |r, c| a.at(r, c) + b.at(r, c))
    }

    fn reference_backward(&self, _: &[Operand], _: &Matrix, doutput: &Matrix) -> Vec<Matrix> {
        vec![doutput.clone(), doutput.clone()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_products(self, checked, &[2, 1, 1])
    }

    fn export(&self, _: &Shape) -> Option<Export> {
        Some(Export::new("", vec![OnnxNode::new("Add", &["a", "b"], "y")]))
    }
}
