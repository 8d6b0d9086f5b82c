//! What was noticed while the rows of a table were prepared for a model, in words.

use serde_json::{Value, json};

use super::summary::plural;
use crate::data::table::Counts;
use crate::nn::ModelFile;
use crate::quote::shown;

/// A line for each thing: rows that are left out, cells that were filled, levels that training did not see.
pub fn lines(saved: &ModelFile, counts: &Counts) -> Vec<String> {
    let mut lines = Vec::new();
    for (count, what) in [(counts.without_target, "no target"), (counts.incomplete, "a missing feature")] {
        if count > 0 {
            lines.push(format!("{} left out, with {what}", plural(count, "row")));
        }
    }
    for (name, missing, unseen) in columns(saved, counts) {
        if missing > 0 {
            lines.push(format!("{} of {} missing, and filled as in training", plural(missing, "cell"), shown(name)));
        }
        if unseen > 0 {
            let levels = format!("{} of {}", plural(unseen, "cell"), shown(name));
            lines.push(format!("{levels} with a level that was rare or not seen in training: taken as any other"));
        }
    }
    lines
}

/// The same for programs: rows left out, and per column the cells that were missing or had a level that is not known.
pub fn page(saved: &ModelFile, counts: &Counts) -> Value {
    let columns: serde_json::Map<String, Value> = columns(saved, counts)
        .filter(|&(_, missing, unseen)| missing + unseen > 0)
        .map(|(name, missing, unseen)| (name.to_owned(), json!({ "missing": missing, "unseen": unseen })))
        .collect();
    json!({ "without_target": counts.without_target, "incomplete": counts.incomplete, "columns": columns })
}

fn columns<'a>(saved: &'a ModelFile, counts: &'a Counts) -> impl Iterator<Item = (&'a str, u64, u64)> {
    let columns = saved.preparation.iter().flat_map(|preparation| &preparation.columns);
    columns.zip(counts.missing.iter().zip(&counts.unseen)).map(|(c, (&missing, &unseen))| (&*c.name, missing, unseen))
}
