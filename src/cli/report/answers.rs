//! What the model says of the validation rows: for classes a confusion matrix and ROC curves, for numbers each target's
//! predictions and residuals.

use std::fmt::Write;

use super::chart::Chart;
use super::gallery::{self, Gallery};
use super::text::{count, escape};
use super::{confusion, numbers, roc};

/// What the model says of the validation rows.
#[derive(Clone, Debug, PartialEq)]
pub struct Answers {
    /// Which model it is: `The best model, after epoch 12`.
    pub model: String,
    /// How many rows there are.
    pub rows: usize,
    /// What it says.
    pub said: Said,
    /// The images among them that it misjudges.
    pub gallery: Option<Gallery>,
}

/// What a model says of rows.
#[derive(Clone, Debug, PartialEq)]
pub enum Said {
    /// The class of each row.
    Classes(ClassAnswers),
    /// Numbers, for each target.
    Numbers(Vec<NumberAnswers>),
}

/// The classes of rows.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassAnswers {
    /// The classes, by their numbers.
    pub classes: Vec<String>,
    /// The rows.
    pub rows: Vec<ClassAnswer>,
}

/// The class of a row.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct ClassAnswer {
    /// What it is.
    pub class: u32,
    /// What the model says.
    pub said: u32,
    /// How much the row counts.
    pub weight: f64,
    /// The logarithms of the odds of classes: of the second alone for two classes, of each for a few, of none for many.
    pub odds: Vec<f64>,
}

/// The numbers of a target.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct NumberAnswers {
    /// The target.
    pub name: String,
    /// For each row what is true and what the model says, in the target's unit.
    pub rows: Vec<(f64, f64)>,
}

/// The section of the page.
pub fn section(answers: &Answers) -> String {
    let rows = if answers.rows == 1 { "row" } else { "rows" };
    let head = format!("{} on {} validation {rows}.", answers.model, count(answers.rows as u64));
    let mut html =
        format!("<section class=\"answers\"><h2>Predictions</h2>\n<p class=\"remark\">{}</p>\n", escape(&head));
    let (wide, small) = match &answers.said {
        Said::Classes(classes) => {
            let roc: String = roc::chart(classes).iter().map(Chart::figure).collect();
            let confusion = confusion::figure(classes);
            if confusion::is_small(classes) { (String::new(), confusion + &roc) } else { (confusion, roc) }
        }
        Said::Numbers(targets) => (String::new(), numbers::charts(targets).iter().map(Chart::figure).collect()),
    };
    html += &wide;
    if !small.is_empty() {
        let _ = writeln!(html, "<div class=\"small\">\n{small}</div>");
    }
    answers.gallery.iter().for_each(|gallery| html += &gallery::figure(gallery));
    html + "</section>\n"
}
