//! Update kernels against their f64 references, over several updates and on more parameters than one line of workgroups holds.

mod common;

use accrue::doctor::rig::Rig;
use accrue::doctor::updates::{self, layer, update, window};
use accrue::gpu::Gpu;
use accrue::graph::Resource;
use accrue::optim::{self, Adam, Clip, Given, LrFactors, Optimizer, Sgd};
use accrue::reference::Matrix;
use common::{assert_right, gpu, small_gpu};

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

fn follows_its_reference(gpu: &Gpu, optimizer: &dyn Optimizer, name: &str) {
    clips_as_its_reference(gpu, optimizer, Clip::default(), name);
}

fn clips_as_its_reference(gpu: &Gpu, optimizer: &dyn Optimizer, clip: Clip, name: &str) {
    for layer in [(1, 1), (3, 5), (31, 17), (257, 64)] {
        for factors in [LrFactors::default(), updates::factors()] {
            let all = updates::optimizer(gpu, optimizer, clip, factors.clone(), layer).unwrap();
            assert_right(&format!("{name} on a layer of {layer:?} with {factors:?}"), &all);
        }
    }
}

#[test]
fn sgd_follows_its_reference_with_all_its_settings() {
    assert_eq!(settings().len(), 10);
    for sgd in settings() {
        follows_its_reference(gpu(), &sgd, &format!("{sgd:?}"));
    }
}

#[test]
fn sgd_follows_its_reference_with_the_limits_of_the_smallest_device() {
    for sgd in settings() {
        follows_its_reference(small_gpu(), &sgd, &format!("{sgd:?}"));
    }
}

#[test]
fn every_optimizer_follows_its_reference_in_each_of_its_cases() {
    for case in optim::ALL.iter().flat_map(|kind| (kind.cases)()) {
        case.check().unwrap();
        follows_its_reference(gpu(), &*case, case.name());
        follows_its_reference(small_gpu(), &*case, &format!("{} on the smallest device", case.name()));
    }
}

#[test]
fn adam_and_adamw_follow_their_reference_with_other_settings() {
    for decoupled in [false, true] {
        let adam = Adam { betas: (0.5, 0.9), weight_decay: 0.1, decoupled, ..Adam::default() };
        for gpu in [gpu(), small_gpu()] {
            follows_its_reference(gpu, &adam, &format!("{adam:?}"));
        }
    }
}

#[test]
fn a_clipped_gradient_is_the_references_whatever_the_optimizer() {
    let clips = [
        Clip { norm: Some(0.2), value: None },
        Clip { norm: Some(1e9), value: None },
        Clip { norm: None, value: Some(0.05) },
        Clip { norm: Some(2.0), value: Some(0.05) },
    ];
    for clip in clips {
        let sgd = Sgd { momentum: 0.9, weight_decay: 0.01, ..Sgd::default() };
        for gpu in [gpu(), small_gpu()] {
            clips_as_its_reference(gpu, &sgd, clip, &format!("{sgd:?} with {clip:?}"));
            for kind in optim::ALL {
                let optimizer = (kind.make)(Given::default()).unwrap();
                clips_as_its_reference(gpu, &*optimizer, clip, &format!("{} with {clip:?}", kind.name));
            }
        }
    }
}

#[test]
fn a_window_without_weight_or_with_a_loss_that_is_not_finite_leaves_everything_as_it_was() {
    let sgd = Sgd { momentum: 0.9, weight_decay: 0.1, ..Sgd::default() };
    let (case, _) = layer(5, 3).unwrap();
    let rig = Rig::new(gpu(), &case, &sgd, Clip::default()).unwrap();
    let ones = rig.flat(|tensor| Matrix::build(1, case.given[&tensor].columns, |_, _| 1.0)).unwrap();
    window(&rig, &ones, 1.0, 2.0, 0).unwrap();
    update(&rig, &sgd, 1, 0.1).unwrap();
    let state = || {
        [Resource::Parameters(rig.all()), Resource::OptimizerState(rig.all())]
            .map(|place| common::bits(&rig.read(place).unwrap()))
    };
    let before = state();
    for (loss, weight) in
        [(1.0, 0.0), (0.0, -0.0), (f32::NAN, 2.0), (f32::INFINITY, 2.0), (-f32::INFINITY, 2.0), (1.0, f32::NAN)]
    {
        window(&rig, &ones, loss, weight, 1).unwrap();
        update(&rig, &sgd, 2, 0.1).unwrap();
        assert!(state() == before, "loss {loss}, weight {weight}");
        let made = rig.read(Resource::Stats).unwrap()[19].to_bits();
        assert_ne!(made, 1, "loss {loss}, weight {weight}: the result says that nothing was changed");
    }
    window(&rig, &ones, 1.0, 2.0, 1).unwrap();
    update(&rig, &sgd, 2, 0.1).unwrap();
    assert!(state() != before, "a window with weight is an update again");
    let stats = rig.read(Resource::Stats).unwrap();
    assert_eq!((stats[16], stats[17], stats[18].to_bits(), stats[19].to_bits()), (1.0, 2.0, 2, 1), "its result");
}

#[test]
fn more_parameters_than_one_line_of_workgroups_holds_are_all_updated_and_closed() {
    // 65 535 workgroups of 64 invocations of 4 floats, and a part of a second line.
    let (inputs, outputs) = (4096, 4160);
    assert!(inputs * outputs > 65_535 * 64 * 4);
    let sgd = Sgd::default();
    let (case, _) = layer(inputs, outputs).unwrap();
    let rig = Rig::new(small_gpu(), &case, &sgd, Clip::default()).unwrap();
    let len = rig.plan().layout.floats();
    // Small whole numbers and powers of two: every step is exact in f32.
    let whole = |at: usize, by: usize| (at % by) as f32;
    let upload = |place, by| {
        let (buffer, _) = rig.program.at(place).unwrap();
        let values: Vec<f32> = (0..len).map(|at| whole(at, by)).collect();
        small_gpu().upload(buffer, bytemuck::cast_slice(&values)).unwrap();
    };
    upload(Resource::Parameters(rig.all()), 251);
    upload(Resource::Gradients(rig.all()), 127);
    upload(Resource::OpenGradients(rig.all()), 61);
    rig.upload(Resource::Stats, &[&[1.0, 1.0, 1.0, 3.0][..], &[0.0; 12]].concat()).unwrap();
    rig.clock(&[], &[]).unwrap();
    rig.run(rig.program.close()).unwrap();
    update(&rig, &sgd, 1, 0.5).unwrap();
    let ours = rig.read(Resource::Parameters(rig.all())).unwrap();
    for (at, ours) in ours.into_iter().enumerate() {
        let wanted = whole(at, 251) - 0.5 * (whole(at, 127) + whole(at, 61)) / 4.0;
        assert_eq!(ours, wanted, "parameter {at} of {len}");
    }
}
