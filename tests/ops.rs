//! Every op in the middle of a network, on the GPU, against its reference in f64.

mod common;

use accrue::doctor::Case;
use accrue::gpu::{Gpu, Grid, Shader};
use accrue::graph::{Graph, Shape};
use accrue::ops::{ALL, Op, OpContext, Resource, Role, Step};
use accrue::reference::Matrix;
use common::{check, gpu, linear, op, small_gpu};

const WIDTHS: [usize; 14] = [1, 2, 3, 4, 5, 7, 8, 13, 31, 64, 127, 255, 256, 257];
const ROWS: [usize; 11] = [1, 2, 3, 5, 17, 64, 255, 256, 257, 500, 1000];

/// (rows, width): every width with few and with some rows, every number of rows with few and with some columns.
fn shapes() -> Vec<(usize, usize)> {
    let mut shapes: Vec<(usize, usize)> = WIDTHS.iter().flat_map(|&width| [(5, width), (33, width)]).collect();
    shapes.extend(ROWS.iter().flat_map(|&rows| [(rows, 3), (rows, 13), (rows, 31)]));
    shapes.extend([(1, 1), (1000, 1), (257, 64), (500, 127), (255, 256), (64, 257)]);
    shapes
}

fn check_all(gpu: &Gpu, device: &str) {
    for &op in ALL {
        for (at, (rows, width)) in shapes().into_iter().enumerate() {
            let mut case = Case::new(op, rows, width, at as u64).unwrap();
            case.name = format!("{} on {device}", case.name);
            check(gpu, &case);
        }
    }
}

#[test]
fn every_op_does_what_its_twin_does_forward_and_backward() {
    check_all(gpu(), "the adapter as it is");
}

#[test]
fn every_op_does_so_with_the_limits_of_the_smallest_device() {
    assert_eq!(*small_gpu().limits(), accrue::wgpu::Limits::downlevel_defaults());
    check_all(small_gpu(), "the smallest device");
}

#[test]
fn a_sample_of_weight_0_changes_nothing_however_large_it_is() {
    for &op in ALL {
        for (rows, row, width) in [(1, 0, 3), (5, 4, 5), (40, 0, 13), (70, 37, 3)] {
            let mut case = Case::new(op, rows, width, 11).unwrap();
            case.mask(row);
            check(gpu(), &case);
        }
    }
}

/// y = a + b: an op of the tests' own, because none of the crate's takes two tensors that have gradients.
struct Add;

static ADD: Shader = Shader { name: "add", parts: &[include_str!("../shaders/lib/clock.wgsl"), ADD_WGSL] };

const ADD_WGSL: &str = "
struct Dims { @align(16) stride4: u32 }
override ACCUMULATE: bool = false;
@group(0) @binding(0) var<uniform> dims: array<Dims, 2>;
@group(0) @binding(2) var<storage, read> a: array<vec4<f32>>;
@group(0) @binding(3) var<storage, read> b: array<vec4<f32>>;
@group(0) @binding(4) var<storage, read_write> y: array<vec4<f32>>;
@compute @workgroup_size(8, 8)
fn forward(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * dims[id.z].stride4 + id.x;
    if id.x < dims[id.z].stride4 && id.y < clock[id.z].rows { y[at] = a[at] + b[at]; }
}
@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * dims[id.z].stride4 + id.x;
    if id.x >= dims[id.z].stride4 || id.y >= clock[id.z].rows { return; }
    if ACCUMULATE { y[at] += a[at]; } else { y[at] = a[at]; }
}
";

impl Add {
    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let stride4 = cx.stride(cx.output()) / 4;
        cx.step(entry, Grid::Tiles { columns: stride4, rows_each: 1 }).dims(&[("stride4", stride4)])
    }
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn role(&self) -> Role {
        Role::Activation
    }

    fn shader(&self) -> &Shader {
        &ADD
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        Ok(inputs[0].clone())
    }

    fn forward(&self, cx: &OpContext) -> Step {
        let [a, b] = [0, 1].map(|k| Resource::Value(cx.input(k)));
        self.step(cx, "forward").bind("a", a).bind("b", b).bind("y", Resource::Value(cx.output()))
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let step = |(k, write)| {
            let step = self.step(cx, "backward").bind("a", Resource::Gradient(cx.output()));
            step.bind("y", Resource::Gradient(cx.input(k))).write(write)
        };
        cx.wants.iter().enumerate().filter_map(|(k, write)| write.map(|write| step((k, write)))).collect()
    }

    fn reference_forward(&self, inputs: &[&Matrix]) -> Matrix {
        Matrix::build(inputs[0].rows, inputs[0].columns, |r, c| inputs[0].at(r, c) + inputs[1].at(r, c))
    }

    fn reference_backward(&self, _: &[&Matrix], _: &Matrix, doutput: &Matrix) -> Vec<Matrix> {
        vec![doutput.clone(), doutput.clone()]
    }
}

#[test]
fn a_tensor_that_two_ops_read_gets_the_sum_of_their_gradients() {
    for &activation in ALL.iter().filter(|op| op.role() == Role::Activation) {
        for (rows, width) in [(3, 1), (5, 5), (64, 13), (257, 4)] {
            // Both ways round: whichever reads h last writes its gradient first, and the other adds to it.
            for layer_first in [false, true] {
                let mut graph = Graph::new();
                let x = graph.input(3);
                let h = linear(&mut graph, "before", x, width);
                let layer = |graph: &mut Graph| linear(graph, "beside", h, width);
                let (a, b);
                if layer_first {
                    a = layer(&mut graph);
                    b = graph.apply(activation, "op", &[h]).unwrap();
                } else {
                    b = graph.apply(activation, "op", &[h]).unwrap();
                    a = layer(&mut graph);
                }
                let output = graph.apply(&Add, "add", &[a, b]).unwrap();
                let name = format!("{} beside a layer, {rows} × {width}", activation.name());
                let case = Case::ending(graph, output, op("mse"), rows, 3).unwrap();
                check(gpu(), &Case { name, ..case });
            }
        }
    }
}
