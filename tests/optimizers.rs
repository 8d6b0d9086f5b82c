//! Update kernels against their f64 twins, over several updates and on more parameters than one line of workgroups holds.

mod common;

use std::collections::HashMap;

use accrue::gpu::Gpu;
use accrue::graph::{Graph, Tensor};
use accrue::ops::{Place, Reads};
use accrue::optim::{Adam, Optimizer, Sgd};
use accrue::twin::Matrix;
use common::case::{Case, linear};
use common::rig::{Rig, op};
use common::{Numbers, distance, gpu, small_gpu};

/// One layer.
fn layer(inputs: usize, outputs: usize) -> (Case, Tensor) {
    let mut graph = Graph::new();
    let x = graph.input(inputs);
    let output = linear(&mut graph, "layer", x, outputs);
    let parameters = graph.nodes()[0].inputs[1];
    let target = graph.target(outputs);
    let loss = graph.apply(op("mse"), "loss", &[output, target]).unwrap();
    let name = format!("a layer of {inputs} × {outputs}");
    let mut case = Case { name, graph, output, loss, given: HashMap::new(), weights: Vec::new(), masked: None };
    case.fill(1, Reads::Values, 5);
    (case, parameters)
}

/// Gives the next update its window: the sums of the gradients, of the loss and of the weight, and how many updates were
/// made before it. What else the stats hold stays, and is 0 in the beginning.
fn window(rig: &Rig, sums: &[f32], loss: f32, weight: f32, made: u32) {
    rig.upload(Place::Gradients(rig.all()), sums);
    let mut head = if made == 0 { vec![0.0; 12] } else { rig.read(Place::Stats)[..12].to_vec() };
    (head[0], head[1], head[8]) = (loss, weight, f32::from_bits(made));
    rig.upload(Place::Stats, &head);
}

fn update(rig: &Rig, optimizer: &dyn Optimizer, update: u64, lr: f64) {
    let reflection = rig.plan().update.last().unwrap().shader.reflect().unwrap();
    let scalars = reflection.pack("scalars", &optimizer.scalars(update, lr)).unwrap();
    rig.clock(&[("update", update as u32)], &scalars);
    rig.run(&rig.program.update);
}

fn settings() -> Vec<Sgd> {
    let mut all = Vec::new();
    for momentum in [0.0, 0.9] {
        for weight_decay in [0.0, 0.01] {
            for (dampening, nesterov) in [(0.0, false), (0.3, false), (0.0, true)] {
                let sgd = Sgd { momentum, dampening, weight_decay, nesterov };
                all.extend(sgd.check().is_ok().then_some(sgd));
            }
        }
    }
    all
}

fn follows_its_twin(gpu: &Gpu, optimizer: &dyn Optimizer, name: &str) {
    for (inputs, outputs) in [(1, 1), (3, 5), (31, 17), (257, 64)] {
        let (case, tensor) = layer(inputs, outputs);
        let rig = Rig::new(gpu, &case, optimizer);
        let mut numbers = Numbers::new(9);
        let mut parameters = case.given[&tensor].values.clone();
        let mut moments = vec![0.0; parameters.len() * optimizer.moments()];
        for at in 1..=6 {
            // Weights far from 1: what is not divided by them is found out.
            let weight = 3.0 + 10.0 * numbers.float().abs();
            let sums = Matrix::from_f32(1, parameters.len(), &numbers.floats(parameters.len()));
            let gradient: Vec<f64> = sums.values.iter().map(|sum| sum / f64::from(weight)).collect();
            let lr = 0.5 / at as f64;
            window(&rig, &rig.flat(|_| sums.clone()), 1.0, weight, at as u32 - 1);
            update(&rig, optimizer, at, lr);
            optimizer.twin(at, lr, &gradient, &mut parameters, &mut moments);
            let ours = &rig.unflat(&rig.read(Place::Parameters(rig.all())))[&tensor];
            let apart = distance(ours.values.clone(), parameters.clone());
            assert!(apart < 1e-6, "{name} on {}: after update {at} it is {apart:e} away", case.name);
        }
        if optimizer.moments() == 1 {
            let ours = &rig.unflat(&rig.read(Place::Moments(rig.all())))[&tensor];
            let apart = distance(ours.values.clone(), moments);
            assert!(apart < 1e-6, "{name} on {}: its moments are {apart:e} away", case.name);
        }
    }
}

#[test]
fn sgd_follows_its_twin_with_all_its_settings() {
    assert_eq!(settings().len(), 10);
    for sgd in settings() {
        follows_its_twin(gpu(), &sgd, &format!("{sgd:?}"));
    }
}

#[test]
fn sgd_follows_its_twin_with_the_limits_of_the_smallest_device() {
    for sgd in settings() {
        follows_its_twin(small_gpu(), &sgd, &format!("{sgd:?}"));
    }
}

#[test]
fn adam_and_adamw_follow_their_twin() {
    for adam in [Adam::default(), Adam::decoupled(), Adam { betas: (0.5, 0.9), weight_decay: 0.1, ..Adam::default() }] {
        adam.check().unwrap();
        follows_its_twin(gpu(), &adam, &format!("{adam:?}"));
        follows_its_twin(small_gpu(), &adam, &format!("{adam:?} on the smallest device"));
    }
}

#[test]
fn a_window_without_weight_or_with_a_loss_that_is_not_finite_leaves_everything_as_it_was() {
    let sgd = Sgd { momentum: 0.9, weight_decay: 0.1, ..Sgd::default() };
    let (case, _) = layer(5, 3);
    let rig = Rig::new(gpu(), &case, &sgd);
    let ones = rig.flat(|tensor| Matrix::build(1, case.given[&tensor].columns, |_, _| 1.0));
    window(&rig, &ones, 1.0, 2.0, 0);
    update(&rig, &sgd, 1, 0.1);
    let state =
        || [Place::Parameters(rig.all()), Place::Moments(rig.all())].map(|place| common::bits(&rig.read(place)));
    let before = state();
    for (loss, weight) in
        [(1.0, 0.0), (0.0, -0.0), (f32::NAN, 2.0), (f32::INFINITY, 2.0), (-f32::INFINITY, 2.0), (1.0, f32::NAN)]
    {
        window(&rig, &ones, loss, weight, 1);
        update(&rig, &sgd, 2, 0.1);
        assert!(state() == before, "loss {loss}, weight {weight}");
        let made = rig.read(Place::Stats)[15].to_bits();
        assert_eq!(made, 0, "loss {loss}, weight {weight}: the result says that nothing was changed");
    }
    window(&rig, &ones, 1.0, 2.0, 1);
    update(&rig, &sgd, 2, 0.1);
    assert!(state() != before, "a window with weight is an update again");
    let stats = rig.read(Place::Stats);
    assert_eq!((stats[12], stats[13], stats[14].to_bits(), stats[15].to_bits()), (1.0, 2.0, 2, 1), "its result");
}

#[test]
fn more_parameters_than_one_line_of_workgroups_holds_are_all_updated_and_closed() {
    // 65 535 workgroups of 64 invocations of 4 floats, and a part of a second line.
    let (inputs, outputs) = (4096, 4160);
    assert!(inputs * outputs > 65_535 * 64 * 4);
    let sgd = Sgd::default();
    let (case, _) = layer(inputs, outputs);
    let rig = Rig::new(small_gpu(), &case, &sgd);
    let len = rig.plan().layout.floats();
    // Small whole numbers and powers of two: every step is exact in f32.
    let whole = |at: usize, by: usize| (at % by) as f32;
    let upload = |place, by| {
        let (buffer, _) = rig.program.at(place).unwrap();
        let values: Vec<f32> = (0..len).map(|at| whole(at, by)).collect();
        small_gpu().upload(buffer, bytemuck::cast_slice(&values)).unwrap();
    };
    upload(Place::Parameters(rig.all()), 251);
    upload(Place::Gradients(rig.all()), 127);
    upload(Place::OpenGradients(rig.all()), 61);
    rig.upload(Place::Stats, &[1.0, 1.0, 1.0, 3.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0]);
    rig.clock(&[], &[]);
    rig.run(&rig.program.close);
    update(&rig, &sgd, 1, 0.5);
    let ours = rig.read(Place::Parameters(rig.all()));
    for (at, ours) in ours.into_iter().enumerate() {
        let wanted = whole(at, 251) - 0.5 * (whole(at, 127) + whole(at, 61)) / 4.0;
        assert_eq!(ours, wanted, "parameter {at} of {len}");
    }
}
