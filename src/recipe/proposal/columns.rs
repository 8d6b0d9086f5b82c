//! The section `[data.columns]`: each column, what it is taken for, and what becomes of it.

use super::{few, section_of, set, text};
use crate::data::table::{Found, FoundColumn, Kind, Use};

/// The section; empty where no column has a kind to choose.
pub(super) fn section(found: &Found) -> String {
    let lines = found.columns.iter().filter(|column| matches!(column.role, Use::Feature | Use::Out));
    let lines = lines.map(|column| (set(&column.name, text(column.kind.name())), about(column)));
    let lines = section_of(&lines.collect::<Vec<_>>());
    if lines.is_empty() {
        return String::new();
    }
    let kinds = "number, category, boolean, date, text or drop";
    format!("\n[data.columns]            # what each column is taken for: {kinds}\n{lines}")
}

/// What a column holds and what becomes of it.
fn about(column: &FoundColumn) -> String {
    let levels = || {
        let (count, more) = (column.distinct, if column.more { " or more" } else { "" });
        format!("{count}{more} levels: {}", few(column.examples.iter().map(String::as_str), 4))
    };
    let holds = match (column.role, column.kind) {
        (Use::Out, _) => return format!("left out: {}", column.why),
        (_, Kind::Category | Kind::Boolean) => levels(),
        (_, Kind::Number) => match column.range {
            Some((low, high)) if low == high => format!("always {low}"),
            Some((low, high)) => format!("{low} to {high}"),
            None => column.why.clone(),
        },
        _ => column.why.clone(),
    };
    match (column.missing, column.kind) {
        (0, _) => holds,
        (missing, Kind::Number | Kind::Date) => {
            format!("{holds}; {missing} missing: the median, and a feature that says so")
        }
        (missing, _) => format!("{holds}; {missing} missing: a level of its own"),
    }
}
