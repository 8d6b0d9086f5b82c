//! The metrics of an evaluation, for people and for programs.

use serde_json::{Map, Value, json};

use super::columns::columns;
use super::progress::{metric, number};
use crate::nn::TargetNames;
use crate::train::metrics::{ClassMetrics, Classes, Detail, Evaluation, NumberMetrics};

/// The most classes or outputs with a line of their own.
const MOST_LINES: usize = 50;

/// The most classes of which the confusion matrix is printed.
const MOST_CONFUSED: usize = 10;

/// The lines for people: the metrics, then those of each class or output.
pub fn lines(evaluation: &Evaluation, target: &TargetNames) -> Vec<String> {
    let mut lines = vec![format!("loss {:.6}", evaluation.loss)];
    lines.extend(evaluation.metrics.iter().map(|(name, value)| format!("{name} {}", metric(name, *value))));
    match (&evaluation.detail, target) {
        (Detail::Classes(found), TargetNames::Classes { classes, .. }) => {
            lines.extend(class_lines(&found.each, classes));
            lines.extend(confusion(found, classes));
        }
        (Detail::Numbers(each), TargetNames::Values { names, .. }) if each.len() > 1 => {
            lines.extend(output_lines(each, names));
        }
        _ => {}
    }
    lines
}

fn class_lines(each: &[ClassMetrics], classes: &[String]) -> Vec<String> {
    let head = ["class", "precision", "recall", "f1", "rows"].map(str::to_owned).to_vec();
    let line = |(of, class): (&ClassMetrics, &String)| {
        let shares = [of.precision, of.recall, of.f1].map(|share| format!("{share:.4}"));
        [&[class.clone()][..], &shares, &[weight(of.support)]].concat()
    };
    table(head, each.iter().zip(classes).map(line).collect())
}

fn output_lines(each: &[NumberMetrics], names: &[String]) -> Vec<String> {
    let head = ["output", "rmse", "mae", "r2"].map(str::to_owned).to_vec();
    let line =
        |(of, name): (&NumberMetrics, &String)| vec![name.clone(), number(of.rmse), number(of.mae), number(of.r2)];
    table(head, each.iter().zip(names).map(line).collect())
}

fn table(head: Vec<String>, rows: Vec<Vec<String>>) -> Vec<String> {
    let all = rows.len();
    let shown: Vec<Vec<String>> = [head].into_iter().chain(rows.into_iter().take(MOST_LINES)).collect();
    let mut lines = columns(1, &shown);
    if all > MOST_LINES {
        lines.push(format!("… {} more; --json lists all", all - MOST_LINES));
    }
    lines
}

/// The confusion matrix, a line for each class and a column for each that it was taken for.
fn confusion(found: &Classes, classes: &[String]) -> Vec<String> {
    let Some(matrix) = found.confusion.as_ref().filter(|matrix| matrix.len() <= MOST_CONFUSED) else {
        return Vec::new();
    };
    let head = ["true \\ predicted".to_owned()].into_iter().chain(classes.iter().cloned()).collect();
    let line = |(row, class): (&Vec<f64>, &String)| {
        [class.clone()].into_iter().chain(row.iter().map(|&cell| weight(cell))).collect()
    };
    table(head, matrix.iter().zip(classes).map(line).collect())
}

/// The weight of some rows: their number, if all weigh 1.
fn weight(of: f64) -> String {
    if of == of.round() { format!("{of:.0}") } else { number(of) }
}

/// The same for programs. A metric that is no number is null.
pub fn page(evaluation: &Evaluation, target: &TargetNames) -> Map<String, Value> {
    let metrics: Map<String, Value> =
        evaluation.metrics.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
    let mut page = Map::new();
    page.insert("loss".to_owned(), json!(evaluation.loss));
    page.insert("metrics".to_owned(), Value::Object(metrics));
    match (&evaluation.detail, target) {
        (Detail::Classes(found), TargetNames::Classes { classes, .. }) => {
            page.insert("classes".to_owned(), named("class", classes, &found.each));
            page.insert("confusion".to_owned(), json!(found.confusion));
        }
        (Detail::Numbers(each), TargetNames::Values { names, .. }) => {
            page.insert("outputs".to_owned(), named("output", names, each));
        }
        _ => {}
    }
    page
}

/// An object for each part of the target: its name and its metrics.
fn named(what: &str, names: &[String], each: &[impl serde::Serialize]) -> Value {
    let one = |(name, of): (&String, _)| {
        let mut object = Map::from_iter([(what.to_owned(), json!(name))]);
        if let Value::Object(metrics) = json!(of) {
            object.extend(metrics);
        }
        Value::Object(object)
    };
    names.iter().zip(each).map(one).collect()
}
