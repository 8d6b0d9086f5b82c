//! What becomes of each column, as Python.

use crate::data::table::{Column, Dialect, Encoding, Kind, Missing, Preparation, Scale};
use crate::export::places;

/// Most letters of a line, as long as the parts of it are short.
const WIDTH: usize = 110;

/// The table `COLUMNS`, in the order of the features.
pub fn columns(preparation: &Preparation) -> String {
    let mut columns: Vec<_> = preparation.columns.iter().zip(places(preparation)).collect();
    columns.sort_by_key(|(_, places)| places.start);
    let line = |(column, _): &(&Column, _)| {
        format!("    {}: {},\n", text(&column.name), encoding(column, preparation.missing))
    };
    let lines: String = columns.iter().map(line).collect();
    format!("# What becomes of each column, in the order of the features.\nCOLUMNS = {{\n{lines}}}\n")
}

/// The expression that makes the encoding of a column.
fn encoding(column: &Column, missing: Missing) -> String {
    let boolean = (column.kind == Kind::Boolean).then(|| "boolean=True".to_owned());
    let flag = |name: &str, is: bool| is.then(|| format!("{name}=True"));
    let fill = |fill: f64| (missing != Missing::Error).then_some(fill);
    let levels = |levels: &[String]| list(levels.iter().map(|level| text(level)), 4);
    match &column.encoding {
        Encoding::Number { dialect, fill: number, indicator, scale } => {
            call("Number", scaled(scale, fill(*number), *indicator).into_iter().chain(spelled(dialect)))
        }
        Encoding::Date { fill: days, indicator, scale, cycles } => {
            let cycles: Vec<String> = cycles.iter().map(|cycle| text(cycle.name())).collect();
            let cycles = (!cycles.is_empty()).then(|| format!("cycles=[{}]", cycles.join(", ")));
            call("Date", scaled(scale, fill(*days), *indicator).into_iter().chain(cycles))
        }
        Encoding::Pair { levels: pair } => call("Pair", [Some(levels(pair)), boolean].into_iter().flatten()),
        Encoding::OneHot { levels: all, other, missing } => {
            let parts = [Some(levels(all)), flag("other", *other), flag("missing", *missing), boolean];
            call("OneHot", parts.into_iter().flatten())
        }
        Encoding::Index { levels: all, other, missing, fallback, .. } => {
            let fallback = Some(format!("fallback={fallback}"));
            let parts = [Some(levels(all)), fallback, flag("other", *other), flag("missing", *missing), boolean];
            call("Index", parts.into_iter().flatten())
        }
    }
}

fn call(class: &str, parts: impl Iterator<Item = String>) -> String {
    format!("{class}({})", parts.collect::<Vec<String>>().join(", "))
}

fn scaled(scale: &Scale, fill: Option<f64>, indicator: bool) -> Vec<String> {
    let numbers = [("center", Some(scale.center)), ("factor", Some(scale.factor)), ("fill", fill)];
    let numbers = numbers.into_iter().filter_map(|(name, number)| Some(format!("{name}={:?}", number?)));
    let mut parts: Vec<String> = numbers.collect();
    let flags = [("clip", scale.clip), ("indicator", indicator)];
    parts.extend(flags.iter().filter(|(_, is)| *is).map(|(name, _)| format!("{name}=True")));
    parts
}

/// How numbers are written, where it is not the usual way.
fn spelled(dialect: &Dialect) -> Vec<String> {
    let decimal = (dialect.decimal != '.').then_some(("decimal", dialect.decimal));
    let signs = [decimal, dialect.thousands.map(|sign| ("thousands", sign)), dialect.sign.map(|sign| ("sign", sign))];
    signs.into_iter().flatten().map(|(name, sign)| format!("{name}={}", text(&sign.to_string()))).collect()
}

/// A text as Python writes it: JSON writes it so, too.
pub fn text(text: &str) -> String {
    serde_json::Value::from(text).to_string()
}

/// A list, in several lines where it is long; `indent` is that of its line.
pub fn list(items: impl Iterator<Item = String>, indent: usize) -> String {
    let items: Vec<String> = items.collect();
    let line = items.join(", ");
    if line.chars().count() < WIDTH {
        return format!("[{line}]");
    }
    let inner = " ".repeat(indent + 4);
    let mut lines: Vec<String> = Vec::new();
    for item in items {
        match lines.last_mut() {
            Some(line) if line.chars().count() + item.chars().count() <= WIDTH => *line += &format!(" {item},"),
            _ => lines.push(format!("{item},")),
        }
    }
    let lines: String = lines.iter().map(|line| format!("{inner}{line}\n")).collect();
    format!("[\n{lines}{}]", " ".repeat(indent))
}
