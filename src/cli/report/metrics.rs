//! The charts over epochs: one for each metric.

use super::chart::{Chart, Line, Mark};
use super::curves::{MOST_SAID, every, say};
use super::scale::{Axis, Scale};
use super::text::{number, percent};
use super::{EpochPoint, Page};

/// One chart per metric; the same metric of training and validation shares one.
pub fn metrics(report: &Page) -> Vec<Chart> {
    let mut names: Vec<&str> = Vec::new();
    for (name, _) in report.epochs.iter().flat_map(|e| &e.metrics) {
        if !names.contains(&base(name)) {
            names.push(base(name));
        }
    }
    names.iter().enumerate().filter_map(|(place, name)| metric(&report.epochs, place, name)).collect()
}

fn metric(epochs: &[EpochPoint], place: usize, name: &str) -> Option<Chart> {
    let line = |part: Part| {
        let points = epochs.iter().filter_map(|e| Some((f64::from(e.epoch), value(e, part, name)?)));
        Line::new(part.name(), part.class(), part.mark(), points)
    };
    let lines: Vec<Line> = PARTS.into_iter().map(line).filter(|line| !line.points.is_empty()).collect();
    let all = lines.iter().flat_map(|line| line.points.iter().map(|p| p.1));
    let span = |line: &Line| {
        let (first, last) = (line.points.first()?, line.points.last()?);
        Some(format!("{} goes from {} to {}.", line.name, show(name, first.1), show(name, last.1)))
    };
    let spans: Vec<String> = lines.iter().filter_map(span).collect();
    Some(Chart {
        id: format!("metric-{place}"),
        title: heading(name),
        description: format!("{} after each epoch: {}", heading(name), spans.join(" ")),
        x_name: "epoch",
        x: Scale::of_counts(epochs.first()?.epoch.into(), epochs.last()?.epoch.into()),
        y: Scale::of_values(all, if is_share(name) { Axis::Share } else { Axis::Value })?,
        upper: None,
        said: every(epochs, MOST_SAID).map(|e| (f64::from(e.epoch), say_epoch(e, name))).collect(),
        at_rest: None,
        lines,
        remark: String::new(),
    })
}

fn say_epoch(e: &EpochPoint, name: &str) -> String {
    let of = |part: Part| Some(format!("{} {}", part.name(), show(name, value(e, part, name)?)));
    say("epoch", e.epoch.into(), PARTS.into_iter().filter_map(of).collect::<Vec<_>>().join(" · "))
}

/// A metric's name and value in words, for tables: `validation accuracy`, `96.4 %`.
pub fn words(name: &str, value: f64) -> (String, String) {
    let (part, base) = split(name);
    let metric = if is_share(base) { base.replace('_', " ") } else { heading(base) };
    let name = if part == Part::Whole { metric } else { format!("{} {metric}", part.name()) };
    (name, show(base, value))
}

/// Whether the metric is to be low.
pub fn is_error(name: &str) -> bool {
    ["loss", "log_loss", "perplexity", "rmse", "mae"].contains(&base(name))
}

/// The difference of two values of a metric.
pub fn difference(name: &str, value: f64) -> String {
    show(base(name), value)
}

const PARTS: [Part; 3] = [Part::Train, Part::Validation, Part::Whole];

/// The rows that a metric was measured on.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Part {
    Train,
    Validation,
    Whole,
}

impl Part {
    fn name(self) -> &'static str {
        match self {
            Self::Train => "training",
            Self::Validation => "validation",
            Self::Whole => "value",
        }
    }

    fn class(self) -> &'static str {
        if self == Self::Train { "train" } else { "validation" }
    }

    fn mark(self) -> Mark {
        if self == Self::Train { Mark::Disc } else { Mark::Square }
    }
}

/// `val_accuracy` is `accuracy` measured on the validation rows.
fn split(name: &str) -> (Part, &str) {
    let parts = [("val_", Part::Validation), ("train_", Part::Train)];
    let found = parts.into_iter().find_map(|(prefix, part)| Some((part, name.strip_prefix(prefix)?)));
    found.unwrap_or((Part::Whole, name))
}

/// The metric without the rows that it was measured on.
fn base(name: &str) -> &str {
    split(name).1
}

/// A metric's name as a heading.
fn heading(base: &str) -> String {
    match base {
        "accuracy" => "Accuracy".into(),
        "balanced_accuracy" => "Balanced accuracy".into(),
        "f1" => "F1".into(),
        "auc" => "ROC AUC".into(),
        "log_loss" => "Log loss".into(),
        "perplexity" => "Perplexity".into(),
        "mae" => "MAE".into(),
        "rmse" => "RMSE".into(),
        "r2" => "R²".into(),
        other => other.into(),
    }
}

/// Whether the metric is a share of one.
fn is_share(base: &str) -> bool {
    base.ends_with("accuracy")
}

fn show(base: &str, value: f64) -> String {
    if is_share(base) { percent(value) } else { number(value) }
}

fn value(e: &EpochPoint, part: Part, base: &str) -> Option<f64> {
    e.metrics.iter().find(|(name, _)| split(name) == (part, base)).map(|(_, value)| *value)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(metrics: &[(&str, f64)]) -> Page {
        let metrics: Vec<(String, f64)> = metrics.iter().map(|(name, value)| (name.to_string(), *value)).collect();
        let epoch = |epoch| EpochPoint { epoch, metrics: metrics.clone(), ..EpochPoint::default() };
        Page { epochs: (1..4).map(epoch).collect(), ..Page::default() }
    }

    #[test]
    fn training_and_validation_of_one_metric_share_a_chart() {
        let charts = metrics(&epochs(&[("val_accuracy", 0.9), ("train_accuracy", 0.95), ("val_r2", 0.5)]));
        let shown: Vec<(&str, usize)> = charts.iter().map(|c| (c.title.as_str(), c.lines.len())).collect();
        assert_eq!(shown, [("Accuracy", 2), ("R²", 1)]);
        let said = charts[0].said.last().map(|s| s.1.replace('\u{202f}', " "));
        assert_eq!(said.as_deref(), Some("epoch 3 · training 95.0 % · validation 90.0 %"));
    }

    #[test]
    fn a_metric_without_any_finite_value_has_no_chart() {
        assert!(metrics(&epochs(&[("val_r2", f64::NAN)])).is_empty());
    }

    #[test]
    fn an_unknown_metric_keeps_its_name() {
        assert_eq!(words("top5", 0.5), ("top5".into(), "0.5000".into()));
        assert_eq!(words("val_rmse", 2.0), ("validation RMSE".into(), "2.000".into()));
    }
}
