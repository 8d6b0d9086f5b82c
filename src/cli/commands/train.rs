//! `accrue train`: from a CSV file to a saved model.

use std::time::Instant;

use crate::cli::args::Train;
use crate::cli::config::{Config, Validation};
use crate::cli::exit::Stop;
use crate::cli::metrics_file::MetricsFile;
use crate::cli::profile;
use crate::cli::progress::{Progress, complain, number, print, rate};
use crate::cli::report::render;
use crate::cli::resume::{Found, Identity, Saver};
use crate::cli::run_folder::{Lock, RunFolder};
use crate::cli::session::Session;
use crate::cli::summary::{About, History, opening};
use crate::cli::training::{Told, Training};
use crate::data::split::held;
use crate::gpu::profile::Profile;
use crate::gpu::{Choice, Gpu, adapter};
use crate::nn::ModelFile;
use crate::plan::Chosen;
use crate::train::{Outcome, Trainer};
use crate::{Error, NotFinite, Result, Suspect, durable};

/// Trains as a configuration says, and leaves model, checkpoints, metrics and report in the run's folder. A run that is there
/// goes on.
pub fn train(arguments: &Train) -> Result<(), Stop> {
    let mut clock = Clock::start();
    let (mut begun, found) = begin(arguments, &mut clock)?;
    begin_profile(arguments, &mut begun.trainer)?;
    let Begun { session, trainer, folder, saver, told, .. } = &mut begun;
    let training = Training { session, trainer: &mut *trainer, folder, saver: &mut *saver, told: &mut *told };
    let outcome = training.run(found);
    let profile = trainer.finish_profile();
    told.progress.finish();
    let outcome = outcome.and_then(|outcome| told.metrics.finish().map(|()| outcome));
    let outcome = outcome.map_err(|error| broken(error, arguments, session, saver))?;
    let speed = told.progress.samples_per_second();
    clock.lap("training and validation");

    session.prepared.saved.arrays = trainer.parameters().map_err(|error| broken(error, arguments, session, saver))?;
    session.prepared.saved.write(&folder.model()).map_err(|error| broken(error, arguments, session, saver))?;
    clock.lap("saving the model");
    let stopped = (outcome == Outcome::Stopped)
        .then(|| format!("after update {} of {}", trainer.updates(), session.windows.updates()));
    tell(&mut begun, clock, speed, stopped.as_deref())?;
    if let Some(profile) = profile? {
        show_profile(arguments, &profile, &begun.gpu, &begun.told.progress)?;
    }
    match stopped {
        None => Ok(()),
        Some(stopped) => {
            let same = same_command(arguments);
            Err(Stop::Interrupted(format!("{stopped}; the run is saved, and {same} goes on with it")))
        }
    }
}

/// A run that is about to train, in a folder that is its own now.
struct Begun {
    folder: RunFolder,
    config_toml: String,
    session: Session,
    gpu: Gpu,
    trainer: Trainer,
    chosen: Chosen,
    saver: Saver,
    told: Told,
    _lock: Lock,
}

/// Reads everything, makes the trainer and then the files. What there is to go on from comes beside it.
fn begin(arguments: &Train, clock: &mut Clock) -> Result<(Begun, Option<Found>)> {
    let mut config = Config::load(&arguments.config, &arguments.sets)?;
    let config_toml = config.to_toml()?;
    let folder = RunFolder::open(&arguments.out);
    folder.check_ours()?;
    let lock = folder.lock()?;
    let mut found = if arguments.fresh {
        None
    } else {
        folder.checkpoints().latest(|line| complain(&format!("warning: {line}")))?
    };
    if found.is_some() {
        // The weights are the checkpoint's; the file that the run began with may be gone.
        config.model.init = None;
    }
    let mut session = Session::new(config)?;
    session.check_length()?;
    clock.lap("reading the data");
    let common = &arguments.common;
    let (name, timestamps) = (common.adapter.clone(), arguments.is_timed());
    let gpu = Gpu::new(&Choice { name, passed_over: common.passed_over, timestamps })?;
    clock.lap("opening the adapter");
    if let Some(found) = &mut found {
        check_best(&folder, found);
    }
    let identity = Identity::of(&session, &config_toml, gpu.info());
    let changed = goes_on(arguments, &folder, found.as_ref(), &identity)?;
    // A window that is open inside a block of rows needs the memory for it.
    session.open_blocks = found.as_ref().is_some_and(|found| !found.checkpoint.state.open_block.is_empty());
    let (trainer, chosen) = session.trainer(&gpu)?;
    clock.lap("building kernels and memory");

    let lock = lock.map_or_else(|| folder.make(), Ok)?;
    let mut history = History::default();
    let metrics = files(&folder, &identity.config, found.as_mut(), &mut history, &gpu, changed)?;
    let progress = Progress::new(session.windows.updates(), session.config.train.epochs, arguments.common.quiet);
    let saver = Saver::new(folder.path(), identity, session.config.train.checkpoint.every()?, found.as_ref());
    let told = Told::new(history, progress, metrics)?;
    let mut begun = Begun { folder, config_toml, session, gpu, trainer, chosen, saver, told, _lock: lock };
    begun.open(found.as_ref());
    Ok((begun, found))
}

/// Forgets the best model where it can no longer be read: that of the epochs from here on is kept then.
fn check_best(folder: &RunFolder, found: &mut Found) {
    if let (Some(best), Err(error)) = (found.about.best, ModelFile::read(&folder.best())) {
        complain(&format!(
            "warning: the best model, of epoch {}, is gone; that of the epochs to come is kept ({error})",
            best.epoch
        ));
        found.about.best = None;
    }
}

/// Whether something changed since the run began that is taken as it is.
///
/// # Errors
/// When the folder's run is another one.
fn goes_on(arguments: &Train, folder: &RunFolder, found: Option<&Found>, identity: &Identity) -> Result<bool> {
    match found {
        Some(found) => {
            let out = arguments.out.display().to_string();
            found.about.identity.goes_on_as(identity, &out, arguments.resume_with_changes)
        }
        None if arguments.fresh => Ok(false),
        None => folder.check(&identity.config).map(|()| false),
    }
}

/// The files of a run that begins, or goes on from a checkpoint.
fn files(
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
    history.goes_on(found.checkpoint.position.updates);
    let path = folder.metrics();
    if !path.exists() {
        complain(&format!(
            "warning: {} is gone; it begins again after update {}",
            path.display(),
            found.checkpoint.position.updates
        ));
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

impl Begun {
    /// Says what is about to be trained.
    fn open(&mut self, found: Option<&Found>) {
        let Begun { session, told: Told { progress, .. }, .. } = self;
        for line in opening(session, &self.gpu, self.trainer.plan(), &self.chosen) {
            progress.say(&line);
        }
        if let Some(found) = found {
            progress.goes_on(found.checkpoint.position.updates, session.windows.updates());
        }
    }
}

/// Writes the report, and says where everything is. `stopped` is where the run was interrupted, if it was.
fn tell(begun: &mut Begun, clock: Clock, speed: f64, stopped: Option<&str>) -> Result<()> {
    let history = std::mem::take(&mut begun.told.history);
    let Begun { folder, session, gpu, chosen, config_toml, saver, told: Told { progress, .. }, .. } = begun;
    let summary = history.summary();
    let about = About {
        title: folder.name(),
        session,
        chosen,
        config_toml: config_toml.clone(),
        gpu,
        timings: clock.laps,
        samples_per_second: speed,
        note: stopped.map(|stopped| format!("Interrupted {stopped}.")),
    };
    durable::write_bytes(&folder.report(), render(&history.report(about)).as_bytes())?;
    if let Some(summary) = summary {
        let speed = if speed > 0.0 { format!("; {} samples/s", rate(speed)) } else { String::new() };
        progress.say(&format!("{summary}{speed}"));
    }
    if progress.left_out() > 0 {
        progress.say(&format!("left out  {}", progress.left_out_in_words()));
    }
    progress.say(&format!("saved     {}", folder.model().display()));
    if let Some(best) = saver.best() {
        let path = folder.best();
        progress.say(&format!(
            "best      {}: val_loss {} after epoch {}",
            path.display(),
            number(best.loss),
            best.epoch
        ));
    }
    progress.say(&format!("report    {}", folder.report().display()));
    Ok(())
}

/// What goes on with a run that is saved.
fn same_command(arguments: &Train) -> &'static str {
    if arguments.fresh { "the same command without --fresh" } else { "the same command" }
}

/// An error in the middle of a training says which row of the file it is about, what is kept, and what goes on from that.
fn broken(error: Error, arguments: &Train, session: &Session, saver: &Saver) -> Stop {
    let mut words = Vec::new();
    let mut on = String::new();
    match &error {
        Error::Diverged { found, suspect, .. } => {
            words.extend(suspect.as_ref().and_then(|suspect| row_of_file(suspect, session)));
            if *found != NotFinite::Parameter {
                on.push_str("; with --resume-with-changes a run that skips goes on from it");
            }
        }
        Error::DeviceLost(_) => on = format!("; {} goes on from it", same_command(arguments)),
        _ => {}
    }
    if let Some(update) = saver.kept() {
        words.push(format!("the checkpoint after update {update} is kept{on}"));
    }
    if saver.kept().is_none() {
        words.push("nothing was saved before".to_owned());
    }
    Stop::Broken(error, words.join("; "))
}

/// Which row of its file a row of the training data is: those that are kept back for validation are not counted there.
fn row_of_file(suspect: &Suspect, session: &Session) -> Option<String> {
    let (sample, data) = (suspect.sample?, &session.config.data);
    let at = match &data.validation {
        Validation::File(_) => sample as usize,
        Validation::Share(share) => {
            let (train, validation) = (&session.prepared.train, &session.prepared.validation);
            let rows = train.rows() + validation.as_ref().map_or(0, |rows| rows.rows());
            let held = held(rows, *share, session.config.train.seed).ok()?;
            (0..rows).filter(|&row| !held[row]).nth(sample as usize)?
        }
    };
    let file = data.path.file_name().unwrap_or(data.path.as_os_str()).to_string_lossy();
    Some(format!("row {sample} is row {} of {file}, counted from 1 below its header", at + 1))
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
