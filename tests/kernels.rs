//! Whichever kernels are chosen, the bits are the same.

mod common;

use std::sync::Arc;

use accrue::data::Batch;
use accrue::doctor::Case;
use accrue::doctor::rig::Rig;
use accrue::gpu::Gpu;
use accrue::graph::{Graph, Shape, Tensor};
use accrue::graph::{Op, Resource, Role};
use accrue::nn::{Layer, Model};
use accrue::ops;
use accrue::ops::linear::matmul;
use accrue::optim::{Clip, Sgd};
use accrue::plan::{ExecutionMode, Kernels, Lowering};
use accrue::train::{Settings, Trainer};
use common::skip::skip;
use common::{Numbers, bits, gpu, linear, op, small_gpu};

/// What a window leaves.
#[derive(Debug, PartialEq)]
struct Left {
    gradients: Vec<u32>,
    sums: Vec<u32>,
    /// Of the last micro-batch: the gradient of the first layer's output, and the output of the network.
    rows: [Vec<u32>; 2],
}

/// The bits of floats. FXC, when it optimises, keeps no sign of a zero, so that there both zeros count as one.
fn bits_on(gpu: &Gpu, floats: &[f32]) -> Vec<u32> {
    let kept = |v: u32| if gpu.compiles_with_fxc() && v == 1 << 31 { 0 } else { v };
    bits(floats).into_iter().map(kept).collect()
}

/// A window that is cut into micro-batches of so many rows.
fn left(gpu: &Gpu, case: &Case, kernels: Kernels, cut: &[usize]) -> Left {
    let rig = Rig::with(gpu, case, &Sgd::default(), Clip::default(), kernels).unwrap();
    rig.micro_steps(cut).unwrap();
    let rows_of = |tensor, place| {
        let columns = case.graph.columns(tensor).next_multiple_of(4);
        bits_on(gpu, &rig.read(place).unwrap()[..cut.last().unwrap() * columns])
    };
    let gradients = bits_on(gpu, &rig.read(Resource::Gradients(rig.all())).unwrap());
    let sums = bits_on(gpu, &rig.read(Resource::Stats).unwrap()[..2]);
    let first = case.graph.nodes()[0].output;
    let gradient = rows_of(first, Resource::Gradient(first));
    // Its memory may have been another's since.
    rig.run(rig.program.forward()).unwrap();
    Left { gradients, sums, rows: [gradient, rows_of(case.output, Resource::Value(case.output))] }
}

/// A window in one piece, and in pieces that end inside blocks.
fn cuts(rows: usize) -> [Vec<usize>; 2] {
    let first = rows.min(5);
    let second = (rows - first).min(rows / 2);
    let cut = [first, second, rows - first - second].into_iter().filter(|&rows| rows > 0).collect();
    [vec![rows], cut]
}

fn activations() -> impl Iterator<Item = Arc<dyn Op>> {
    ops::of_role(|role| role == Role::Activation)
}

fn apply(graph: &mut Graph, op: Arc<dyn Op>, name: &str, x: Tensor) -> Tensor {
    graph.apply(op, name, &[x]).unwrap()
}

/// Layers with an activation between them, and at the end.
fn chain(activation: &Arc<dyn Op>, width: usize, ends: bool, rows: usize) -> Case {
    let mut graph = Graph::new();
    let x = graph.input(3);
    let first = linear(&mut graph, "first", x, width);
    let first = apply(&mut graph, activation.clone(), "first activation", first);
    let second = linear(&mut graph, "second", first, width / 2 + 1);
    // One that keeps its input where the other keeps its output.
    let second = apply(&mut graph, op(if width > 4 { "gelu" } else { "tanh" }), "second activation", second);
    let mut output = linear(&mut graph, "last", second, 2);
    if ends {
        output = apply(&mut graph, activation.clone(), "last activation", output);
    }
    Case::ending(graph, output, op("mse"), rows, 5).unwrap()
}

#[test]
fn activations_done_along_the_way_give_the_same_bits() {
    for activation in activations() {
        for (rows, width) in [(1, 1), (3, 5), (67, 13), (40, 4)] {
            for ends in [false, true] {
                let case = chain(&activation, width, ends, rows);
                for cut in cuts(rows) {
                    let alone = left(gpu(), &case, Kernels::OPS, &cut);
                    let epilogues = left(gpu(), &case, Kernels::FUSED_OPS, &cut);
                    assert!(alone == epilogues, "{}, {rows} × {width}, {cut:?}, at the end: {ends}", activation.name());
                }
            }
        }
    }
}

#[test]
fn no_activation_between_layers_has_a_kernel_of_its_own() {
    let case = chain(&op("silu"), 5, false, 7);
    let rig = Rig::with(gpu(), &case, &Sgd::default(), Clip::default(), Kernels::FUSED_OPS).unwrap();
    let plan = rig.plan();
    let names = |steps: &[accrue::graph::Step]| steps.iter().map(|step| step.entry).collect::<Vec<_>>();
    assert_eq!(names(&plan.forward), ["forward"; 3]);
    let Lowering::Ops(steps) = &plan.training.as_ref().unwrap().lowering else { panic!("it goes op by op") };
    assert_eq!(names(&steps.loss), ["both", "sum"]);
    let backward = ["backward_input", "backward_weight", "backward_input", "backward_weight", "backward_weight"];
    assert_eq!(names(&steps.gradient), backward);
    assert_eq!(plan.micro_batch_steps(true).len(), 1 + 3 + 2 + 5, "the rows are gathered, too");
}

/// Two layers with an activation between them.
fn layers(activation: &str, [rows, inputs, width, outputs]: [usize; 4]) -> Case {
    let mut graph = Graph::new();
    let x = graph.input(inputs);
    let first = linear(&mut graph, "first", x, width);
    let first = apply(&mut graph, op(activation), "activation", first);
    let output = linear(&mut graph, "second", first, outputs);
    let name = format!("{rows} rows, {inputs} - {width} - {outputs}, {activation}");
    Case { name, ..Case::ending(graph, output, op("mse"), rows, 9).unwrap() }
}

/// With numbers so small, and so signed, that every product is less than any number and every sum of rows is -0: a term more
/// or less shows, even if it is 0.
fn vanishing(mut case: Case) -> Case {
    for (&tensor, matrix) in &mut case.given {
        let sign = if case.graph.info(tensor).name == "first" { -1.0 } else { 1.0 };
        matrix.values.iter_mut().for_each(|value| *value = sign * f64::from(value.abs() as f32 * 1e-25));
        if let Shape::Parameters(parts) = case.graph.shape(tensor) {
            let weights = parts[0].elements();
            matrix.values[weights..].fill(-0.0);
        }
    }
    case
}

/// On both sides of what an invocation, a workgroup and a block hold, and some that fit nothing.
fn shapes() -> Vec<[usize; 4]> {
    let mut shapes = vec![
        [1, 1, 1, 1],
        // No padding, but no multiple of the steps that a workgroup takes at a time either.
        [33, 20, 36, 12],
        [2, 3, 5, 2],
        [8, 4, 16, 4],
        [15, 17, 33, 9],
        [33, 64, 65, 31],
        [40, 200, 13, 1],
        [70, 16, 128, 130],
        [129, 31, 97, 64],
        [100, 129, 200, 3],
        [64, 150, 70, 199],
        [257, 5, 63, 12],
    ];
    let mut numbers = Numbers::new(3);
    shapes.extend((0..13).map(|_| [(); 4].map(|()| 1 + numbers.below(200))));
    shapes
}

fn all_variants_agree(gpu: &Gpu, on: &str, shapes: &[[usize; 4]]) {
    let adapter = Kernels::of(gpu, Some(ExecutionMode::Ops));
    for (at, &shape) in shapes.iter().enumerate() {
        let case = layers(["relu", "gelu"][at % 2], shape);
        let case = if at % 4 == 1 { vanishing(case) } else { case };
        let small = Kernels { tiles: Some(&matmul::SMALL), ..adapter };
        let whole = left(gpu, &case, small, &[shape[0]]);
        for cut in cuts(shape[0]) {
            let wanted = left(gpu, &case, small, &cut);
            assert!((&wanted.gradients, &wanted.sums) == (&whole.gradients, &whole.sums), "{} in {cut:?}", case.name);
            for tiles in matmul::ALL {
                let kernels = Kernels { tiles: Some(tiles), ..adapter };
                assert!(wanted == left(gpu, &case, kernels, &cut), "{tiles} of {} in {cut:?} on {on}", case.name);
            }
        }
    }
}

#[test]
fn every_kernel_variant_gives_the_same_bits() {
    all_variants_agree(gpu(), "the adapter as it is", &shapes());
}

#[test]
fn every_kernel_variant_gives_them_on_the_smallest_device_too() {
    all_variants_agree(small_gpu(), "the smallest device", &shapes()[..7]);
}

/// The software driver ends all loops of an invocation after 65535 turns: up to the widest network that goes through the
/// kernels for whole networks, they must end by themselves.
#[test]
fn the_widest_network_that_is_done_at_once_has_the_bits_of_its_ops() {
    if gpu().info().device_type != accrue::wgpu::DeviceType::Cpu {
        return skip("driver on the CPU", "no other ends loops, so that only there a network is too wide");
    }
    let model = |width: usize| {
        let wide = || [width.into(), "tanh".into(), 4.into(), "tanh".into()];
        let layers = [&[4.into(), "tanh".into()], &wide()[..], &wide(), &[4.into()]].concat();
        Model::new(4, &layers, "mse").unwrap()
    };
    let trainer = |width: usize, kernels: ExecutionMode| {
        let settings = Settings { micro_batch: 1, kernels: Some(kernels), lr: 0.01, ..Settings::default() };
        Trainer::new(gpu(), &model(width), settings).unwrap()
    };
    let at_once = |width: usize| trainer(width, ExecutionMode::Fused).plan().mode(false) == ExecutionMode::Fused;
    let (mut fits, mut too_wide) = (32, 1 << 17);
    assert!(at_once(fits) && !at_once(too_wide), "the limit is between them");
    while too_wide - fits > 32 {
        let middle = (fits + too_wide) / 64 * 32;
        if at_once(middle) { fits = middle } else { too_wide = middle }
    }
    let trained = |kernels: ExecutionMode| {
        let mut trainer = trainer(fits, kernels);
        for _ in 0..2 {
            trainer.micro_step(&Batch::values(&[0.3, -1.0, 0.7, 2.0], &[1.0, 0.0, -1.0, 0.5])).unwrap();
            trainer.update().unwrap();
        }
        trainer.parameters().unwrap().into_values().flat_map(|array| bits(&array.values)).collect::<Vec<u32>>()
    };
    assert!(trained(ExecutionMode::Ops) == trained(ExecutionMode::Fused), "{fits} wide");
}

/// As many rows at once, and as many micro-batches in one list, as the kernel for whole windows takes: none of its loops ends
/// before its time.
#[test]
fn the_longest_windows_that_are_done_at_once_have_the_bits_of_their_ops() {
    let chain = |layers: usize, width: usize| {
        let hidden: Vec<Layer> = (1..layers).flat_map(|_| [width.into(), "tanh".into()]).collect();
        Model::new(1, &[&hidden[..], &[1.into()]].concat(), "mse").unwrap()
    };
    if gpu().compiles_with_fxc() {
        return skip("whole windows", "they are never planned for FXC");
    }
    for model in [chain(1, 1), chain(2, 1), chain(16, 1), chain(3, 40)] {
        let trainer = |rows: usize, kernels: ExecutionMode| {
            let settings = Settings { micro_batch: rows, kernels: Some(kernels), lr: 0.01, ..Settings::default() };
            Trainer::new(gpu(), &model, settings).unwrap()
        };
        let (mut fits, mut too_many) = (1, 50_000);
        while too_many - fits > 1 {
            let middle = (fits + too_many) / 2;
            let whole = trainer(middle, ExecutionMode::Windows).plan().mode(true) == ExecutionMode::Windows;
            if whole { fits = middle } else { too_many = middle }
        }
        let whole = |rows| trainer(rows, ExecutionMode::Windows).plan().mode(true) == ExecutionMode::Windows;
        assert!(whole(fits) && !whole(too_many), "the limit is between {fits} and {too_many} rows");
        let mut numbers = Numbers::new(7);
        let (x, y) = (numbers.floats(fits), numbers.floats(fits));
        // All at once, and in many micro-batches that share their dispatches.
        for rows in [fits, (fits / 16).max(1), 1] {
            let windows = (0..fits as u32).collect::<Vec<u32>>();
            let window = &windows[..fits.min(400 * rows)];
            let trained = |kernels: ExecutionMode| {
                let mut trainer = trainer(rows, kernels);
                trainer.attach(&Batch::values(&x, &y)).unwrap();
                for _ in 0..2 {
                    trainer.schedule_window(window).unwrap();
                }
                trainer.submit().unwrap();
                let updates = trainer.finish().unwrap();
                assert!(updates.len() == 2 && updates.iter().all(|update| update.made()), "{rows} rows, {kernels}");
                trainer.parameters().unwrap().into_values().flat_map(|array| bits(&array.values)).collect::<Vec<u32>>()
            };
            assert!(
                trained(ExecutionMode::Ops) == trained(ExecutionMode::Windows),
                "{fits} rows, {rows} at once, {:?}",
                model.layers
            );
        }
    }
}
