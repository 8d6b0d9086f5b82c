//! `accrue train`: from a CSV file to a saved model.

use std::time::Instant;

use crate::cli::args::Train;
use crate::cli::config::Config;
use crate::cli::exit::Stop;
use crate::cli::metrics_file::MetricsFile;
use crate::cli::profile;
use crate::cli::progress::{Progress, print, rate};
use crate::cli::report::render;
use crate::cli::resume::{Found, Identity, Saver};
use crate::cli::run_folder::RunFolder;
use crate::cli::session::Session;
use crate::cli::summary::{About, History, opening, plural};
use crate::cli::training::{self, Told};
use crate::gpu::profile::Profile;
use crate::gpu::{Choice, Gpu, adapter};
use crate::train::{Outcome, Trainer};
use crate::{Error, Result, durable};

/// Trains as a configuration says, and leaves model, checkpoints, metrics and report in the run's folder. A run that is there
/// goes on.
pub fn train(arguments: &Train) -> Result<(), Stop> {
    let mut clock = Clock::start();
    let config = Config::load(&arguments.config, &arguments.sets)?;
    let config_toml = config.to_toml()?;
    let folder = RunFolder::open(&arguments.out);
    let mut session = Session::new(config)?;
    session.check_length()?;
    let updates = session.windows.updates();
    clock.lap("reading the data");
    let timestamps = arguments.is_timed();
    let gpu = Gpu::new(&Choice { name: arguments.common.adapter.clone(), timestamps })?;
    clock.lap("opening the adapter");
    let identity = Identity::of(&session, &config_toml, gpu.info());
    let seen = folder.checkpoints().list()?;
    let mut found = if arguments.fresh { None } else { folder.checkpoints().latest(|line| log::warn!("{line}"))? };
    let changed = match &found {
        Some(found) => found.about.identity.goes_on_as(
            &identity,
            &arguments.out.display().to_string(),
            arguments.resume_with_changes,
        )?,
        None if arguments.fresh => false,
        None => folder.check(&config_toml).map(|()| false)?,
    };
    // A window that is open inside a block of rows needs the memory for it.
    session.open_blocks = found.as_ref().is_some_and(|found| !found.checkpoint.state.open_block.is_empty());
    let (mut trainer, chosen) = session.trainer(&gpu)?;
    clock.lap("building kernels and memory");

    let _lock = folder.lock(&seen)?;
    let mut history = History::default();
    let metrics = begin(&folder, &config_toml, found.as_mut(), &mut history, &gpu, changed)?;
    let mut progress = Progress::new(updates, session.config.train.epochs, arguments.common.quiet);
    for line in opening(&session, &gpu, trainer.plan(), &chosen) {
        progress.say(&line);
    }
    if let Some(found) = &found {
        progress.goes_on(found.checkpoint.position.updates, updates);
    }
    let mut told = Told::new(history, progress, metrics)?;
    let mut saver = Saver::new(folder.path(), identity, session.config.train.checkpoint.every()?, found.as_ref());
    begin_profile(arguments, &mut trainer)?;
    let outcome = training::run(&session, &mut trainer, found, &folder, &mut saver, &mut told);
    let profile = trainer.finish_profile();
    told.progress.finish();
    let outcome = outcome.and_then(|outcome| told.metrics.finish().map(|()| outcome));
    let outcome = outcome.map_err(|error| broken(error, &saver))?;
    let Told { progress, history, .. } = told;
    let speed = progress.samples_per_second();
    clock.lap("training and validation");

    session.prepared.saved.arrays = trainer.parameters()?;
    session.prepared.saved.write(&folder.model())?;
    clock.lap("saving the model");
    let stopped = format!("after update {} of {}", trainer.updates(), updates);
    let note = (outcome == Outcome::Stopped).then(|| format!("Interrupted {stopped}."));
    let summary = history.summary();
    let about = About {
        title: folder.name(),
        session: &session,
        chosen: &chosen,
        config_toml,
        gpu: &gpu,
        timings: clock.laps,
        samples_per_second: speed,
        note,
    };
    durable::write_bytes(&folder.report(), render(&history.report(about)).as_bytes())?;
    if let Some(summary) = summary {
        let speed = if speed > 0.0 { format!("; {} samples/s", rate(speed)) } else { String::new() };
        progress.say(&format!("{summary}{speed}"));
    }
    if progress.left_out() > 0 {
        progress.say(&format!("left out  {} without weight or not finite", plural(progress.left_out(), "update")));
    }
    progress.say(&format!("saved     {}", folder.model().display()));
    if let Some(best) = saver.best() {
        progress.say(&format!(
            "best      {}: val_loss {:.4} after epoch {}",
            folder.best().display(),
            best.loss,
            best.epoch
        ));
    }
    progress.say(&format!("report    {}", folder.report().display()));
    if let Some(profile) = profile? {
        show_profile(arguments, &profile, &gpu, &progress)?;
    }
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Stopped => {
            Err(Stop::Interrupted(format!("{stopped}; the run is saved, and the same command goes on with it")))
        }
    }
}

/// The files of a run that begins, or goes on from a checkpoint.
fn begin(
    folder: &RunFolder,
    config: &str,
    found: Option<&mut Found>,
    history: &mut History,
    gpu: &Gpu,
    changed: bool,
) -> Result<MetricsFile> {
    folder.tidy()?;
    let Some(found) = found else {
        folder.begin(config)?;
        return MetricsFile::create(&folder.metrics(), gpu.info());
    };
    folder.write_config(config)?;
    let path = folder.metrics();
    if !path.exists() {
        log::warn!("{} is gone; it begins again after update {}", path.display(), found.checkpoint.position.updates);
        found.forget_metrics(&folder.checkpoints())?;
        return MetricsFile::create(&path, gpu.info());
    }
    let (mut metrics, lines) = MetricsFile::go_on(&path, found.about.metrics)?;
    history.before(lines);
    if changed || found.about.metrics == 0 {
        metrics.run(gpu.info())?;
    }
    Ok(metrics)
}

/// An error in the middle of a training says what is kept.
fn broken(error: Error, saver: &Saver) -> Stop {
    match saver.kept() {
        Some(update) => Stop::Broken(error, format!("the checkpoint after update {update} is kept")),
        None => Stop::Error(error),
    }
}

fn begin_profile(arguments: &Train, trainer: &mut Trainer) -> Result<()> {
    if !arguments.is_timed() {
        return Ok(());
    }
    trainer.start_profile(if arguments.profile_trace.is_some() { profile::EVENTS } else { 0 })
}

/// Prints and writes where the time went, as far as it was asked for.
fn show_profile(arguments: &Train, profile: &Profile, gpu: &Gpu, progress: &Progress) -> Result<()> {
    let adapter = adapter::describe(gpu.info());
    if arguments.profile {
        print(&format!("\n{}\n", profile::table(profile).join("\n")))?;
    }
    if let Some(path) = &arguments.profile_json {
        profile::write_json(path, profile, &adapter)?;
        progress.say(&format!("profile   {}", path.display()));
    }
    if let Some(path) = &arguments.profile_trace {
        let said = profile::write_trace(path, profile, &adapter)?;
        progress.say(&format!("trace     {}: {said}", path.display()));
    }
    Ok(())
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
