//! Every op in the middle of a network, on the GPU, against its reference in f64.

mod common;

use std::sync::Arc;

use accrue::doctor::Case;
use accrue::gpu::Gpu;
use accrue::graph::{Graph, Op, Role, Tensor};
use accrue::ops::{self, ALL, Linear};
use accrue::optim::{Clip, Sgd};
use accrue::plan::{Kernels, Plan, Training};
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
const POSITIONS: [(usize, &[usize], usize); 26] = [
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
    (1, &[1], 12),
    (9, &[3], 48),
    (5, &[7], 12),
    (3, &[9], 64),
    (4, &[12], 24),
    (3, &[18], 60),
    (3, &[33], 24),
    (2, &[40], 72),
    (2, &[70], 32),
    (1, &[2], 384),
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
    let positions = [
        (5, 2, &[7][..], 3),
        (3, 1, &[40], 4),
        (9, 8, &[4, 5], 3),
        (3, 0, &[6, 7], 4),
        (5, 2, &[7], 24),
        (3, 1, &[40], 32),
    ];
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
                let output = graph.apply(Arc::new(ops::Add), "add", &[a, b]).unwrap();
                let name = format!("{} beside a layer, {rows} × {width}", activation.name());
                let case = Case::ending(graph, output, op("mse"), rows, 3).unwrap();
                check(gpu(), &Case { name, ..case });
            }
        }
    }
}

#[test]
fn tensors_of_any_widths_are_joined_and_any_number_of_them_is_added() {
    // Columns that begin with a vec4 and that do not, with and without padding behind the last ones.
    for (rows, positions, widths) in
        [(3, &[][..], [3, 5, 2]), (37, &[], [4, 8, 3]), (5, &[2, 3], [8, 1, 4]), (2, &[40], [4, 4, 4])]
    {
        let mut graph = Graph::new();
        let x = graph.input_of(&[positions, &[3]].concat());
        let names = ["first", "second", "third"];
        let parts = [0, 1, 2].map(|at| linear(&mut graph, names[at], x, widths[at]));
        let joined = graph.join(Arc::new(ops::Concat), "join", "join", &[parts[0], x, parts[1], parts[2]]).unwrap();
        let after = [("a", joined), ("b", joined), ("c", x)];
        let outputs = after.map(|(name, from)| linear(&mut graph, name, from, 5));
        let output = graph.join(Arc::new(ops::Add), "sum", "sum", &[outputs[0], outputs[1], outputs[2], outputs[0]]);
        let name = format!("{widths:?} of {rows} × {positions:?}");
        let case = Case::ending(graph, output.unwrap(), op("mse"), rows, 3).unwrap();
        check(gpu(), &Case { name, ..case });
    }
}

#[test]
fn a_parameter_that_is_used_several_times_gets_the_sum_of_the_gradients_of_its_uses_in_their_order() {
    for (rows, positions, width, uses) in [(3, &[][..], 1, 2), (70, &[], 5, 3), (33, &[3], 4, 2), (5, &[40], 7, 2)] {
        let mut graph = Graph::new();
        let x = graph.input_of(&[positions, &[width]].concat());
        let layer = Arc::new(Linear::new(width));
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
        decay: Default::default(),
        open_blocks: true,
        kernels: Kernels::OPS,
        seed: 0,
        augment: Default::default(),
    };
    Plan::new(graph, output, 4, Some(training)).err().expect("the plan is refused").to_string()
}

#[test]
fn a_use_of_a_shared_parameter_that_the_loss_does_not_see_is_refused_because_nobody_would_write_its_sums() {
    let mut graph = Graph::new();
    let x = graph.input(3);
    let layer = Arc::new(Linear::new(3));
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
