//! `accrue train`: from a CSV file to a saved model.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;
use std::time::Instant;

use crate::Result;
use crate::cli::args::Train;
use crate::cli::config::Config;
use crate::cli::exit::Stop;
use crate::cli::metrics_file::MetricsFile;
use crate::cli::profile;
use crate::cli::progress::{Progress, print, rate};
use crate::cli::report::render;
use crate::cli::run_folder::{RunFolder, write};
use crate::cli::session::Session;
use crate::cli::summary::{About, History, opening};
use crate::gpu::profile::Profile;
use crate::gpu::{Choice, Gpu, adapter};
use crate::train::{Event, Outcome, Trainer};

/// Trains as a configuration says, and leaves model, metrics and report in the run's folder.
pub fn train(arguments: &Train) -> Result<(), Stop> {
    let mut clock = Clock::start();
    let config = Config::load(&arguments.config, &arguments.sets)?;
    let config_toml = config.to_toml()?;
    let mut session = Session::new(config)?;
    session.check_length()?;
    let updates = session.windows.updates();
    clock.lap("reading the data");
    let timestamps = arguments.is_timed();
    let gpu = Gpu::new(&Choice { name: arguments.common.adapter.clone(), timestamps })?;
    clock.lap("opening the adapter");
    let (mut trainer, chosen) = session.trainer(&gpu)?;
    clock.lap("building kernels and memory");

    let folder = RunFolder::create(&arguments.out, &config_toml, arguments.force)?;
    let mut metrics = MetricsFile::create(&folder.metrics(), gpu.info())?;
    let mut progress = Progress::new(updates, session.config.train.epochs, arguments.common.quiet);
    for line in opening(&session, &gpu, trainer.plan(), &chosen) {
        progress.say(&line);
    }
    let pressed = progress.interrupts()?;
    let mut history = History::default();
    let mut wrote = Ok(());
    begin_profile(arguments, &mut trainer)?;
    let outcome = trainer.fit(&session.fit(), |event: Event| {
        history.event(&event);
        progress.event(&event);
        if wrote.is_ok() {
            wrote = metrics.event(&event);
        }
        if wrote.is_err() || pressed.load(Ordering::Relaxed) {
            ControlFlow::Break(())
        } else {
            ControlFlow::Continue(())
        }
    });
    let profile = trainer.finish_profile();
    progress.finish();
    metrics.finish()?;
    wrote?;
    let outcome = outcome?;
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
    write(&folder.report(), &render(&history.report(about)))?;
    if let Some(summary) = summary {
        progress.say(&format!("{summary}; {} samples/s", rate(speed)));
    }
    progress.say(&format!("saved     {}", folder.model().display()));
    progress.say(&format!("report    {}", folder.report().display()));
    if let Some(profile) = profile? {
        show_profile(arguments, &profile, &gpu, &progress)?;
    }
    match outcome {
        Outcome::Done => Ok(()),
        Outcome::Stopped => Err(Stop::Interrupted(format!("{stopped}; the model of that moment is saved"))),
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
