//! The second training of `train.refit`: on all rows, for as many epochs as the best one had.

use std::ops::ControlFlow;
use std::sync::atomic::Ordering;

use serde_json::{Value, json};

use super::{Begun, Train, same_command};
use crate::Result;
use crate::cli::exit::Stop;
use crate::cli::progress::Progress;
use crate::cli::summary::plural;
use crate::recipe::Config;
use crate::run::{Journal, Options};
use crate::train::metrics::Metric;
use crate::train::{Event, Outcome};
use crate::window::Windows;

/// The epochs of that training, if the configuration wants it and a best epoch was found.
pub(super) fn epochs(config: &Config, journal: &Journal) -> Option<u32> {
    journal.best().filter(|_| config.train.refit).map(|best| best.epoch)
}

/// Trains again, if the configuration wants that and a best epoch was found, and adds what it left to the page for programs.
/// Returns where it was interrupted, if it was.
pub(super) fn train(begun: Begun, arguments: &Train, page: &mut Value) -> Result<Option<String>, Stop> {
    let Some(best) = begun.journal.best().filter(|_| begun.config.train.refit) else { return Ok(None) };
    let (rows, updates) = length(&begun, best.epoch)?;
    let Begun { config, session, gpu, trainer, journal, progress, pressed, .. } = begun;
    // Both trainers at once would need more memory than was said.
    drop((session, trainer));
    progress.finish();
    let epochs = plural(u64::from(best.epoch), "epoch");
    progress.say(&format!("refit     {epochs} on all {rows} rows"));

    let quiet = arguments.common.quiet || arguments.json;
    let mut again = Progress::new(updates, best.epoch, Metric::Loss, quiet);
    let options = Options { stop: pressed.clone(), ..arguments.options() };
    let (folder, mut made) = (journal.folder(), 0);
    let trained = config.refit(&best, &gpu, folder, &options, &mut |event| {
        if let Event::Update { update, .. } = event {
            made = update.update;
            again.event(event);
        }
        if pressed.load(Ordering::Relaxed) { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    again.finish();
    let finished = trained.map_err(|error| {
        let kept = folder.best().display().to_string();
        Stop::Broken(error, format!("{kept} is kept; {} goes on", same_command(arguments)))
    })?;
    let model = folder.refit().model();
    page["refit"] = json!({ "epochs": best.epoch, "rows": rows, "model": model });
    if finished.outcome == Outcome::Stopped {
        page["outcome"] = json!("interrupted");
        return Ok(Some(format!("after update {made} of {updates} of the training on all rows")));
    }
    again.say(&format!("saved     {}: the model that the other commands take", model.display()));
    Ok(None)
}

/// The rows to train on, and the number of updates.
fn length(begun: &Begun, epochs: u32) -> Result<(usize, u64)> {
    let (prepared, cut) = (&begun.session.prepared, &begun.session.cut);
    let rows = prepared.train.rows() + prepared.validation.as_ref().map_or(0, |held| held.rows());
    let windows = Windows::new(rows, epochs, cut.batches.clone(), begun.config.train.tail)?;
    Ok((rows, windows.updates()))
}
