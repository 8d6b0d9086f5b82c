//! What cannot be done is refused with a typed error that names the numbers, and leaves no trace.

mod common;

use std::ops::ControlFlow;

use accrue::data::{Batch, Elements, Target};
use accrue::graph::Graph;
use accrue::nn::Model;
use accrue::ops::find;
use accrue::optim::Sgd;
use accrue::plan::{Kernels, Plan, Training};
use accrue::train::{Event, Outcome, Trainer};
use accrue::window::Tail;
use accrue::{Error, Result};
use common::runs::{Data, Left, Path, Rest, Task, left, parameters};
use common::{Numbers, gpu};

fn task(loss: &str) -> Task {
    let model = Model::new(6, &[11.into(), "relu".into(), 3.into()], loss).unwrap();
    let data = Data::new(&model, 96, &mut Numbers::new(11));
    let sgd = Sgd { momentum: 0.9, ..Sgd::default() };
    Task { model, data, sgd, lr: 0.1, epochs: 1, batch: 48, tail: Tail::Flush, shuffle: None, rest: Rest::default() }
}

/// Two windows of 48 rows in micro-batches of 20; `between` comes before and after each thing that is asked for.
fn run(task: &Task, mut between: impl FnMut(&mut Trainer)) -> Left {
    let mut trainer = task.trainer(gpu(), 20, true);
    trainer.attach(&task.data.all()).unwrap();
    for window in [0..48, 48..96] {
        let rows: Vec<u32> = window.collect();
        for piece in rows.chunks(20) {
            between(&mut trainer);
            let (first, end) = (piece[0] as usize, piece[0] as usize + piece.len());
            trainer.micro_step(&task.data.stretch(first..end)).unwrap();
            between(&mut trainer);
        }
        trainer.update().unwrap();
        between(&mut trainer);
    }
    let updates = trainer.finish().unwrap();
    left(&mut trainer, updates)
}

/// The words of a refusal that is about shapes.
fn refusal<T>(result: Result<T>) -> String {
    match result {
        Err(error @ Error::Shape { .. }) => error.to_string(),
        Err(error) => panic!("refused, but as {error:?}"),
        Ok(_) => panic!("not refused"),
    }
}

fn says(text: &str, words: &[&str]) {
    words.iter().for_each(|word| assert!(text.contains(word), "{text:?} names {word:?}"));
}

#[test]
fn a_refused_micro_batch_names_the_numbers_and_leaves_no_trace() {
    let task = task("cross_entropy");
    let wanted = run(&task, |_| {});
    let data = &task.data;
    let batch = |features, targets, weights| Batch { features: Elements::F32(features), targets, weights };
    let bad = |trainer: &mut Trainer| {
        let classes = |rows: usize| Target::Classes(&data.classes[..rows]);
        let features = &data.features[..];
        let mut step = |numbers: usize, targets, weights, words: &[&str]| {
            says(&refusal(trainer.micro_step(&batch(&features[..numbers], targets, weights))), words);
        };
        step(21 * 6, classes(21), None, &["21 rows", "1 to 20"]);
        step(13, classes(2), None, &["13 numbers", "6 features"]);
        step(0, classes(0), None, &["0 numbers", "6 features"]);
        step(12, classes(3), None, &["2 rows", "3 targets"]);
        step(12, Target::Classes(&[2, 3]), None, &["row 1", "class 3", "has 3"]);
        step(12, Target::Values(&[0.0; 2]), None, &["wants classes", "numbers"]);
        step(12, classes(2), Some(&[1.0]), &["2 rows", "1 weights"]);
        step(12, classes(2), Some(&[1.0, -2.0]), &["row 1", "-2"]);
        step(12, classes(2), Some(&[f32::NAN, 1.0]), &["row 0", "NaN"]);
        says(&refusal(trainer.schedule(&[1, 96], false)), &["sample 96", "96 are attached"]);
        says(&refusal(trainer.schedule(&[], true)), &["0 rows", "1 to 20"]);
        says(&refusal(trainer.schedule(&[0; 21], true)), &["21 rows", "1 to 20"]);
        let short = batch(&features[..12], Target::Classes(&[0, 9]), None);
        says(&refusal(trainer.attach(&short)), &["row 1", "class 9"]);
        says(&refusal(trainer.predict(&features[..7])), &["7 numbers", "6 features"]);
        says(&refusal(trainer.evaluate(&short, None)), &["row 1", "class 9"]);
        if trainer.open_rows() == 0 {
            says(&refusal(trainer.update()), &["window is empty"]);
        } else {
            says(&refusal(trainer.fit(&task.fit(), |_| ControlFlow::Continue(()))), &["window is open"]);
        }
    };
    assert_eq!(wanted, run(&task, bad));
}

#[test]
fn a_class_is_refused_where_numbers_are_wanted() {
    let task = task("mse");
    let wanted = run(&task, |_| {});
    let bad = |trainer: &mut Trainer| {
        let batch =
            Batch { features: task.data.features[..6].into(), targets: Target::Classes(&[0, 1, 2]), weights: None };
        says(&refusal(trainer.micro_step(&batch)), &["1 rows", "3 targets", "1 are wanted"]);
        let batch = Batch { targets: Target::Classes(&[0]), ..batch };
        says(&refusal(trainer.micro_step(&batch)), &["wants numbers", "classes"]);
    };
    assert_eq!(wanted, run(&task, bad));
}

#[test]
fn after_the_last_micro_batch_of_a_window_comes_its_update() {
    let task = task("mse");
    let wanted = task.run(gpu(), &Path::Schedule(vec![20], true));
    let mut trainer = task.trainer(gpu(), 20, true);
    trainer.attach(&task.data.all()).unwrap();
    for window in task.windows() {
        for piece in window.chunks(20) {
            trainer.schedule(piece, piece.len() < 20).unwrap();
        }
        says(&refusal(trainer.schedule(&window[..8], true)), &["row 48"]);
        says(&refusal(trainer.schedule(&window[..16], false)), &["row 48"]);
        says(&refusal(trainer.micro_step(&task.data.stretch(0..4))), &["row 48"]);
        trainer.schedule_update().unwrap();
    }
    let updates = trainer.finish().unwrap();
    assert_eq!(Left { then: Vec::new(), ..wanted }, left(&mut trainer, updates));
}

#[test]
fn without_open_blocks_a_cut_inside_a_block_is_refused() {
    let task = task("mse");
    let mut trainer = task.trainer(gpu(), 64, false);
    trainer.attach(&task.data.all()).unwrap();
    let rows: Vec<u32> = (0..96).collect();
    says(&refusal(trainer.schedule(&rows[..31], false)), &["row 31", "block of 32"]);
    says(&refusal(trainer.micro_step(&task.data.stretch(0..40))), &["row 40", "block of 32"]);
    trainer.schedule(&rows[..32], false).unwrap();
    trainer.schedule(&rows[32..48], true).unwrap();
    trainer.schedule_update().unwrap();
    assert!(trainer.finish().unwrap()[0].made());
}

#[test]
fn more_than_one_submission_can_hold_is_refused_until_it_is_submitted() {
    let task = task("mse");
    let mut trainer = task.trainer(gpu(), 1, true);
    trainer.attach(&task.data.all()).unwrap();
    let mut held = 0;
    while trainer.has_room(1) {
        trainer.schedule(&[held % 96], false).unwrap();
        held += 1;
    }
    says(&refusal(trainer.schedule(&[0], false)), &["submit what is scheduled first"]);
    trainer.schedule_update().unwrap();
    let update = trainer.finish().unwrap()[0];
    assert_eq!((update.samples, update.made()), (held, true));
}

#[test]
fn new_data_does_not_reach_back_to_what_was_scheduled_before() {
    let task = task("mse");
    let mut other = task.data.clone();
    other.features.iter_mut().for_each(|feature| *feature = -*feature);
    let run = |attach: bool| {
        let mut trainer = task.trainer(gpu(), 20, true);
        trainer.attach(&task.data.all()).unwrap();
        trainer.schedule(&[1, 2, 3], true).unwrap();
        trainer.schedule_update().unwrap();
        if attach {
            trainer.attach(&other.all()).unwrap();
        }
        let updates = trainer.finish().unwrap();
        left(&mut trainer, updates)
    };
    assert_eq!(run(false), run(true));
}

#[test]
fn fit_reports_its_own_updates_and_leaves_earlier_ones_to_their_owner() {
    let task = task("mse");
    let mut trainer = task.trainer(gpu(), 20, true);
    trainer.micro_step(&task.data.stretch(0..20)).unwrap();
    trainer.update().unwrap();
    let (mut numbers, mut epochs) = (Vec::new(), Vec::new());
    let watch = |event| {
        match event {
            Event::Update { update, epoch } => numbers.push((update.update, epoch)),
            Event::Epoch { epoch, update, .. } => epochs.push((epoch, update)),
        }
        ControlFlow::Continue(())
    };
    assert_eq!(trainer.fit(&task.fit(), watch).unwrap(), Outcome::Done);
    assert_eq!(numbers, [(2, 1), (3, 1)]);
    assert_eq!(epochs, [(1, 3)]);
    let earlier: Vec<u64> = trainer.finish().unwrap().iter().map(|update| update.update).collect();
    assert_eq!(earlier, [1]);
}

#[test]
fn a_run_that_diverges_says_at_which_update_and_keeps_the_last_good_parameters() {
    for micro_batch in [48, 20, 1] {
        let mut task = task("mse");
        task.lr = 1e15;
        task.sgd = Sgd::default();
        task.epochs = 20;
        let mut trainer = task.trainer(gpu(), micro_batch, true);
        let mut good = 0;
        let watch = |event| {
            if let Event::Update { update, .. } = event {
                assert!(update.made() && update.loss.is_finite());
                good = update.update;
            }
            ControlFlow::Continue(())
        };
        let error = trainer.fit(&task.fit(), watch).unwrap_err();
        let Error::Diverged { update, .. } = error else { panic!("{error}") };
        assert!(good > 0 && update == good + 1, "micro-batches of {micro_batch}: {update} after {good}");
        let values: Vec<f32> = parameters(&mut trainer).into_iter().map(f32::from_bits).collect();
        assert!(values.iter().all(|value| value.is_finite()), "micro-batches of {micro_batch}: {values:?}");
        // As far as the last good update, from the start again.
        let mut again = task.trainer(gpu(), 48, true);
        for at in 0..good as usize {
            again.micro_step(&task.data.stretch(48 * (at % 2)..48 * (at % 2) + 48)).unwrap();
            again.update().unwrap();
        }
        assert_eq!(values.iter().map(|value| value.to_bits()).collect::<Vec<_>>(), parameters(&mut again));
    }
}

#[test]
fn a_window_that_is_not_finite_ends_the_training_there_however_much_is_on_its_way() {
    let mut task = task("mse");
    (task.batch, task.epochs) = (8, 3);
    task.data.values[3 * 27 + 1] = 1e30;
    let mut good = task.trainer(gpu(), 8, true);
    for at in 0..3 {
        good.micro_step(&task.data.stretch(8 * at..8 * at + 8)).unwrap();
        good.update().unwrap();
    }
    let good = parameters(&mut good);
    for micro_batch in [8, 3, 1] {
        let mut trainer = task.trainer(gpu(), micro_batch, true);
        let error = trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).unwrap_err();
        assert!(matches!(error, Error::Diverged { update: 4, .. }), "{error}");
        assert_eq!(good, parameters(&mut trainer), "micro-batches of {micro_batch}");
        let later = trainer.finish().unwrap().into_iter().find(|update| update.made());
        assert_eq!(later, None, "no update after it");
        // Without the sample that did it, the trainer goes on.
        let clean = Task { data: task.data.pick(&[1, 2, 3]), epochs: 1, ..self::task("mse") };
        assert_eq!(trainer.fit(&clean.fit(), |_| ControlFlow::Continue(())).unwrap(), Outcome::Done);
        assert_ne!(good, parameters(&mut trainer));
    }
}

#[test]
fn a_training_that_is_stopped_leaves_no_open_window_behind() {
    let mut task = task("mse");
    (task.batch, task.epochs) = (40, 50);
    for micro_batch in [40, 3, 1] {
        let mut trainer = task.trainer(gpu(), micro_batch, true);
        let stop = |event| match event {
            Event::Update { update, .. } if update.update == 3 => ControlFlow::Break(()),
            _ => ControlFlow::Continue(()),
        };
        assert_eq!(trainer.fit(&task.fit(), stop).unwrap(), Outcome::Stopped);
        assert_eq!(trainer.open_rows(), 0, "micro-batches of {micro_batch}");
        assert_eq!(trainer.fit(&task.fit(), |_| ControlFlow::Continue(())).unwrap(), Outcome::Done);
    }
}

#[test]
fn a_loss_of_the_features_themselves_is_refused_because_nothing_would_be_learned() {
    let mut graph = Graph::new();
    let (x, target) = (graph.input(3), graph.target(3));
    let loss = graph.apply(find("mse").unwrap(), "loss", &[x, target]).unwrap();
    let training = Training {
        loss,
        optimizer: &Sgd::default(),
        clip: Default::default(),
        lr_factors: Default::default(),
        decay: Default::default(),
        open_blocks: false,
        kernels: Kernels::OPS,
        seed: 0,
        augment: Default::default(),
    };
    says(&refusal(Plan::new(&graph, x, 4, Some(training)).map(drop)), &["mse", "put a layer before it"]);
}
