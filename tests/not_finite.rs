//! Numbers that are infinite or none at all, put into every buffer that training reads: none of them comes to a parameter.

mod common;

use accrue::data::Batch;
use accrue::graph::{Resource, Span};
use accrue::nn::{Arrays, Model, initial};
use accrue::optim::{self, Adam, Clip, Optimizer, Sgd};
use accrue::plan::ExecutionMode;
use accrue::train::{LeftOut, Settings, Trainer, Update};
use accrue::{Error, NotFinite};
use common::runs::{flat, parameters};
use common::{Numbers, gpu};

const MODES: [ExecutionMode; 3] = [ExecutionMode::Ops, ExecutionMode::Fused, ExecutionMode::Windows];
const VALUES: [f32; 3] = [f32::NAN, f32::INFINITY, f32::NEG_INFINITY];

/// Every case of every optimizer, and every way to clip beside one of them.
fn optimizers() -> Vec<(String, Box<dyn Optimizer>, Clip)> {
    let none = Clip::default();
    let cases = optim::ALL.iter().flat_map(|kind| (kind.cases)().into_iter().enumerate());
    let mut all: Vec<_> = cases.map(|(at, case)| (format!("{} {at}", case.name()), case, none)).collect();
    let momentum = Box::new(Sgd { momentum: 0.9, ..Sgd::default() });
    all.push(("clipped by norm".to_owned(), momentum, Clip { norm: Some(0.5), value: None }));
    all.push(("clipped by value".to_owned(), Box::new(Adam::default()), Clip { norm: None, value: Some(0.01) }));
    all
}

/// 40 rows of three features and two targets.
struct Rows {
    x: Vec<f32>,
    y: Vec<f32>,
}

impl Rows {
    fn new() -> Rows {
        let mut numbers = Numbers::new(21);
        Rows { x: numbers.floats(3 * 40), y: numbers.floats(2 * 40) }
    }

    fn batch(&self) -> Batch<'_> {
        Batch::values(&self.x, &self.y)
    }
}

fn model() -> Model {
    Model::new(3, &[5.into(), "relu".into(), 2.into()], "mse").unwrap()
}

/// A trainer for one of [`MODES`], with rows on the GPU. Whole windows do not clip by norm, and are too much for FXC.
fn trainer(mode: ExecutionMode, (_, optimizer, clip): (String, Box<dyn Optimizer>, Clip), rows: &Rows) -> Trainer {
    with(mode, Settings { optimizer, clip, lr: 0.05, ..Settings::default() }, rows)
}

fn with(mode: ExecutionMode, settings: Settings, rows: &Rows) -> Trainer {
    let clipped = settings.clip.norm.is_some();
    let settings = Settings { micro_batch: 20, kernels: Some(mode), ..settings };
    let mut trainer = Trainer::new(gpu(), &model(), settings).unwrap();
    let never = clipped || gpu().compiles_with_fxc();
    let taken = if never && mode == ExecutionMode::Windows { ExecutionMode::Fused } else { mode };
    assert_eq!(trainer.plan().mode(true), taken);
    trainer.attach(&rows.batch()).unwrap();
    trainer
}

/// One window of all rows in two micro-batches, which ends inside a block; `between` them something may happen.
fn window(trainer: &mut Trainer, between: impl FnOnce(&mut Trainer)) -> Update {
    let all: Vec<u32> = (0..40).collect();
    trainer.schedule(&all[..20], false).unwrap();
    trainer.submit().unwrap();
    between(trainer);
    trainer.schedule(&all[20..], false).unwrap();
    trainer.update().unwrap();
    trainer.finish().unwrap()[0]
}

/// The bits of the parameters and of the moments.
fn state(trainer: &mut Trainer) -> Vec<u32> {
    let moments = trainer.optimizer_state().unwrap();
    [parameters(trainer), moments.iter().flat_map(flat).collect()].concat()
}

fn is_finite(bits: &[u32]) -> bool {
    bits.iter().all(|&bits| f32::from_bits(bits).is_finite())
}

/// Writes one float to a place, between two submissions.
fn put(trainer: &Trainer, place: Resource, at: usize, value: f32) {
    let (buffer, range) = trainer.memory(place).unwrap();
    gpu().queue().write_buffer(buffer, range.start + 4 * at as u64, &value.to_le_bytes());
}

fn all(trainer: &Trainer) -> Span {
    Span { start: 0, len: (trainer.plan().layout.floats() / 4) as u32 }
}

/// Calls `with` for each kind of pass, each optimizer and each value; `with` says how many floats it has put somewhere.
fn each(mut with: impl FnMut(&str, ExecutionMode, (String, Box<dyn Optimizer>, Clip), f32) -> usize) -> usize {
    let mut injected = 0;
    for mode in MODES {
        for value in VALUES {
            for optimizer in optimizers() {
                let about = format!("{value} with {}, {mode}", optimizer.0);
                injected += with(&about, mode, optimizer, value);
            }
        }
    }
    injected
}

#[test]
fn what_is_not_finite_in_gradients_open_blocks_or_sums_makes_no_update_and_changes_nothing() {
    let rows = Rows::new();
    let injected = each(|about, mode, optimizer, value| {
        let mut trainer = trainer(mode, optimizer, &rows);
        let all = all(&trainer);
        assert!(window(&mut trainer, |_| ()).made(), "{about}");
        let real = real(&trainer);
        let mut injected = 0;
        for at in [real[0], real[7], real[real.len() / 2], real[real.len() - 1]] {
            for place in [Resource::Gradients(all), Resource::OpenGradients(all)] {
                let before = state(&mut trainer);
                let update = window(&mut trainer, |trainer| put(trainer, place, at, value));
                let gradient = Some(LeftOut::NotFinite(NotFinite::Gradient));
                assert_eq!((update.made(), update.left_out), (false, gradient), "{about}: {place:?} at {at}");
                assert!(state(&mut trainer) == before, "{about}: {place:?} at {at} changes something");
                assert!(matches!(update.check(), Err(Error::Diverged { found: NotFinite::Gradient, .. })), "{about}");
                injected += 1;
            }
        }
        for at in 0..4 {
            let before = state(&mut trainer);
            let update = window(&mut trainer, |trainer| put(trainer, Resource::Stats, at, value));
            assert_eq!(update.left_out, Some(LeftOut::NotFinite(NotFinite::Loss)), "{about}: sum {at}");
            assert!(state(&mut trainer) == before, "{about}: sum {at} changes something");
            injected += 1;
        }
        // None of it is left in the next window.
        let before = state(&mut trainer);
        let update = window(&mut trainer, |_| ());
        assert!(update.made(), "{about}: {update:?}");
        let after = state(&mut trainer);
        assert!(is_finite(&after) && after != before, "{about}");
        injected
    });
    assert_eq!(injected, 3 * 3 * optimizers().len() * 12, "every place was tried");
}

/// The floats of the flat parameters that are no padding.
fn real(trainer: &Trainer) -> Vec<usize> {
    let layout = &trainer.plan().layout;
    let numbers: Vec<f32> = (0..layout.floats()).map(|at| at as f32).collect();
    let mut real: Vec<usize> =
        layout.unpack(&numbers).values().flat_map(|array| array.values.iter().map(|&at| at as usize)).collect();
    real.sort_unstable();
    real
}

#[test]
fn a_moment_that_is_not_finite_comes_to_no_parameter_and_ends_the_training() {
    let rows = Rows::new();
    let injected = each(|about, mode, optimizer, value| {
        let moments = optimizer.1.state_slots();
        let mut injected = 0;
        for moment in 0..moments {
            let optimizer = optimizers().into_iter().find(|other| other.0 == optimizer.0).unwrap();
            let mut trainer = trainer(mode, optimizer, &rows);
            let place = Resource::OptimizerState(all(&trainer));
            window(&mut trainer, |_| ());
            let at = moment * trainer.plan().layout.floats() + 4;
            let update = window(&mut trainer, |trainer| put(trainer, place, at, value));
            breaks(&mut trainer, update, about);
            injected += 1;
        }
        injected
    });
    let moments: usize = optimizers().iter().map(|optimizer| optimizer.1.state_slots()).sum();
    assert!(moments > 8);
    assert_eq!(injected, 3 * 3 * moments, "every moment was tried");
}

/// An update broke: its parameters are finite, and there is no other.
fn breaks(trainer: &mut Trainer, update: Update, about: &str) {
    assert_eq!(update.left_out, Some(LeftOut::NotFinite(NotFinite::Parameter)), "{about}");
    let after = parameters(trainer);
    assert!(is_finite(&after), "{about}");
    let refused = trainer.schedule(&[0], true);
    let number = update.update;
    assert!(
        matches!(refused, Err(Error::Diverged { update, found: NotFinite::Parameter, .. }) if update == number),
        "{about}: {refused:?}"
    );
    assert!(parameters(trainer) == after, "{about}");
}

#[test]
fn what_else_the_stats_and_norms_hold_is_made_anew_or_ends_the_training() {
    let rows = Rows::new();
    let injected = each(|about, mode, optimizer, value| {
        let (adam, norm) = (optimizer.1.name().starts_with("adam"), optimizer.2.norm.is_some());
        let make = || trainer(mode, optimizers().into_iter().find(|other| other.0 == optimizer.0).unwrap(), &rows);
        let clean = {
            let mut trainer = make();
            window(&mut trainer, |_| ());
            window(&mut trainer, |_| ());
            state(&mut trainer)
        };
        // Adam's corrections, each of both; the scale; the norms.
        let mut places: Vec<(Resource, usize)> = [4, 5, 6, 7, 10].map(|at| (Resource::Stats, at)).into();
        places.extend(norm.then_some((Resource::Norms, 0)));
        let count = places.len();
        for (place, at) in places {
            let mut trainer = make();
            window(&mut trainer, |_| ());
            let update = window(&mut trainer, |trainer| put(trainer, place, at, value));
            let about = format!("{about}: {place:?} {at}");
            // The corrections of the first update, which the second one reads, are the latter two.
            if adam && (6..8).contains(&at) {
                breaks(&mut trainer, update, &about);
            } else {
                assert!(update.made() && state(&mut trainer) == clean, "{about}");
            }
        }
        count
    });
    assert_eq!(injected, 3 * 3 * (optimizers().len() * 5 + 1), "every place was tried");
}

#[test]
fn features_and_targets_that_are_not_finite_or_huge_make_no_update() {
    let injected = each(|about, mode, optimizer, value| {
        let values = [value, 3e38, -3e38];
        for at in 0..2 {
            for value in values {
                let mut rows = Rows::new();
                // In the second half of the rows: the first is fine.
                if at == 0 {
                    rows.x[3 * 27..3 * 28].fill(value)
                } else {
                    rows.y[2 * 27 + 1] = value
                }
                let same = optimizers().into_iter().find(|other| other.0 == optimizer.0).unwrap();
                let mut trainer = trainer(mode, same, &rows);
                let before = state(&mut trainer);
                let update = window(&mut trainer, |_| ());
                assert!(matches!(update.left_out, Some(LeftOut::NotFinite(_))), "{about}: {value}, {update:?}");
                assert!(state(&mut trainer) == before, "{about}: {value}");
                // The rows before are fine, and train.
                trainer.schedule_window(&(0..20).collect::<Vec<_>>()).unwrap();
                assert!(trainer.finish().unwrap()[0].made(), "{about}: {value}");
                let after = state(&mut trainer);
                assert!(after != before && is_finite(&after), "{about}: {value}");
            }
        }
        2 * values.len()
    });
    assert_eq!(injected, 3 * 3 * optimizers().len() * 6, "every value was tried");
}

/// First weights of 0 and biases of 1: however large a feature is, the outputs are those of ones.
fn blind() -> Arrays {
    let mut start = initial(&model(), 3);
    start.get_mut("0.weight").unwrap().values.fill(0.0);
    start.get_mut("0.bias").unwrap().values.fill(1.0);
    start
}

#[test]
fn a_finite_loss_with_an_infinite_gradient_of_real_numbers_makes_no_update() {
    let mut rows = Rows::new();
    (rows.x[3 * 33], rows.y[2 * 33]) = (1e30, 1e10);
    let (mut windows, mut cut_windows) = (0, 0);
    for mode in MODES {
        for (name, optimizer, clip) in optimizers() {
            let about = format!("{name}, {mode}");
            let settings = Settings { optimizer, clip, lr: 0.05, start: Some(blind()), ..Settings::default() };
            let mut trainer = with(mode, settings, &rows);
            let before = state(&mut trainer);
            let update = window(&mut trainer, |_| ());
            assert!(update.loss.is_finite() && update.loss > 1e17, "{about}: {update:?}");
            assert_eq!(update.left_out, Some(LeftOut::NotFinite(NotFinite::Gradient)), "{about}");
            assert!(state(&mut trainer) == before, "{about}");
            windows += 1;
            // The same from the host's memory, in one piece and in many; and a window after it in one submission.
            for cut in [20, 7] {
                trainer.set_parameters(&blind()).unwrap();
                for start in (0..40).step_by(cut) {
                    let end = (start + cut).min(40);
                    let batch = Batch::values(&rows.x[3 * start..3 * end], &rows.y[2 * start..2 * end]);
                    trainer.micro_step(&batch).unwrap();
                }
                trainer.schedule_update().unwrap();
                trainer.schedule_window(&(0..20).collect::<Vec<_>>()).unwrap();
                let updates = trainer.finish().unwrap();
                assert_eq!(updates[0].left_out, Some(LeftOut::NotFinite(NotFinite::Gradient)), "{about}");
                assert!(updates[1].made() && is_finite(&state(&mut trainer)), "{about}");
                cut_windows += 1;
            }
        }
    }
    assert_eq!((windows, cut_windows), (3 * optimizers().len(), 6 * optimizers().len()));
}

#[test]
fn a_learning_rate_that_throws_parameters_out_of_the_floats_leaves_them_finite() {
    let rows = Rows::new();
    let (mut thrown, mut bounded) = (0, 0);
    for mode in MODES {
        for (name, optimizer, clip) in optimizers() {
            let about = format!("{name}, {mode}");
            // Clipped by norm, gradients are small; so is the batch's, whose targets are larger then.
            let mut rows = Rows { x: rows.x.clone(), y: rows.y.clone() };
            rows.y.iter_mut().for_each(|y| *y *= 100.0);
            let clip = Clip { norm: clip.norm.map(|_| 1e3), ..clip };
            let mut trainer = with(mode, Settings { optimizer, clip, lr: 3e38, ..Settings::default() }, &rows);
            let update = window(&mut trainer, |_| ());
            if update.made() {
                // An optimizer whose step is as long as the learning rate, and no longer, leaves the floats later or never.
                assert!(is_finite(&state(&mut trainer)), "{about}");
                bounded += 1;
                continue;
            }
            thrown += 1;
            breaks(&mut trainer, update, &about);
            let broken = state(&mut trainer);
            assert!(is_finite(&broken), "{about}: moments");
            // Updates that were on their way already, with a rate that would be fine, are left out.
            let (name, optimizer, clip) = optimizers().into_iter().find(|other| other.0 == name).unwrap();
            let clip = Clip { norm: clip.norm.map(|_| 1e3), ..clip };
            let mut trainer = with(mode, Settings { optimizer, clip, lr: 3e38, ..Settings::default() }, &rows);
            let all: Vec<u32> = (0..40).collect();
            for _ in 0..3 {
                trainer.schedule_window(&all).unwrap();
                trainer.set_lr(0.001).unwrap();
            }
            let left_out: Vec<_> = trainer.finish().unwrap().iter().map(|update| update.left_out).collect();
            let parameter = Some(LeftOut::NotFinite(NotFinite::Parameter));
            assert_eq!(left_out, [parameter, Some(LeftOut::Stopped), Some(LeftOut::Stopped)], "{name}, {mode}");
            assert!(state(&mut trainer) == broken, "{about}: later updates");
        }
    }
    assert!(thrown > 3 * bounded, "{thrown} thrown out, {bounded} with steps that are bounded");
}

#[test]
fn fit_names_the_update_whose_gradient_or_parameters_are_not_finite() {
    let mut rows = Rows::new();
    (rows.x[3 * 33], rows.y[2 * 33]) = (1e30, 1e10);
    for mode in MODES {
        let fit = |settings: Settings, rows: &Rows| {
            let mut trainer = with(mode, settings, rows);
            let fit = accrue::train::FitConfig::new(rows.batch(), 8, 3);
            let error = trainer.fit(&fit, |_| std::ops::ControlFlow::Continue(())).unwrap_err();
            assert!(is_finite(&state(&mut trainer)), "{mode}");
            error
        };
        // Row 33 is in the fifth window; with a rate so small the first layer stays as blind as it was.
        let error = fit(Settings { start: Some(blind()), lr: 0.0, ..Settings::default() }, &rows);
        assert_eq!(
            error.to_string(),
            "the gradient of update 5, whose loss is finite, is not finite, first in rows 0 to 7 of its window, where row 33 \
             of the training data alone makes it so; lower optimizer.lr, look for extreme values and weights in the data, or leave \
             such windows out (train.on_nonfinite = \"skip\")",
            "{mode}"
        );
        let adam = || -> Box<dyn Optimizer> { Box::new(Adam::default()) };
        let error = fit(Settings { optimizer: adam(), lr: 3e38, ..Settings::default() }, &Rows::new());
        assert!(matches!(error, Error::Diverged { update: 1, found: NotFinite::Parameter, .. }), "{mode}: {error}");
    }
}
