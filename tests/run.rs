//! A run in a folder, for an app: it is stopped and goes on with the same bits, and the best model is read back. Nothing here
//! needs a feature of the crate.

mod common;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};

use accrue::data::Batch;
use accrue::nn::{Model, ModelFile};
use accrue::optim::Adam;
use accrue::run::{self, Every, Finished, Options, RunFolder};
use accrue::train::metrics::Metric;
use accrue::train::{Event, FitConfig, Outcome, Settings, Trainer};
use common::runs::flat;
use common::{Numbers, gpu};

const FEATURES: usize = 5;
const OUTPUTS: usize = 2;
const ROWS: usize = 150;

struct App {
    model: Model,
    x: Vec<f32>,
    y: Vec<f32>,
    folder: PathBuf,
    epochs: u32,
}

impl App {
    fn new(name: &str) -> App {
        let mut numbers = Numbers::new(5);
        let model = Model::new(FEATURES, &[12.into(), "tanh".into(), OUTPUTS.into()], "mse").unwrap();
        let folder = std::env::temp_dir().join(format!("accrue-run-{name}-{}", std::process::id()));
        let _ = std::fs::remove_dir_all(&folder);
        App { model, x: numbers.floats(FEATURES * ROWS), y: numbers.floats(OUTPUTS * ROWS), folder, epochs: 9 }
    }

    fn run(&self, name: &str) -> RunFolder {
        RunFolder::open(&self.folder.join(name))
    }

    fn rows(&self, from: usize, to: usize) -> Batch<'_> {
        Batch::values(&self.x[from * FEATURES..to * FEATURES], &self.y[from * OUTPUTS..to * OUTPUTS])
    }

    fn fit(&self, epochs: u32) -> FitConfig<'_> {
        let validation = Some(self.rows(120, ROWS));
        FitConfig { validation, shuffle: Some(3), ..FitConfig::new(self.rows(0, 120), 50, epochs) }
    }

    fn trainer(&self, micro_batch: usize) -> Trainer {
        let settings = Settings { micro_batch, optimizer: Box::<Adam>::default(), lr: 0.02, ..Settings::default() };
        Trainer::new(gpu(), &self.model, settings).unwrap()
    }

    /// Trains in the folder of this name until update `last` is told, if there is one, with the options as `set` leaves them.
    fn train(
        &self,
        name: &str,
        (micro_batch, last): (usize, Option<u64>),
        set: impl Fn(&mut Options),
    ) -> accrue::Result<Finished> {
        let mut options = Options { config: "lr = 0.02\n".to_owned(), every: Every::Updates(5), ..Options::default() };
        set(&mut options);
        run::train(&self.run(name), &mut self.trainer(micro_batch), &self.fit(self.epochs), &options, |event| {
            match event {
                Event::Update { update, .. } if Some(update.update) == last => ControlFlow::Break(()),
                _ => ControlFlow::Continue(()),
            }
        })
    }
}

impl Drop for App {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.folder);
    }
}

#[test]
fn a_run_that_is_stopped_goes_on_with_the_bits_of_one_that_was_not() {
    let app = App::new("resume");
    let whole = app.train("whole", (50, None), |_| {}).unwrap();
    assert_eq!(whole.outcome, Outcome::Done);
    for last in [1, 8, 20] {
        assert_eq!(app.train("r", (50, Some(last)), |_| {}).unwrap().outcome, Outcome::Stopped);
    }
    // The micro-batch may be another.
    assert_eq!(app.train("r", (7, None), |_| {}).unwrap(), whole);
    let (one, other) = (app.run("whole"), app.run("r"));
    for (one, other) in [(one.model(), other.model()), (one.best(), other.best()), (one.metrics(), other.metrics())] {
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&other).unwrap(), "{}", other.display());
    }

    // What the folder holds is what training by itself gives.
    let mut trainer = app.trainer(50);
    let (mut best, mut seen) = (f64::INFINITY, 0);
    trainer
        .fit(&app.fit(9), |event| {
            if let Event::Epoch { epoch, validation: Some(validation), .. } = event
                && validation.loss < best
            {
                (best, seen) = (validation.loss, epoch);
            }
            ControlFlow::Continue(())
        })
        .unwrap();
    let model = ModelFile::read(&other.model()).unwrap();
    assert_eq!(flat(&model.arrays), flat(&trainer.parameters().unwrap()));
    let kept = whole.best.unwrap();
    assert_eq!((kept.value.to_bits(), kept.epoch), (best.to_bits(), seen));
    let read = ModelFile::read(&other.best()).unwrap();
    assert_eq!((read.model.clone(), read.features.len()), (app.model.clone(), FEATURES));
    trainer.set_parameters(&read.arrays).unwrap();
    assert_eq!(trainer.evaluate(&app.rows(120, ROWS), None).unwrap().loss.to_bits(), best.to_bits());
}

#[test]
fn patience_ends_a_run_at_the_same_epoch_however_often_it_was_stopped() {
    let mut app = App::new("patience");
    app.epochs = 200;
    // Something to learn, and something not to.
    for (at, y) in app.y.iter_mut().enumerate() {
        let row = &app.x[at / OUTPUTS * FEATURES..];
        *y = row[at % OUTPUTS] * row[2] + 0.3 * *y;
    }
    let patient = |options: &mut Options| (options.patience, options.best) = (Some(4), Metric::Mae);
    let whole = app.train("whole", (50, None), patient).unwrap();
    let (best, early) = (whole.best.unwrap(), whole.early.unwrap());
    assert_eq!((whole.outcome, best.metric, best.epoch + 4), (Outcome::Done, Metric::Mae, early), "{whole:?}");
    assert!(early < 200, "{early}");
    // Three updates are an epoch, and those in flight are made: stops before the best epoch and in those without a better one.
    assert!(best.epoch > 3, "{whole:?}");
    for last in [1, best.update - 4, best.update + 1, best.update + 8] {
        assert_eq!(app.train("r", (50, Some(last)), patient).unwrap().outcome, Outcome::Stopped);
    }
    assert_eq!(app.train("r", (7, None), patient).unwrap(), whole);
    let (one, other) = (app.run("whole"), app.run("r"));
    for (one, other) in [(one.model(), other.model()), (one.best(), other.best()), (one.metrics(), other.metrics())] {
        assert!(std::fs::read(&one).unwrap() == std::fs::read(&other).unwrap(), "{}", other.display());
    }
    assert_eq!(ModelFile::read(&other.best()).unwrap().epoch, Some(best.epoch));
    assert_eq!(ModelFile::read(&other.model()).unwrap().epoch, None);

    // It is over: nothing more is trained. With more patience it goes on, if that change is accepted.
    let again = app.train("r", (50, Some(1)), patient).unwrap();
    assert_eq!((again, std::fs::read(one.metrics()).unwrap()), (whole, std::fs::read(other.metrics()).unwrap()));
    let more = |options: &mut Options| {
        patient(options);
        (options.patience, options.take_changes) = (Some(6), true);
    };
    let longer = app.train("r", (50, None), more).unwrap();
    assert!(longer.early.is_none_or(|epoch| epoch >= early + 2), "{longer:?}");
    let other = |options: &mut Options| (options.patience, options.best) = (Some(6), Metric::R2);
    let said = app.train("r", (50, None), other).unwrap_err().to_string();
    assert!(said.contains("best = \"mae\" (now \"r2\"); that would be another run"), "{said}");
}

#[test]
fn a_run_with_other_settings_is_refused_and_one_that_starts_over_is_not() {
    let app = App::new("other");
    app.train("r", (50, Some(3)), |_| {}).unwrap();
    let other = |options: &mut Options| options.config = "lr = 0.01\n".to_owned();
    let said = app.train("r", (50, None), other).unwrap_err().to_string();
    assert!(said.contains("lr = 0.02 (now 0.01); that would be another run"), "{said}");
    let fresh = |options: &mut Options| {
        other(options);
        options.fresh = true;
    };
    assert_eq!(app.train("r", (50, None), fresh).unwrap().outcome, Outcome::Done);

    let mut more = app.fit(9);
    more.batch = 40.into();
    let mut options = Options { config: "lr = 0.01\n".to_owned(), ..Options::default() };
    let go = |fit: &FitConfig, options: &Options| {
        run::train(&app.run("r"), &mut app.trainer(50), fit, options, |_| ControlFlow::Continue(()))
    };
    let said = go(&more, &options).unwrap_err().to_string();
    assert!(said.contains("train.batch"), "{said}");
    let longer = app.fit(12);
    assert!(go(&longer, &options).unwrap_err().to_string().contains("train.epochs = 9 (now 12)"));
    options.take_changes = true;
    assert_eq!(go(&longer, &options).unwrap().outcome, Outcome::Done);
}

#[test]
fn a_run_can_be_stopped_from_elsewhere_and_warnings_are_told() {
    static WARNED: AtomicU64 = AtomicU64::new(0);
    let app = App::new("stop");
    let stop = |options: &mut Options| options.stop.store(true, Ordering::Relaxed);
    assert_eq!(app.train("r", (50, None), stop).unwrap().outcome, Outcome::Stopped);
    std::fs::remove_file(app.run("r").metrics()).unwrap();
    let warn = |options: &mut Options| options.warn = |_| _ = WARNED.fetch_add(1, Ordering::Relaxed);
    assert_eq!(app.train("r", (50, None), warn).unwrap().outcome, Outcome::Done);
    assert_eq!(WARNED.load(Ordering::Relaxed), 1);
}
