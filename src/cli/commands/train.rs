//! `accrue train`: from a CSV file to a saved model.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use super::open;
use crate::Result;
use crate::cli::args::Train;
use crate::cli::config::{self, Config};
use crate::cli::exit::Stop;
use crate::cli::metrics_file::MetricsFile;
use crate::cli::prepare::Prepared;
use crate::cli::progress::{Progress, interrupts, rate};
use crate::cli::report::render;
use crate::cli::run_folder::{RunFolder, write};
use crate::cli::summary::{About, History, opening};
use crate::optim::{Clip, Schedule, Sgd};
use crate::plan::BLOCK;
use crate::train::{Event, Fit, Outcome, Settings, Trainer};
use crate::window::{Tail, Windows};

/// Trains as a configuration says, and leaves model, metrics and report in the run's folder.
pub fn train(arguments: &Train) -> Result<(), Stop> {
    let mut clock = Clock::start();
    let config = Config::load(&arguments.config, &arguments.sets)?;
    let config_toml = config.to_toml()?;
    let mut prepared = Prepared::new(&config)?;
    let windows = windows(&config, prepared.train.rows())?;
    clock.lap("reading the data");
    let gpu = open(&arguments.common)?;
    clock.lap("opening the adapter");
    let mut trainer = Trainer::new(&gpu, &prepared.saved.model, settings(&config, &prepared)?)?;
    clock.lap("building kernels and memory");

    let folder = RunFolder::create(&arguments.out, &config_toml, arguments.force)?;
    let mut metrics = MetricsFile::create(&folder.metrics(), gpu.info())?;
    let mut progress = Progress::new(windows.updates(), config.train.epochs, arguments.common.quiet);
    for line in opening(&config, &prepared, &gpu, trainer.plan(), &windows) {
        progress.say(&line);
    }
    let pressed = interrupts()?;
    let mut history = History::default();
    let mut wrote = Ok(());
    let outcome = trainer.fit(&fit(&config, &prepared)?, |event: Event| {
        history.event(&event);
        progress.event(&event);
        wrote = metrics.event(&event);
        if wrote.is_err() || pressed.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    progress.finish();
    metrics.finish()?;
    wrote?;
    let outcome = outcome?;
    let speed = progress.samples_per_second();
    clock.lap("training and validation");

    prepared.saved.arrays = trainer.parameters()?;
    prepared.saved.write(&folder.model())?;
    clock.lap("saving the model");
    let stopped = format!("after update {} of {}", trainer.updates(), windows.updates());
    let note = (outcome == Outcome::Stopped).then(|| format!("Interrupted {stopped}."));
    let summary = history.summary();
    let about = About {
        title: folder.name(),
        config: &config,
        config_toml,
        prepared: &prepared,
        gpu: &gpu,
        timings: clock.laps,
        samples_per_second: speed,
        note,
    };
    write(&folder.report(), &render(&history.report(about)))?;
    if let Some(summary) = summary {
        progress.say(&format!("{summary}; {} samples/s", rate(speed)));
    }
    progress.say(&format!("saved     {}", folder.model().display()));
    progress.say(&format!("report    {}", folder.report().display()));
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Stopped => Err(Stop::Interrupted(format!("{stopped}; the model of that moment is saved"))),
    }
}

fn windows(config: &Config, rows: usize) -> Result<Windows> {
    Windows::new(rows, config.train.epochs, config.train.partition()?.batch, tail(config))
}

fn tail(config: &Config) -> Tail {
    match config.train.tail {
        config::Tail::Flush => Tail::Flush,
        config::Tail::Drop => Tail::Drop,
        config::Tail::Carry => Tail::Carry,
    }
}

fn settings(config: &Config, prepared: &Prepared) -> Result<Settings> {
    let optimizer = &config.optimizer;
    let sgd = Sgd {
        momentum: optimizer.momentum,
        dampening: optimizer.dampening,
        weight_decay: optimizer.weight_decay,
        nesterov: optimizer.nesterov,
    };
    sgd.check()?;
    // A window is never larger than all samples, and all its micro-batches but the last are whole.
    let partition = config.train.partition()?;
    let most = prepared.train.rows() as u64 * u64::from(config.train.epochs);
    let micro_batch = u64::from(partition.micro_batch).min(most) as usize;
    Ok(Settings {
        micro_batch,
        optimizer: Box::new(sgd),
        clip: Clip::default(),
        lr: optimizer.lr,
        schedule: Schedule::default(),
        start: Some(prepared.saved.arrays.clone()),
        seed: config.train.seed,
        any_cut: partition.accumulation_steps > 1 && !micro_batch.is_multiple_of(BLOCK),
    })
}

fn fit<'a>(config: &Config, prepared: &'a Prepared) -> Result<Fit<'a>> {
    Ok(Fit {
        train: prepared.train.batch(),
        validation: prepared.validation.as_ref().map(|data| data.batch()),
        unit: prepared.unit(),
        epochs: config.train.epochs,
        batch: config.train.partition()?.batch,
        tail: tail(config),
        shuffle: config.train.shuffle.then_some(config.train.seed),
    })
}

/// What took how long.
struct Clock {
    last: Instant,
    laps: Vec<(String, f64)>,
}

impl Clock {
    fn start() -> Clock {
        Clock { last: Instant::now(), laps: Vec::new() }
    }

    fn lap(&mut self, name: &str) {
        self.laps.push((name.to_owned(), self.last.elapsed().as_secs_f64()));
        self.last = Instant::now();
    }
}
