//! A configuration for a table or a folder of images, made by looking at it.

mod columns;
mod defaults;
mod images;

use std::path::Path;

use toml::Value;

pub use images::propose_images;

use super::config::{Data, Validation};
use crate::data::table::{Found, FoundTarget, Header, Reading, Scaling, Separator, look, open};
use crate::quote::{short, shown};
use crate::{Error, Result};

/// A configuration for data.
#[derive(Clone, Debug, PartialEq)]
pub struct Proposal {
    /// The configuration, with comments.
    pub toml: String,
    /// What should be told of the data, a line each.
    pub remarks: Vec<String>,
}

/// Looks at a table, and proposes a configuration that fits it: the kind of each column, the loss, and the training that was
/// found good for tables of its size. All that is decided stands in it.
///
/// `data` names path and target, and overrules what is found by looking; `path` is the path as it is to be written.
///
/// # Errors
/// Those of [`open`] and [`look`].
pub fn propose(data: &Data, path: &Path) -> Result<Proposal> {
    let reading = data.reading();
    let mut wanted = data.wanted(None);
    wanted.scale = Scaling::Robust;
    let found = look(&mut || open(&data.path, &reading), &wanted)?;
    let read = open(&data.path, &reading)?.found().unwrap_or_default();
    let mut data = data.clone();
    if found.rows < FEW {
        data.validation = Validation::Share(0.0);
    }
    let data = &data;
    let toml = [
        header(&format!("A table of {} rows", found.rows)),
        section(data, path, &found, &read)?,
        columns::section(&found),
        defaults::sections(&found, &data.validation),
    ];
    Ok(Proposal { toml: toml.concat(), remarks: found.remarks })
}

/// The lines before all sections, for data that is so in a few words.
fn header(what: &str) -> String {
    format!(
        "# {what}, as `accrue init` found it. `accrue init -` shows every key that there is; any key can be\n\
         # set for one run: `--set train.epochs=20`. Paths are relative to this file.\n\n"
    )
}

/// The section `[data]`, without the columns.
fn section(data: &Data, path: &Path, found: &Found, read: &Reading) -> Result<String> {
    let internal = |error| Error::Internal(format!("a section that cannot be written as TOML: {error}"));
    let Value::Table(mut given) = Value::try_from(data).map_err(internal)? else { return Ok(String::new()) };
    let target = given.remove("target").map_or_else(String::new, |target| target.to_string());
    let mut lines = vec![
        "[data]\n".to_owned(),
        line("path", text(&path.to_string_lossy()), ""),
        line("target", target, &about(&found.target)),
    ];
    let said = ["path", "columns", "validation", "split", "standardize"];
    lines
        .extend(given.iter().filter(|(key, _)| !said.contains(&key.as_str())).map(|(key, value)| line(key, value, "")));
    if let (None, Some(Header::Present(false))) = (&data.header, &read.header) {
        lines.push(line("header", false, "found by looking: the first row is data"));
    }
    if let Some(separator) = read.likely.filter(|separator| *separator != Separator::Comma) {
        let name = Value::try_from(separator).map_err(internal)?;
        lines.push(line("separator", name, "what stands between the cells; found by looking"));
    }
    let validation = given.get("validation").map_or_else(String::new, Value::to_string);
    lines.push(line(
        "validation",
        validation,
        "share of the rows held back to measure on, and to choose the best epoch by",
    ));
    let (split, how) = match (given.get("split"), &found.target, &found.groups) {
        (Some(split), ..) => (split.to_string(), "how they are chosen"),
        (None, _, Some(_)) => (text("group"), "how they are chosen: whole groups"),
        (None, FoundTarget::Classes { .. }, None) => {
            (text("stratified"), "the same share of each class; \"last\" for time")
        }
        (None, ..) => (text("random"), "how they are chosen; \"last\" for time"),
    };
    lines.push(line("split", split, how));
    lines.push(line("standardize", text("robust"), "numbers by median and quartiles, far values drawn in smoothly"));
    Ok(lines.concat())
}

/// A table of fewer rows has none to hold back.
const FEW: usize = 10;

/// What a target is, in a few words.
fn about(target: &FoundTarget) -> String {
    match target {
        FoundTarget::Nothing => String::new(),
        FoundTarget::Numbers { why, .. } => format!("a number: {why}"),
        FoundTarget::Classes { classes, counts, .. } => {
            let few = classes.iter().zip(counts).take(4).map(|(class, count)| format!("{} {count}", short(class)));
            let few: Vec<String> = few.collect();
            let more = if classes.len() > 4 { ", …" } else { "" };
            format!("{} classes: {}{more}", classes.len(), few.join(", "))
        }
    }
}

/// A text as TOML.
fn text(text: &str) -> String {
    Value::String(text.to_owned()).to_string()
}

/// `key = value  # about`
fn line(key: &str, value: impl std::fmt::Display, about: &str) -> String {
    section_of(&[(set(key, value), about.to_owned())])
}

/// `key = value`
fn set(key: &str, value: impl std::fmt::Display) -> String {
    let bare = !key.is_empty() && key.chars().all(|letter| letter.is_ascii_alphanumeric() || "_-".contains(letter));
    let key = if bare { key.to_owned() } else { text(key) };
    format!("{key} = {value}")
}

/// Lines with what is to be said about each, below each other.
fn section_of(lines: &[(String, String)]) -> String {
    let widths = lines.iter().map(|(set, _)| set.chars().count()).filter(|&width| width <= WIDEST);
    let width = widths.max().unwrap_or(0).max(NARROWEST);
    let line = |(set, about): &(String, String)| {
        let about: String = about.chars().map(|letter| if letter.is_control() { ' ' } else { letter }).collect();
        if about.is_empty() { format!("{set}\n") } else { format!("{set:<width$} # {about}\n") }
    };
    lines.iter().map(line).collect()
}

/// Where comments begin: at the least, and at the most.
const NARROWEST: usize = 25;
const WIDEST: usize = 48;

/// A few texts, shortened.
fn few<'a>(texts: impl Iterator<Item = &'a str>, most: usize) -> String {
    let texts: Vec<String> = texts.map(shown).collect();
    let more = if texts.len() > most { ", …" } else { "" };
    texts[..texts.len().min(most)].join(", ") + more
}
