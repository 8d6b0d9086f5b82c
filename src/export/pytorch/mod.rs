//! A model as a program in Python: the network as a module of PyTorch, and all that is done to raw cells.
//!
//! The program is put together from the files beside this one, and what follows from the model is written between them: what
//! becomes of each column, and the layers.

mod columns;
mod network;
#[cfg(test)]
mod tests;

use columns::{columns, list, text};
use network::network;

use super::{modules, preparation};
use crate::Result;
use crate::data::table::{BLANKS, Charset, Encoding, Header, Kind, Missing, Preparation, Reading, Separator, TRUTHS};
use crate::nn::{ModelFile, TargetNames};

/// The parts that are needed for some kinds of columns only: their text, the modules they import, and who needs them.
type Part = (&'static str, &'static [&'static str], fn(&Encoding) -> bool);

const PARTS: &[Part] = &[
    (include_str!("scale.py"), &[], |e| matches!(e, Encoding::Number { .. } | Encoding::Date { .. })),
    (include_str!("number.py"), &["math", "re"], |e| matches!(e, Encoding::Number { .. })),
    (include_str!("date.py"), &["calendar", "datetime", "math", "re"], |e| matches!(e, Encoding::Date { .. })),
    (include_str!("level.py"), &[], |e| !matches!(e, Encoding::Number { .. } | Encoding::Date { .. })),
    (include_str!("pair.py"), &[], |e| matches!(e, Encoding::Pair { .. })),
    (include_str!("one_hot.py"), &[], |e| matches!(e, Encoding::OneHot { .. })),
    (include_str!("index.py"), &[], |e| matches!(e, Encoding::Index { .. })),
];

/// A program in Python that predicts with a model, by PyTorch. `weights` is the path of the model's file, from the folder that the
/// program stands in.
///
/// Its `load` gives the network with the file's weights, its `prepare` the features of raw cells, its `predict` both at once; run
/// with a CSV file, it prints predictions.
///
/// # Errors
/// [`Error::Config`](crate::Error::Config) for a layer whose op does not say what it is in PyTorch.
pub fn pytorch(saved: &ModelFile, weights: &str) -> Result<String> {
    let network = network(&saved.model.shape, &modules(&saved.model)?);
    let preparation = preparation(saved);
    let needed = |part: &&Part| preparation.columns.iter().any(|column| part.2(&column.encoding));
    let parts: Vec<&Part> = PARTS.iter().filter(needed).collect();
    let mut imports: Vec<&str> = parts.iter().flat_map(|part| part.1).copied().chain(["csv", "sys"]).collect();
    imports.sort_unstable();
    imports.dedup();
    let mut pieces = vec![head(saved, &preparation, &imports, weights), include_str!("cells.py").to_owned()];
    pieces.extend(parts.iter().map(|part| part.0.to_owned()));
    pieces.push(columns(&preparation));
    pieces.extend(network);
    pieces.push(include_str!("main.py").to_owned());
    pieces.push(match &saved.target {
        TargetNames::Classes { .. } => include_str!("classes.py").to_owned(),
        TargetNames::Values { .. } => include_str!("numbers.py").to_owned(),
    });
    pieces.push(include_str!("run.py").to_owned());
    Ok(pieces.join("\n\n"))
}

/// What the program is, what it imports, and what is said of missing cells and of the target.
fn head(saved: &ModelFile, preparation: &Preparation, modules: &[&str], weights: &str) -> String {
    let imports: String = modules.iter().map(|module| format!("import {module}\n")).collect();
    let mut head = format!(
        "\"\"\"A model that Accrue {} trained, as a module of PyTorch, with the preparation of raw cells.\n\n    \
         python model.py data.csv                   # predictions as CSV\n    \
         from model import load, predict, prepare   # predict({{\"column\": [cells], ...}}); load()(prepare({{...}}))\n\n\
         Needs torch and safetensors.\n\"\"\"\n\n{imports}from pathlib import Path\n\nimport torch\n\
         from safetensors.torch import load_file\nfrom torch import nn\n\n",
        env!("CARGO_PKG_VERSION")
    );
    head += &format!("WEIGHTS = Path(__file__).parent / {}\n", text(weights));
    head += &target(&saved.target);
    head += &format!("BLANKS = {}  # what stands for a missing cell, in any letter case\n", set(&BLANKS));
    head += &format!("MISSING = {}  # and letter by letter\n", set(&preparation.missing_values));
    let may_miss = if preparation.missing == Missing::Error { "False" } else { "True" };
    head += &format!("MAY_MISS = {may_miss}  # whether a missing cell is filled, or an error\n");
    head += &reading(&saved.reading);
    if preparation.columns.iter().any(|column| column.kind == Kind::Boolean) {
        let [no, yes] = [0, 1].map(|truth| set(&TRUTHS.map(|pair| pair[truth])));
        head += &format!("FALSE, TRUE = {no}, {yes}\n");
    }
    head
}

/// How the file that was trained on is read; what is not said is found by looking.
fn reading(reading: &Reading) -> String {
    let separator = reading.separator.or(reading.likely).map_or("None".to_owned(), |separator| match separator {
        Separator::Comma => text(","),
        Separator::Semicolon => text(";"),
        Separator::Tab => text("\t"),
        Separator::Pipe => text("|"),
        Separator::Blanks => text(" "),
    });
    let encoding = match reading.encoding {
        None | Some(Charset::Utf8) => "utf-8-sig",
        Some(Charset::Utf16) => "utf-16",
        Some(Charset::Latin1) => "cp1252",
    };
    let header = match &reading.header {
        None | Some(Header::Present(true)) => "True".to_owned(),
        Some(Header::Present(false)) => "False".to_owned(),
        Some(Header::Names(names)) => list(names.iter().map(|name| text(name)), 0),
    };
    format!("SEPARATOR, ENCODING = {separator}, {}\nHEADER = {header}\n", text(encoding))
}

fn set(texts: &[impl AsRef<str>]) -> String {
    match texts {
        [] => "set()".to_owned(),
        texts => format!("{{{}}}", texts.iter().map(|one| text(one.as_ref())).collect::<Vec<String>>().join(", ")),
    }
}

fn target(target: &TargetNames) -> String {
    match target {
        TargetNames::Classes { name, classes } => {
            format!("TARGET = {}\nCLASSES = {}\n", text(name), list(classes.iter().map(|class| text(class)), 0))
        }
        TargetNames::Values { names, scale } => {
            let (mean, std) = match scale {
                Some(scale) => (scale.mean.clone(), scale.std.clone()),
                None => (vec![0.0; names.len()], vec![1.0; names.len()]),
            };
            let numbers = |numbers: Vec<f64>| list(numbers.into_iter().map(|number| format!("{number:?}")), 0);
            let names = list(names.iter().map(|name| text(name)), 0);
            format!("TARGETS = {names}\nMEAN = {}\nSTD = {}\n", numbers(mean), numbers(std))
        }
    }
}
