//! `accrue train`: from a file of data to a saved model.

mod refit;

use std::ops::ControlFlow;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::AtomicBool;

use clap::Args;
use serde_json::Value;

use super::{Command, timed};
use crate::cli::args::Common;
use crate::cli::ended;
use crate::cli::exit::{Stop, one_line};
use crate::cli::findings::Findings;
use crate::cli::profile;
use crate::cli::progress::{Progress, complain, json_line, print, rate};
use crate::cli::report::render;
use crate::cli::summary::{About, Clock, History, opening, plural, refused_kernels};
use crate::cli::tensorboard::Board;
use crate::cli::tune::look_up;
use crate::data::source::source_of;
use crate::gpu::profile::Profile;
use crate::gpu::{Gpu, adapter};
use crate::plan::Chosen;
use crate::recipe::{Config, Session};
use crate::run::{Journal, Line, Options, RunFolder};
use crate::train::{Outcome, Trainer};
use crate::{Error, NotFinite, Result, Suspect, durable};

/// Train a model and save it with its losses and a report.
#[derive(Debug, PartialEq, Args)]
pub struct Train {
    /// The configuration, a TOML file; paths in it are relative to its folder.
    pub config: PathBuf,
    /// The folder to write the run to: model, best model, checkpoints, configuration, metrics and report.
    #[arg(long, value_name = "DIR")]
    pub out: PathBuf,
    /// Set one key of the configuration to VALUE, as in `--set optimizer.lr=0.1`; repeatable.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    pub sets: Vec<String>,
    /// Start over: remove the run in DIR when the new one begins; without this a stopped run resumes.
    #[arg(long)]
    pub fresh: bool,
    /// Resume although micro-batch, memory, kernels, adapter or the like changed, which cannot spoil the result.
    #[arg(long, conflicts_with = "fresh")]
    pub resume_with_changes: bool,
    /// Time every kernel on the GPU, and print where the time went after training.
    #[arg(long)]
    pub profile: bool,
    /// Write where the time went to FILE as JSON.
    #[arg(long, value_name = "FILE")]
    pub profile_json: Option<PathBuf>,
    /// Write the first 20000 kernels and submissions to FILE as a trace for Perfetto.
    #[arg(long, value_name = "FILE")]
    pub profile_trace: Option<PathBuf>,
    /// Write losses, metrics and learning rates for TensorBoard to FOLDER, or to the folder tensorboard of the run.
    #[arg(long, value_name = "FOLDER", num_args = 0..=1, require_equals = true)]
    pub tensorboard: Option<Option<PathBuf>>,
    /// Print one JSON object at the end instead of lines.
    #[arg(long, conflicts_with = "profile")]
    pub json: bool,
    /// What every command that computes takes.
    #[command(flatten)]
    pub common: Common,
}

impl Command for Train {
    /// Trains as configured, and writes model, checkpoints, metrics and report to the run's folder. Resumes the folder's run,
    /// if it has one.
    fn run(&self) -> Result<(), Stop> {
        let mut clock = Clock::start();
        let mut begun = begin(self, &mut clock)?;
        begin_profile(self, &mut begun.trainer)?;
        let Begun { session, trainer, journal, history, progress, board, pressed, .. } = &mut begun;
        let mut wrote = Ok(());
        let outcome = journal.train(trainer, &session.fit(), &session.prepared.saved, pressed, |event| {
            history.event(event);
            progress.event(event);
            match board.as_mut().map_or(Ok(()), |board| board.event(event)) {
                Ok(()) => ControlFlow::Continue(()),
                failed => {
                    wrote = failed;
                    ControlFlow::Break(())
                }
            }
        });
        let outcome = outcome.and_then(|outcome| wrote.map(|()| outcome));
        let profile = trainer.finish_profile();
        progress.finish();
        let outcome = outcome.map_err(|error| broken(error, self, session, journal))?;
        let speed = progress.samples_per_second();
        clock.lap("training and validation");

        session.save(trainer, journal.folder()).map_err(|error| broken(error, self, session, journal))?;
        clock.lap("saving the model");
        let stopped = (outcome == Outcome::Stopped)
            .then(|| format!("after update {} of {}", trainer.updates(), session.windows.updates()));
        let findings = findings(&mut begun, self, stopped.is_some())?;
        clock.lap("measuring the model");
        let mut page = tell(&mut begun, self, clock, speed, findings, stopped.as_deref())?;
        if let Some(profile) = profile? {
            show_profile(self, &profile, &begun.gpu, &begun.progress)?;
        }
        let stopped = match stopped {
            None => refit::train(begun, self, &mut page)?,
            stopped => stopped,
        };
        if self.json {
            print(&json_line(&page))?;
        }
        match stopped {
            None => Ok(()),
            Some(stopped) => {
                let same = same_command(self);
                Err(Stop::Interrupted(format!("{stopped}; the run is saved, and {same} goes on with it")))
            }
        }
    }

    fn common_mut(&mut self) -> Option<&mut Common> {
        Some(&mut self.common)
    }
}

impl Train {
    /// Whether to time kernels.
    fn is_timed(&self) -> bool {
        self.profile || self.profile_json.is_some() || self.profile_trace.is_some()
    }

    /// How a run begins, as far as the arguments decide it.
    fn options(&self) -> Options {
        let warn = |line: &str| complain(&format!("warning: {line}"));
        Options { fresh: self.fresh, take_changes: self.resume_with_changes, warn, ..Options::default() }
    }
}

/// A run about to train, in a folder that it has locked.
struct Begun {
    config: Config,
    config_toml: String,
    session: Session,
    gpu: Gpu,
    trainer: Trainer,
    chosen: Chosen,
    journal: Journal,
    history: History,
    progress: Progress,
    board: Option<Board>,
    /// Whether Ctrl-C was pressed.
    pressed: Arc<AtomicBool>,
}

/// Reads everything, makes the trainer and then the files.
fn begin(arguments: &Train, clock: &mut Clock) -> Result<Begun> {
    let config = Config::load(&arguments.config, &arguments.sets)?;
    let config_toml = config.to_toml()?;
    let options = Options {
        every: config.train.checkpoint.every()?,
        best: config.train.best,
        patience: config.train.patience,
        ..arguments.options()
    };
    let claim = RunFolder::open(&arguments.out).claim(&options)?;
    let mut session = Session::of_run(config.clone(), &claim)?;
    clock.lap("reading the data");
    let gpu = timed(&arguments.common, arguments.is_timed())?;
    clock.lap("opening the adapter");
    let claim = claim.accept(session.identity(config_toml.clone(), gpu.info()), &options)?;
    let mut chosen = session.settled(&gpu)?;
    look_up(&mut session, &gpu, &mut chosen)?;
    let (trainer, chosen) = session.trainer(&gpu, chosen)?;
    clock.lap("building kernels and memory");

    let mut journal = claim.begin(gpu.info(), &options)?;
    let mut history = History::default();
    let (updates, train) = (session.windows.updates(), &session.config.train);
    let mut progress = Progress::new(updates, train.last_epoch(), train.best, arguments.common.quiet || arguments.json);
    let earlier = journal.earlier();
    let board = board(arguments, &journal, &earlier)?;
    progress.before(&earlier);
    history.before(earlier);
    let pressed = progress.interrupts()?;
    for line in opening(&session, &gpu, trainer.plan(), &chosen) {
        progress.say(&line);
    }
    if let Some(line) = refused_kernels(&session, trainer.plan(), &chosen) {
        complain(&format!("warning: {line}"));
    }
    if let Some(updates) = journal.goes_on_after() {
        history.goes_on(updates);
        progress.goes_on(updates, session.windows.updates());
    }
    Ok(Begun { config, config_toml, session, gpu, trainer, chosen, journal, history, progress, board, pressed })
}

/// The event file for TensorBoard, as requested.
fn board(arguments: &Train, journal: &Journal, earlier: &[Line]) -> Result<Option<Board>> {
    let own = journal.folder().path().join("tensorboard");
    if journal.goes_on_after().is_none() {
        Board::clear(&own)?;
    }
    let folder = arguments.tensorboard.as_ref().map(|folder| folder.as_ref().unwrap_or(&own));
    folder.map(|folder| Board::new(folder, earlier)).transpose()
}

/// What the report says of the model. The model is saved, so that only a lost device ends the command: the same command then
/// writes the report. An interrupted command ends at once, and predicts nothing.
fn findings(begun: &mut Begun, arguments: &Train, stopped: bool) -> Result<Findings, Stop> {
    let Begun { session, trainer, journal, .. } = begun;
    if stopped {
        return Ok(Findings::of_columns(session));
    }
    match Findings::of_model(session, trainer, journal) {
        Err(error @ Error::DeviceLost(_)) => Err(broken(error, arguments, session, journal)),
        Err(error) => {
            complain(&format!("warning: the report has no predictions: {}", one_line(&error.to_string())));
            Ok(Findings::of_columns(session))
        }
        Ok(found) => Ok(found),
    }
}

/// Writes the report, and prints where everything is; with `--json` it returns what to print at the end. `stopped`: where the
/// run was interrupted, if it was.
fn tell(
    begun: &mut Begun,
    arguments: &Train,
    clock: Clock,
    speed: f64,
    findings: Findings,
    stopped: Option<&str>,
) -> Result<Value> {
    let mut history = std::mem::take(&mut begun.history);
    history.best_is(begun.journal.best().map(|best| best.epoch));
    let Begun { config, session, gpu, chosen, config_toml, trainer, journal, progress, board, .. } = begun;
    let folder = journal.folder();
    let summary = history.summary();
    let early = ended::early(journal, session.config.train.best, session.config.train.patience);
    let page = ended::page(trainer, journal, progress, history.last(), stopped.is_some());
    let about = About {
        title: folder.name(),
        session,
        chosen,
        config_toml: config_toml.clone(),
        gpu,
        timings: clock.laps,
        samples_per_second: speed,
        findings,
        note: note(stopped, early.as_deref(), refit::best(config, journal).map(|best| best.epoch)),
    };
    durable::write_bytes(&folder.report(), render(&history.report(about)).as_bytes())?;
    if arguments.json {
        return Ok(page);
    }
    if let Some(early) = early {
        progress.say(&format!("stopped   {early}"));
    }
    if let Some(summary) = summary {
        let speed = if speed > 0.0 { format!("; {} samples/s", rate(speed)) } else { String::new() };
        progress.say(&format!("{summary}{speed}"));
    }
    if progress.left_out() > 0 {
        progress.say(&format!("left out  {}", progress.left_out_in_words()));
    }
    progress.say(&format!("saved     {}", folder.model().display()));
    if let Some(best) = journal.best() {
        progress.say(&format!("best      {}: {}", folder.best().display(), ended::best(&best)));
    }
    progress.say(&format!("report    {}", folder.report().display()));
    if let Some(board) = board {
        progress.say(&format!("events    {}: tensorboard --logdir shows them", board.folder().display()));
    }
    Ok(page)
}

/// What the report says first.
fn note(stopped: Option<&str>, early: Option<&str>, refit: Option<u32>) -> Option<String> {
    let words = [
        stopped.map(|stopped| format!("Interrupted {stopped}.")),
        early.filter(|_| stopped.is_none()).map(|early| format!("Stopped {early}.")),
        refit.filter(|_| stopped.is_none()).map(|epochs| {
            format!(
                "In refit/, {} of training on all rows follow, those held back here too; no row is left to measure that model on.",
                plural(u64::from(epochs), "epoch")
            )
        }),
    ];
    let words: Vec<String> = words.into_iter().flatten().collect();
    (!words.is_empty()).then(|| words.join(" "))
}

/// The command that resumes a saved run.
fn same_command(arguments: &Train) -> &'static str {
    if arguments.fresh { "the same command without --fresh" } else { "the same command" }
}

/// Extends an error in the middle of a training: the row of the file, what is kept, and how to resume.
fn broken(error: Error, arguments: &Train, session: &Session, journal: &Journal) -> Stop {
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
    if let Some(update) = journal.kept() {
        words.push(format!("the checkpoint after update {update} is kept{on}"));
    }
    if journal.kept().is_none() {
        words.push("nothing was saved before".to_owned());
    }
    Stop::Broken(error, words.join("; "))
}

/// The row of its file of a row of the training data.
fn row_of_file(suspect: &Suspect, session: &Session) -> Option<String> {
    let (sample, path) = (suspect.sample?, &session.config.data.path);
    let at = session.prepared.row_of_file(sample as usize)?;
    let file = path.file_name().unwrap_or(path.as_os_str()).to_string_lossy();
    let (first, counted) = source_of(path).ok()?.numbering();
    Some(format!("row {sample} is row {} of {file}, {counted}", at + first))
}

fn begin_profile(arguments: &Train, trainer: &mut Trainer) -> Result<()> {
    if !arguments.is_timed() {
        return Ok(());
    }
    trainer.start_profile(if arguments.profile_trace.is_some() { profile::EVENTS } else { 0 })
}

/// Prints and writes the profile, as requested.
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::args::tests::parse;

    #[test]
    fn a_train_command_may_set_many_keys() {
        let line = "accrue train c.toml --out runs/a --set train.batch=8 --set optimizer.lr=-1 --adapter llvmpipe -q";
        let train: Train = parse(line).unwrap();
        assert_eq!(train.sets, ["train.batch=8", "optimizer.lr=-1"]);
        assert_eq!((train.config, train.out), ("c.toml".into(), "runs/a".into()));
        assert_eq!(train.common, Common { adapter: Some("llvmpipe".into()), quiet: true, passed_over: 0 });
    }
}
