//! The parts of training by themselves: `cargo bench`, or `cargo bench -- kernel` for those with that in their name.
//!
//! `accrue bench` measures whole trainings. What is here tells where their time goes.

use accrue::data::{Spec, csv::read};
use accrue::doctor::rig::Rig;
use accrue::doctor::speed::{kernel, layer, time};
use accrue::gpu::{Choice, Gpu};
use accrue::optim::{Clip, Sgd};
use accrue::plan::{ExecutionMode, Kernels};
use accrue::random::permutation;
use divan::Bencher;
use divan::counter::{BytesCount, ItemsCount};

fn main() {
    divan::main();
}

/// Rows, inputs and outputs of a layer: of the workloads W1, W2 and W3 of `accrue bench`, and one that fills a GPU.
const SHAPES: [[usize; 3]; 4] = [[40, 8, 16], [256, 128, 128], [64, 784, 512], [512, 512, 512]];

/// One kernel from its encoding until the host knows that it is done. An item is a floating-point operation.
fn kernel_of_a_layer(bencher: Bencher, entry: &str, [rows, inputs, outputs]: [usize; 3]) {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let case = layer(rows, inputs, outputs).unwrap();
    let rig =
        Rig::with(&gpu, &case, &Sgd::default(), Clip::default(), Kernels::of(&gpu, Some(ExecutionMode::Ops))).unwrap();
    rig.micro_step().unwrap();
    let dispatch = kernel(&rig, entry).unwrap();
    bencher
        .counter(ItemsCount::new(2 * rows * inputs * outputs))
        .bench_local(|| time(&gpu, dispatch, rows, 1).unwrap());
}

#[divan::bench(args = SHAPES)]
fn kernel_forward(bencher: Bencher, shape: [usize; 3]) {
    kernel_of_a_layer(bencher, "forward", shape);
}

#[divan::bench(args = SHAPES)]
fn kernel_backward_input(bencher: Bencher, shape: [usize; 3]) {
    kernel_of_a_layer(bencher, "backward_input", shape);
}

#[divan::bench(args = SHAPES)]
fn kernel_backward_weight(bencher: Bencher, shape: [usize; 3]) {
    kernel_of_a_layer(bencher, "backward_weight", shape);
}

/// Submissions of so many dispatches that compute next to nothing, encoding and waiting included. An item is a dispatch.
#[divan::bench(args = [1, 16, 256])]
fn dispatches(bencher: Bencher, count: usize) {
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let case = layer(1, 1, 1).unwrap();
    let rig =
        Rig::with(&gpu, &case, &Sgd::default(), Clip::default(), Kernels::of(&gpu, Some(ExecutionMode::Ops))).unwrap();
    rig.micro_step().unwrap();
    let dispatch = kernel(&rig, "forward").unwrap();
    bencher.counter(ItemsCount::new(count)).bench_local(|| time(&gpu, dispatch, 1, count).unwrap());
}

/// Reading a CSV file that is in memory already.
#[divan::bench(args = [100, 10_000])]
fn csv(bencher: Bencher, rows: usize) {
    let mut text = "a,b,c,d,e,f,g,h,y\n".to_owned();
    for row in 0..rows {
        let cells = (0..9).map(|column| format!("{:.4}", ((row * 9 + column) as f64 * 0.618).fract() - 0.5));
        text += &(cells.collect::<Vec<_>>().join(",") + "\n");
    }
    let spec = Spec::values(["y"]);
    bencher
        .counter(BytesCount::new(text.len()))
        .bench(|| read(divan::black_box(text.as_bytes()), "memory", &spec).unwrap());
}

/// The order of an epoch. An item is a row.
#[divan::bench(args = [1200, 1_000_000])]
fn shuffle(bencher: Bencher, rows: u32) {
    bencher.counter(ItemsCount::new(rows as usize)).bench(|| permutation(0, divan::black_box(1), rows));
}
