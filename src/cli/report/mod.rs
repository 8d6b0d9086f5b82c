//! The run report: one HTML file that needs no network and no other file. Its small script only shows values on hover.
//!
//! [`render`] turns a [`Page`], plain data, into the page's text. It cannot fail: it leaves out what is missing, and says what
//! it could not draw.

mod answers;
mod chart;
mod columns;
mod confusion;
mod curves;
mod gallery;
mod importance;
mod metrics;
mod numbers;
mod roc;
mod scale;
mod text;
mod written;

use std::fmt::Write;

use text::{bytes, count, escape, number, seconds};

pub use answers::{Answers, ClassAnswer, ClassAnswers, NumberAnswers, Said};
pub use columns::ColumnRow;
pub use gallery::{Gallery, Picture};
pub use importance::{Importance, Measured};
pub use roc::MOST_CURVES;

pub use crate::run::{EpochPoint, UpdatePoint, Written};

/// Above this many epochs, the table shows only some of them.
const MOST_ROWS: usize = 60;

/// Everything that the page shows of a run.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Page {
    /// The run's name.
    pub title: String,
    /// The version of Accrue that made the run: `0.1.0`.
    pub version: String,
    /// The result in one line: `96.4 % validation accuracy after 30 epochs`.
    pub summary: Option<String>,
    /// What a reader should know first: the run was interrupted, or diverged.
    pub note: Option<String>,
    /// Every update, in order.
    pub updates: Vec<UpdatePoint>,
    /// Every finished epoch, in order.
    pub epochs: Vec<EpochPoint>,
    /// What the model says of the validation rows.
    pub answers: Option<Answers>,
    /// How much each column matters.
    pub importance: Option<Importance>,
    /// What the model wrote while it was trained.
    pub written: Vec<Written>,
    /// The columns of the table.
    pub columns: Vec<ColumnRow>,
    /// What there is to be said of the data, a line each.
    pub remarks: Vec<String>,
    /// The model's layers, in order.
    pub layers: Vec<LayerRow>,
    /// How it was trained: names and values, for people.
    pub facts: Vec<(String, String)>,
    /// The adapter: names and values, for people.
    pub adapter: Vec<(String, String)>,
    /// Phases and their seconds.
    pub timings: Vec<(String, f64)>,
    /// Training samples per second.
    pub samples_per_second: Option<f64>,
    /// The resolved config.
    pub config_toml: String,
}

/// One layer of the model.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct LayerRow {
    /// Its place in the model, as in the names of its parameters: `0`.
    pub name: String,
    /// Its kind: `linear`, `relu`.
    pub kind: String,
    /// What it makes of a sample: `28×28×16`.
    pub output: String,
    /// The number of its parameters.
    pub parameters: u64,
    /// The bytes of its parameters.
    pub bytes: u64,
    /// Multiplications for one sample.
    pub multiplications: u64,
    /// Bytes of what it makes of a sample.
    pub activation_bytes: u64,
}

/// The report as one HTML file.
pub fn render(report: &Page) -> String {
    let title = if report.title.trim().is_empty() { "Run" } else { &report.title };
    let mut page = format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
         <meta name=\"color-scheme\" content=\"light dark\">\n<title>{} · Accrue</title>\n\
         <link rel=\"icon\" href=\"data:,\">\n<style>\n{}</style>\n</head>\n<body>\n<main>\n",
        escape(title),
        include_str!("style.css")
    );
    header(&mut page, report, title);
    charts(&mut page, report);
    report.answers.iter().for_each(|answers| page.push_str(&answers::section(answers)));
    report.importance.iter().for_each(|importance| page.push_str(&importance::section(importance)));
    page.push_str(&written::section(&report.written));
    columns::details(&mut page, &report.columns, &report.remarks);
    epoch_table(&mut page, report);
    page.push_str("<div class=\"columns\">\n");
    model(&mut page, report);
    pairs(&mut page, "Adapter", &report.adapter);
    pairs(&mut page, "Training", &report.facts);
    timings(&mut page, report);
    page.push_str("</div>\n");
    if !report.config_toml.trim().is_empty() {
        let config = escape(report.config_toml.trim());
        let _ = writeln!(page, "<details><summary>Resolved config</summary>\n<pre>{config}</pre></details>");
    }
    let version = escape(&report.version);
    let _ =
        writeln!(page, "</main>\n<footer>Accrue {version}</footer>\n<script>\n{}</script>", include_str!("hover.js"));
    page + "</body>\n</html>\n"
}

fn header(page: &mut String, report: &Page, title: &str) {
    let _ = writeln!(page, "<header>\n<p class=\"kind\">Accrue run report</p>\n<h1>{}</h1>", escape(title));
    if let Some(summary) = &report.summary {
        let _ = writeln!(page, "<p class=\"summary\">{}</p>", escape(summary));
    }
    if let Some(note) = &report.note {
        let _ = writeln!(page, "<p class=\"note\" role=\"note\">{}</p>", escape(note));
    }
    page.push_str("</header>\n");
}

fn charts(page: &mut String, report: &Page) {
    match curves::loss(report) {
        Some(loss) => page.push_str(&loss.figure()),
        None => {
            let why = curves::not_drawn(report).unwrap_or("No update was made.".into());
            let _ = writeln!(page, "<section><h2>Loss</h2>\n<p class=\"remark\">{}</p></section>", escape(&why));
        }
    }
    let small: Vec<_> = metrics::metrics(report).into_iter().chain(curves::learning_rate(report)).collect();
    if !small.is_empty() {
        page.push_str("<div class=\"small\">\n");
        small.iter().for_each(|chart| page.push_str(&chart.figure()));
        page.push_str("</div>\n");
    }
}

/// The curves as numbers, to read or copy.
fn epoch_table(page: &mut String, report: &Page) {
    let Some(last) = report.epochs.last() else { return };
    let validated = report.epochs.iter().any(|e| e.val_loss.is_some());
    let mut head = vec!["epoch".to_string(), "update".into(), "training loss".into()];
    head.extend(validated.then(|| "validation loss".into()));
    head.extend(last.metrics.iter().map(|(name, value)| metrics::words(name, *value).0));
    let rows: Vec<Vec<String>> = curves::every(&report.epochs, MOST_ROWS)
        .map(|e| {
            let mut row = vec![e.epoch.to_string(), count(e.update), number(e.train_loss)];
            row.extend(validated.then(|| e.val_loss.map_or("–".into(), number)));
            let metric = |name: &str| e.metrics.iter().find(|m| m.0 == name);
            let shown = |m: &(String, f64)| metric(&m.0).map_or("–".into(), |m| metrics::words(&m.0, m.1).1);
            row.extend(last.metrics.iter().map(shown));
            row
        })
        .collect();
    page.push_str("<details><summary>Epochs in numbers</summary>\n");
    if rows.len() < report.epochs.len() {
        let (shown, all) = (rows.len(), count(report.epochs.len() as u64));
        let _ = writeln!(page, "<p class=\"remark\">{shown} of {all} epochs; metrics.jsonl has them all.</p>");
    }
    table(page, "Epochs in numbers", &head, 0, &rows, None);
    page.push_str("</details>\n");
}

fn model(page: &mut String, report: &Page) {
    if report.layers.is_empty() {
        return;
    }
    let some = |number: u64, text: fn(u64) -> String| if number == 0 { "–".into() } else { text(number) };
    let numbers = |parameters, size, multiplications, activation| {
        [some(parameters, count), some(size, bytes), some(multiplications, count), some(activation, bytes)]
    };
    let row = |l: &LayerRow| {
        let words = [l.name.clone(), l.kind.clone(), l.output.clone()];
        [words.to_vec(), numbers(l.parameters, l.bytes, l.multiplications, l.activation_bytes).to_vec()].concat()
    };
    let rows: Vec<Vec<String>> = report.layers.iter().map(row).collect();
    let total = |of: fn(&LayerRow) -> u64| report.layers.iter().map(of).fold(0, u64::saturating_add);
    let (parameters, size) = (total(|l| l.parameters), total(|l| l.bytes));
    let totals = numbers(parameters, size, total(|l| l.multiplications), total(|l| l.activation_bytes));
    let foot = [vec!["all".into(), String::new(), String::new()], totals.to_vec()].concat();
    page.push_str("<section><h2>Model</h2>\n");
    let head = ["layer", "kind", "output", "parameters", "size", "multiplications", "activation"].map(String::from);
    table(page, "Model", &head, 2, &rows, Some(&foot));
    page.push_str("</section>\n");
}

fn timings(page: &mut String, report: &Page) {
    let mut rows: Vec<(String, String)> =
        report.timings.iter().map(|(name, time)| (name.clone(), seconds(*time))).collect();
    let speed = report.samples_per_second.filter(|speed| speed.is_finite());
    rows.extend(speed.map(|speed| ("speed".to_string(), format!("{} samples/s", number(speed)))));
    pairs(page, "Timings", &rows);
}

fn pairs(page: &mut String, title: &str, rows: &[(String, String)]) {
    if rows.is_empty() {
        return;
    }
    let _ = writeln!(page, "<section><h2>{title}</h2>\n<dl>");
    for (name, value) in rows {
        let _ = writeln!(page, "<div><dt>{}</dt><dd>{}</dd></div>", escape(name), escape(value));
    }
    page.push_str("</dl></section>\n");
}

/// A table whose first `words` columns hold words and the others numbers.
fn table(page: &mut String, name: &str, head: &[String], words: usize, rows: &[Vec<String>], foot: Option<&[String]>) {
    let class = |column: usize| if column < words { "" } else { " class=\"n\"" };
    let cells = |cells: &[String], tag: &str, extra: &str| -> String {
        let cell = |(i, text): (usize, &String)| format!("<{tag}{extra}{}>{}</{tag}>", class(i), escape(text));
        cells.iter().enumerate().map(cell).collect()
    };
    let _ = writeln!(page, "<div class=\"wide\" role=\"region\" tabindex=\"0\" aria-label=\"{name}\"><table>");
    let _ = writeln!(page, "<thead><tr>{}</tr></thead>\n<tbody>", cells(head, "th", " scope=\"col\""));
    for row in rows {
        let _ = writeln!(page, "<tr>{}</tr>", cells(row, "td", ""));
    }
    page.push_str("</tbody>\n");
    if let Some(foot) = foot {
        let _ = writeln!(page, "<tfoot><tr>{}</tr></tfoot>", cells(foot, "td", ""));
    }
    page.push_str("</table></div>\n");
}

#[cfg(test)]
mod tests;
