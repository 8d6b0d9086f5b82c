//! Convolutions on awkward images: against the reference in f64, and the same bits by every kernel.

mod common;

use std::sync::Arc;

use accrue::doctor::Case;
use accrue::doctor::compare;
use accrue::doctor::rig::Rig;
use accrue::gpu::Gpu;
use accrue::graph::{Graph, Resource, TensorKind};
use accrue::ops::linear::matmul;
use accrue::ops::{Conv2d, Padding};
use accrue::optim::{Clip, Sgd};
use accrue::plan::Kernels;
use common::{assert_right, bits, gpu, linear, op, small_gpu};

fn padded(size: usize) -> Padding {
    Padding::Zeros([size; 2])
}

/// (rows, height, width, channels) and a convolution of them.
fn convolutions() -> Vec<([usize; 4], Conv2d)> {
    let plain = Conv2d::new;
    vec![
        ([1, 1, 1, 1], plain(1, 1)),
        ([37, 3, 2, 3], plain(5, 2)),
        ([33, 5, 5, 1], Conv2d { padding: padded(1), ..plain(16, 3) }),
        ([3, 9, 41, 3], Conv2d { padding: padded(1), stride: [2, 2], ..plain(20, 3) }),
        ([2, 47, 5, 5], Conv2d { padding: padded(2), kernel: [4, 2], stride: [2, 1], bias: false, ..plain(7, 4) }),
        ([2, 7, 55, 16], Conv2d { padding: Padding::Same, ..plain(32, 3) }),
        ([9, 8, 8, 8], Conv2d { padding: Padding::Same, dilation: [2, 3], ..plain(8, 3) }),
        ([3, 23, 19, 4], Conv2d { padding: Padding::Same, dilation: [1, 2], ..plain(20, 3) }),
        ([3, 23, 19, 3], Conv2d { padding: padded(2), ..plain(16, 5) }),
        ([3, 22, 18, 8], Conv2d { padding: padded(1), stride: [2, 2], bias: false, ..plain(16, 3) }),
        ([3, 22, 18, 5], Conv2d { padding: padded(1), stride: [2, 3], dilation: [3, 2], ..plain(6, 3) }),
        ([2, 12, 14, 16], Conv2d { stride: [2, 2], ..plain(16, 1) }),
        ([2, 22, 18, 6], Conv2d { groups: 3, stride: [1, 2], ..plain(12, 2) }),
        ([3, 4, 7, 4], Conv2d { padding: padded(1), stride: [4096, 5], ..plain(8, 3) }),
        ([2, 22, 18, 6], Conv2d { groups: 6, padding: Padding::Same, ..plain(6, 3) }),
        ([5, 6, 6, 20], Conv2d { stride: [3, 3], ..plain(36, 1) }),
        ([4, 9, 7, 12], Conv2d { groups: 3, padding: padded(1), ..plain(24, 3) }),
        ([4, 9, 7, 32], Conv2d { groups: 2, padding: padded(1), stride: [2, 2], ..plain(32, 3) }),
        ([4, 9, 7, 6], Conv2d { groups: 2, padding: padded(1), ..plain(10, 3) }),
        ([4, 9, 7, 5], Conv2d { groups: 5, padding: padded(1), stride: [2, 1], ..plain(5, 3) }),
        ([4, 9, 7, 5], Conv2d { groups: 5, padding: padded(1), bias: false, ..plain(10, 3) }),
        ([40, 4, 5, 8], Conv2d { groups: 8, padding: Padding::Same, ..plain(8, 5) }),
    ]
}

/// linear → convolution → activation → linear → numbers: both sides of the convolution are arbitrary.
fn case(&([rows, high, wide, channels], conv): &([usize; 4], Conv2d), activation: Option<&str>) -> Case {
    let mut graph = Graph::new();
    let x = graph.input_of(&[high, wide, 3]);
    let mut at = linear(&mut graph, "before", x, channels);
    if let Some(name) = activation {
        at = graph.apply(op(name), "activation before", &[at]).unwrap();
    }
    at = graph.layer(Arc::new(conv), "conv", "conv", at).unwrap();
    if let Some(name) = activation {
        at = graph.apply(op(name), "activation", &[at]).unwrap();
    }
    let output = linear(&mut graph, "after", at, 2);
    let name = format!("{conv:?} of {rows} × {high} × {wide} × {channels}, {activation:?}");
    Case { name, ..Case::ending(graph, output, op("mse"), rows, 7).unwrap() }
}

/// Every kernel that the adapter has, for matrix products by this name.
fn kernels(gpu: &Gpu) -> Vec<(&'static str, Kernels)> {
    let chosen = Kernels::of(gpu, None);
    let of = |tiles| Kernels { tiles: Some(tiles), cpu: chosen.cpu, subgroups: chosen.subgroups, ..Kernels::OPS };
    vec![
        ("small", Kernels::OPS),
        ("shared", of(&matmul::SHARED)),
        ("wg32", of(&matmul::GROUP_32)),
        ("wg64", of(&matmul::GROUP_64)),
    ]
}

#[test]
fn a_convolution_is_what_its_reference_is_whatever_the_image() {
    for each in convolutions() {
        for gpu in [gpu(), small_gpu()] {
            let case = case(&each, None);
            assert_right(&case.name, &compare::case(gpu, &case).unwrap());
        }
    }
}

#[test]
fn a_row_of_weight_0_leaves_no_trace() {
    for each in convolutions().into_iter().filter(|([rows, ..], _)| *rows > 1) {
        let mut case = case(&each, None);
        case.mask(1);
        assert_right(&case.name, &compare::case(gpu(), &case).unwrap());
    }
}

/// The gradients, the loss, and the output of a window that is cut so.
fn left(case: &Case, kernels: Kernels, cut: &[usize]) -> Vec<u32> {
    let rig = Rig::with(gpu(), case, &Sgd::default(), Clip::default(), kernels).unwrap();
    rig.micro_steps(cut).unwrap();
    let mut floats = rig.read(Resource::Gradients(rig.all())).unwrap();
    floats.extend(&rig.read(Resource::Stats).unwrap()[..2]);
    rig.run(rig.program.forward()).unwrap();
    let lines = cut.last().unwrap() * case.graph.shape(case.output).positions();
    floats.extend(&rig.read(Resource::Value(case.output)).unwrap()[..4 * lines]);
    bits(&floats)
}

#[test]
fn every_kernel_and_every_cut_gives_the_same_bits() {
    for (at, each) in convolutions().into_iter().enumerate() {
        for activation in [None, [Some("relu"), Some("gelu")][at % 2]] {
            let case = case(&each, activation);
            let rows = case.rows;
            let cuts =
                [vec![rows], vec![1; rows.min(3)].into_iter().chain([rows - rows.min(3)]).filter(|&r| r > 0).collect()];
            for cut in cuts {
                let wanted = left(&case, Kernels::OPS, &cut);
                for (name, kernels) in kernels(gpu()) {
                    for fuse in [false, true] {
                        let found = left(&case, Kernels { fuse, ..kernels }, &cut);
                        assert!(found == wanted, "{}: {name}, fused {fuse}, cut {cut:?}", case.name);
                    }
                }
            }
        }
    }
}

#[test]
fn every_gradient_of_the_reference_is_what_differences_say() {
    const H: f64 = 1e-4;
    for mut each in convolutions() {
        each.0 = [each.0[0].min(2), each.0[1].min(9), each.0[2].min(7), each.0[3]];
        let case = case(&each, None);
        let total = |given: &_| -> f64 {
            let losses = &accrue::reference::forward(&case.graph, given).values[&case.loss];
            losses.values.iter().zip(&case.weights).map(|(loss, weight)| loss * weight).sum()
        };
        let mut run = accrue::reference::forward(&case.graph, &case.given);
        accrue::reference::backward(&case.graph, &mut run, case.loss, &case.weights);
        for tensor in case.graph.tensors() {
            if !matches!(case.graph.info(tensor).kind, TensorKind::Input | TensorKind::Parameter) {
                continue;
            }
            let gradient = &run.gradients[&tensor];
            let size = gradient.values.iter().fold(1.0, |most: f64, g| most.max(g.abs()));
            // Some of many; the network is quadratic in each, so the differences are exact.
            for at in (0..gradient.values.len()).step_by(1 + gradient.values.len() / 29) {
                let moved = |by: f64| {
                    let mut given = case.given.clone();
                    given.get_mut(&tensor).unwrap().values[at] += by;
                    total(&given)
                };
                let difference = (moved(H) - moved(-H)) / (2.0 * H);
                assert!((difference - gradient.values[at]).abs() < 1e-7 * size, "{}: {at}", case.name);
            }
        }
    }
}
