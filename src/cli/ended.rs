//! How a training ended, in words and for programs.

use serde_json::{Map, Value, json};

use super::progress::{Progress, number};
use super::report::EpochPoint;
use super::summary::plural;
use crate::run::{Best, Journal};
use crate::train::Trainer;
use crate::train::metrics::Metric;

/// Why a training ended early: `after epoch 37: no better val_loss for 20 epochs`.
pub fn early(journal: &Journal, metric: Metric, patience: Option<u32>) -> Option<String> {
    let (epoch, patience) = (journal.early()?, patience?);
    let epochs = plural(u64::from(patience), "epoch");
    Some(format!("after epoch {epoch}: no better val_{} for {epochs}", metric.name()))
}

/// The best epoch: `val_loss 0.0647 after epoch 7`.
pub fn best(best: &Best) -> String {
    format!("val_{} {} after epoch {}", best.metric.name(), number(best.value), best.epoch)
}

/// What a training leaves, as one JSON object.
pub fn page(
    trainer: &Trainer,
    journal: &Journal,
    progress: &Progress,
    last: Option<&EpochPoint>,
    interrupted: bool,
) -> Value {
    let outcome = match (interrupted, journal.early()) {
        (true, _) => "interrupted",
        (false, Some(_)) => "early",
        (false, None) => "done",
    };
    let folder = journal.folder();
    let best = journal.best();
    let files = [
        ("model", Some(folder.model())),
        ("best", best.map(|_| folder.best())),
        ("metrics", Some(folder.metrics())),
        ("report", Some(folder.report())),
    ];
    let [without_weight, not_finite] = progress.left_out_by_reason();
    json!({
        "outcome": outcome,
        "run": folder.path(),
        "updates": trainer.updates(),
        "last": last.map(epoch),
        "best": best.as_ref().map(best_page),
        "left_out": { "without_weight": without_weight, "not_finite": not_finite },
        "samples_per_second": progress.samples_per_second(),
        "files": files.into_iter().map(|(name, path)| (name.to_owned(), json!(path))).collect::<Map<_, _>>(),
    })
}

/// The best epoch for programs.
pub fn best_page(best: &Best) -> Value {
    let name = format!("val_{}", best.metric.name());
    json!({ "epoch": best.epoch, "update": best.update, "metric": name, "value": best.value })
}

fn epoch(point: &EpochPoint) -> Value {
    let mut page = Map::new();
    page.insert("epoch".to_owned(), json!(point.epoch));
    page.insert("train_loss".to_owned(), json!(point.train_loss));
    page.insert("val_loss".to_owned(), json!(point.val_loss));
    page.extend(point.metrics.iter().map(|(name, value)| (name.clone(), json!(value))));
    Value::Object(page)
}
