//! Whichever kernels are chosen, the bits are the same.

mod common;

use accrue::doctor::Case;
use accrue::doctor::rig::Rig;
use accrue::graph::{Graph, Tensor};
use accrue::ops::{ALL, Op, Place, Role};
use accrue::optim::{Clip, Sgd};
use accrue::plan::Kernels;
use common::{bits, gpu, linear, op};

/// What a window leaves, cut into micro-batches of so many rows: all gradients, and the sums.
fn left(case: &Case, kernels: Kernels, cut: &[usize]) -> [Vec<u32>; 2] {
    let rig = Rig::with(gpu(), case, &Sgd::default(), Clip::default(), kernels).unwrap();
    rig.micro_steps(cut).unwrap();
    let stats = rig.read(Place::Stats).unwrap();
    [bits(&rig.read(Place::Gradients(rig.all())).unwrap()), bits(&stats[..2])]
}

/// A window in one piece, and in pieces that end inside blocks.
fn cuts(rows: usize) -> [Vec<usize>; 2] {
    let first = rows.min(5);
    let second = (rows - first).min(rows / 2);
    let cut = [first, second, rows - first - second].into_iter().filter(|&rows| rows > 0).collect();
    [vec![rows], cut]
}

fn activations() -> impl Iterator<Item = &'static dyn Op> {
    ALL.iter().copied().filter(|op| op.role() == Role::Activation)
}

fn apply(graph: &mut Graph, op: &'static dyn Op, name: &str, x: Tensor) -> Tensor {
    graph.apply(op, name, &[x]).unwrap()
}

/// Layers with an activation between them, and at the end.
fn chain(activation: &'static dyn Op, width: usize, ends: bool, rows: usize) -> Case {
    let mut graph = Graph::new();
    let x = graph.input(3);
    let first = linear(&mut graph, "first", x, width);
    let first = apply(&mut graph, activation, "first activation", first);
    let second = linear(&mut graph, "second", first, width / 2 + 1);
    // One that keeps its input where the other keeps its output.
    let second = apply(&mut graph, op(if width > 4 { "gelu" } else { "tanh" }), "second activation", second);
    let mut output = linear(&mut graph, "last", second, 2);
    if ends {
        output = apply(&mut graph, activation, "last activation", output);
    }
    Case::ending(graph, output, op("mse"), rows, 5).unwrap()
}

#[test]
fn activations_done_along_the_way_give_the_same_bits() {
    for activation in activations() {
        for (rows, width) in [(1, 1), (3, 5), (67, 13), (40, 4)] {
            for ends in [false, true] {
                let case = chain(activation, width, ends, rows);
                for cut in cuts(rows) {
                    let alone = left(&case, Kernels::OPS, &cut);
                    let along = left(&case, Kernels::FUSED_OPS, &cut);
                    assert!(alone == along, "{}, {rows} × {width}, {cut:?}, at the end: {ends}", activation.name());
                }
            }
        }
    }
}

#[test]
fn no_activation_between_layers_has_a_kernel_of_its_own() {
    let case = chain(op("silu"), 5, false, 7);
    let rig = Rig::with(gpu(), &case, &Sgd::default(), Clip::default(), Kernels::FUSED_OPS).unwrap();
    let plan = rig.plan();
    let names = |steps: &[accrue::ops::Step]| steps.iter().map(|step| step.entry).collect::<Vec<_>>();
    assert_eq!(names(&plan.forward), ["forward"; 3]);
    assert_eq!(names(&plan.loss), ["both", "sum"]);
    let backward = ["backward_input", "backward_weight", "backward_input", "backward_weight", "backward_weight"];
    assert_eq!(names(&plan.gradient), backward);
    assert_eq!(plan.micro_batch_steps(true).len(), 1 + 3 + 2 + 5, "the rows are gathered, too");
}
