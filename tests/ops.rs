//! Every op in the middle of a network, on the GPU, against its reference in f64.

mod common;

use std::sync::Arc;

use accrue::doctor::Case;
use accrue::gpu::{Gpu, Grid, Shader};
use accrue::graph::{
    Checked, Graph, LoopBound, Op, OpContext, Role, Scratch, Shape, Step, Tensor, Tolerance, Work, Write,
};
use accrue::ops::{self, ALL, Linear};
use accrue::optim::{Clip, Sgd};
use accrue::plan::{Kernels, Plan, Training};
use accrue::reference::{Matrix, Operand};
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

/// (rows, positions, width): blocks of several rows, of one row, and several of one row; sequences and images.
const POSITIONS: [(usize, &[usize], usize); 16] = [
    (37, &[2, 2], 3),
    (35, &[3, 4], 1),
    (11, &[5, 7], 5),
    (3, &[3, 41], 1),
    (2, &[41, 3], 3),
    (4, &[8, 8], 12),
    (2, &[17, 19], 2),
    (1, &[1, 1], 3),
    (70, &[2], 5),
    (50, &[3, 3], 4),
    (9, &[31], 13),
    (7, &[32], 1),
    (5, &[6, 7], 31),
    (3, &[255], 4),
    (2, &[16, 16], 3),
    (2, &[257], 8),
];

/// Fewest shapes that an op takes.
const FEWEST: usize = 9;

/// Every instance of every op in the middle of a network, on every shape that it takes.
fn check_all(gpu: &Gpu, device: &str) {
    for samples in ALL {
        let mut checked = 0;
        let rows = shapes().into_iter().map(|(rows, width)| (rows, &[][..], width));
        for (at, (rows, positions, width)) in rows.chain(POSITIONS).enumerate() {
            let cases = samples(width).into_iter();
            let cases = cases.filter_map(|op| Case::if_it_fits(op, rows, positions, width, at as u64).unwrap());
            let mut takes = false;
            for mut case in cases {
                case.name = format!("{} on {device}", case.name);
                check(gpu, &case);
                takes = true;
            }
            checked += usize::from(takes);
        }
        assert!(checked >= FEWEST, "{:?} takes {checked} shapes", samples(1)[0]);
    }
}

#[test]
fn every_op_does_what_its_reference_does_forward_and_backward() {
    check_all(gpu(), "the adapter as it is");
}

#[test]
fn every_op_does_so_with_the_limits_of_the_smallest_device() {
    assert_eq!(*small_gpu().limits(), accrue::wgpu::Limits::downlevel_defaults());
    check_all(small_gpu(), "the smallest device");
}

#[test]
fn a_sample_of_weight_0_changes_nothing_however_large_it_is() {
    let flat = [(1, 0, &[][..], 3), (5, 4, &[], 5), (40, 0, &[], 13), (70, 37, &[], 3)];
    let positions = [(5, 2, &[7][..], 3), (3, 1, &[40], 4), (9, 8, &[4, 5], 3), (3, 0, &[6, 7], 4)];
    for samples in ALL {
        let mut checked = 0;
        for (rows, row, positions, width) in flat.into_iter().chain(positions) {
            for op in samples(width) {
                let Some(mut case) = Case::if_it_fits(op, rows, positions, width, 11).unwrap() else { continue };
                case.mask(row);
                check(gpu(), &case);
                checked += 1;
            }
        }
        assert!(checked >= 2, "{:?} takes {checked} shapes", samples(1)[0]);
    }
}

/// y = a + b: an op of the tests' own, because none of the crate's takes two tensors that have gradients.
#[derive(Debug)]
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
    if id.x < dims[id.z].stride4 && id.y < lines(clock[id.z]) { y[at] = a[at] + b[at]; }
}
@compute @workgroup_size(8, 8)
fn backward(@builtin(global_invocation_id) id: vec3<u32>) {
    let at = id.y * dims[id.z].stride4 + id.x;
    if id.x >= dims[id.z].stride4 || id.y >= lines(clock[id.z]) { return; }
    if ACCUMULATE { y[at] += a[at]; } else { y[at] = a[at]; }
}
";

impl Add {
    fn step(&self, cx: &OpContext, entry: &'static str) -> Step {
        let stride4 = cx.stride(cx.output()) / 4;
        let work = Work::moves(12 * stride4, LoopBound::NONE);
        cx.step(entry, Grid::Tiles { columns: stride4, rows_each: 1 }, work).dims(&[("stride4", stride4)])
    }
}

impl Op for Add {
    fn name(&self) -> &'static str {
        "add"
    }

    fn role(&self) -> Role {
        Role::Activation
    }

    fn shader(&self) -> &'static Shader {
        &ADD
    }

    fn output(&self, inputs: &[&Shape]) -> Result<Shape, String> {
        Ok(inputs[0].clone())
    }

    /// A copy of a between its two steps, which the plan has to find a place for.
    fn scratch(&self, inputs: &[&Shape]) -> Vec<Scratch> {
        vec![Scratch { per_row: inputs[0].padded(), fixed: 0 }]
    }

    fn forward(&self, cx: &OpContext) -> Vec<Step> {
        let copy = self.step(cx, "backward").bind("a", cx.value(0)).bind("y", cx.scratch(0)).write(Write::Overwrite);
        let add = self.step(cx, "forward").bind("a", cx.scratch(0)).bind("b", cx.value(1));
        vec![copy, add.bind("y", cx.output_value())]
    }

    fn backward(&self, cx: &OpContext) -> Vec<Step> {
        let step = |(k, write)| {
            let step = self.step(cx, "backward").bind("a", cx.output_gradient());
            step.bind("y", cx.gradient(k)).write(write)
        };
        cx.wants.iter().enumerate().filter_map(|(k, write)| write.map(|write| step((k, write)))).collect()
    }

    fn reference_forward(&self, inputs: &[Operand]) -> Matrix {
        Matrix::build(inputs[0].rows, inputs[0].columns, |r, c| inputs[0].at(r, c) + inputs[1].at(r, c))
    }

    fn reference_backward(&self, _: &[Operand], _: &Matrix, doutput: &Matrix) -> Vec<Matrix> {
        vec![doutput.clone(), doutput.clone()]
    }

    fn tolerance(&self, checked: &Checked) -> Tolerance {
        Tolerance::of_products(self, checked, &[2, 1, 1])
    }
}

#[test]
fn a_tensor_that_two_ops_read_gets_the_sum_of_their_gradients() {
    for activation in ops::of_role(|role| role == Role::Activation) {
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
                    b = graph.apply(activation.clone(), "op", &[h]).unwrap();
                } else {
                    b = graph.apply(activation.clone(), "op", &[h]).unwrap();
                    a = layer(&mut graph);
                }
                let output = graph.apply(Arc::new(Add), "add", &[a, b]).unwrap();
                let name = format!("{} beside a layer, {rows} × {width}", activation.name());
                let case = Case::ending(graph, output, op("mse"), rows, 3).unwrap();
                check(gpu(), &Case { name, ..case });
            }
        }
    }
}

#[test]
fn a_parameter_that_is_used_several_times_gets_the_sum_of_the_gradients_of_its_uses_in_their_order() {
    for (rows, positions, width, uses) in [(3, &[][..], 1, 2), (70, &[], 5, 3), (33, &[3], 4, 2), (5, &[40], 7, 2)] {
        let mut graph = Graph::new();
        let x = graph.input_of(&[positions, &[width]].concat());
        let layer = Arc::new(Linear { outputs: width });
        let shared = graph.parameters("shared", layer.parameters(graph.shape(x)));
        let mut at = x;
        for nth in 0..uses {
            at = graph.apply(layer.clone(), &format!("use {nth}"), &[at, shared]).unwrap();
            at = graph.apply(op("tanh"), "tanh", &[at]).unwrap();
        }
        let output = linear(&mut graph, "after", at, 2);
        let name = format!("{uses} uses, {rows} × {positions:?} × {width}");
        let case = Case::ending(graph, output, op("mse"), rows, 3).unwrap();
        // The gradients are also compared with those of the same window cut into pieces, bit by bit.
        check(gpu(), &Case { name, ..case });
    }
}

/// What a plan for training says against a graph.
fn refusal(graph: &Graph, output: Tensor, loss: Tensor) -> String {
    let optimizer = &Sgd::default();
    let training = Training {
        loss,
        optimizer,
        clip: Clip::default(),
        lr_factors: Default::default(),
        open_blocks: true,
        kernels: Kernels::OPS,
        seed: 0,
    };
    Plan::new(graph, output, 4, Some(training)).err().expect("the plan is refused").to_string()
}

#[test]
fn a_use_of_a_shared_parameter_that_the_loss_does_not_see_is_refused_because_nobody_would_write_its_sums() {
    let mut graph = Graph::new();
    let x = graph.input(3);
    let layer = Arc::new(Linear { outputs: 3 });
    let shared = graph.parameters("shared", layer.parameters(graph.shape(x)));
    graph.apply(layer.clone(), "unseen", &[x, shared]).unwrap();
    let output = graph.apply(layer, "seen", &[x, shared]).unwrap();
    let target = graph.target(3);
    let loss = graph.apply(op("mse"), "loss", &[output, target]).unwrap();
    let refused = refusal(&graph, output, loss);
    assert!(refused.contains("shared") && refused.contains("does not depend on it"), "{refused}");
}

#[test]
fn weights_that_are_none_for_each_position_of_the_loss_are_refused() {
    let mut graph = Graph::new();
    let x = graph.input_of(&[4, 3]);
    let output = linear(&mut graph, "layer", x, 2);
    let target = graph.target_of(&[4, 2]);
    graph.weigh_positions(3);
    let loss = graph.apply(op("mse"), "loss", &[output, target]).unwrap();
    let refused = refusal(&graph, output, loss);
    assert!(refused.contains("4 positions") && refused.contains("3 weights"), "{refused}");
}
