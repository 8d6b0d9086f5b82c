//! The second training of `train.refit`: on all rows, for as many epochs as the best one had.

use std::ops::ControlFlow;

use serde_json::{Value, json};

use super::{Begun, Train, same_command};
use crate::Result;
use crate::cli::exit::Stop;
use crate::cli::progress::Progress;
use crate::cli::summary::plural;
use crate::recipe::Config;
use crate::run::{Best, Journal, Options};
use crate::train::metrics::Metric;
use crate::train::{Event, Outcome};
use crate::window::Windows;

/// The best epoch, if one was found and the configuration wants that training.
pub(super) fn best(config: &Config, journal: &Journal) -> Option<Best> {
    journal.best().filter(|_| config.train.refit)
}

/// Trains again, if the configuration wants that and a best epoch was found, and adds what it left to the page for programs.
/// Returns where it was interrupted, if it was.
pub(super) fn train(begun: Begun, arguments: &Train, page: &mut Value) -> Result<Option<String>, Stop> {
    let Some(best) = best(&begun.config, &begun.journal) else { return Ok(None) };
    let (rows, updates) = length(&begun, best.epoch)?;
    let Begun { config, session, gpu, trainer, journal, progress, pressed, .. } = begun;
    // Both trainers at once would need more memory than was said.
    drop((session, trainer));
    progress.finish();
    let epochs = plural(u64::from(best.epoch), "epoch");
    progress.say(&format!("refit     {epochs} on all {rows} rows"));

    let quiet = arguments.common.quiet || arguments.json;
    let mut again = Progress::new(updates, best.epoch, Metric::Loss, quiet);
    let options = Options { stop: pressed, ..arguments.options() };
    let (folder, mut made) = (journal.folder(), 0);
    let trained = config.refit(&best, &gpu, folder, &options, &mut |event| {
        if let Event::Update { update, .. } = event {
            made = update.update;
            again.event(event);
        }
        ControlFlow::Continue(())
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
