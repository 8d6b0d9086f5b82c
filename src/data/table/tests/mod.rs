//! Tables from cells to features.

mod hostile;
mod looking;
mod memory;
mod preparing;

use self::memory::Lines;
use super::{Counts, Found, Preparation, Reads, Wanted, look};
use crate::Result;
use crate::data::{Chunks, Dataset};

fn classes(target: &str) -> Wanted {
    Wanted { target: vec![target.into()], ..Wanted::default() }
}

fn found(text: &str, wanted: &Wanted) -> Found {
    look(&mut Lines::open(text), wanted).unwrap()
}

fn message(text: &str, wanted: &Wanted) -> String {
    let message = look(&mut Lines::open(text), wanted).unwrap_err().to_string();
    assert!(!message.contains('\n'), "one line: {message}");
    message
}

/// Fitted to all rows.
fn fitted(text: &str, wanted: &Wanted) -> Preparation {
    fitted_to(text, wanted, |_| true)
}

fn fitted_to(text: &str, wanted: &Wanted, trains: impl Fn(usize) -> bool) -> Preparation {
    let found = found(text, wanted);
    let train: Vec<bool> = (0..found.rows).map(trains).collect();
    Preparation::fit(&mut Lines::open(text), &found, wanted, &train).unwrap()
}

fn prepared(text: &str, preparation: &Preparation, reads: Reads) -> Result<(Dataset, Counts)> {
    let (chunks, counted) = Chunks::prepared(Box::new(Lines::new(text)), preparation, reads)?;
    Ok((chunks.rest()?, counted.now()))
}

/// The features of each row.
fn features(text: &str, preparation: &Preparation) -> Vec<Vec<f32>> {
    let (data, _) = prepared(text, preparation, Reads::Features).unwrap();
    assert_eq!(data.features.names, preparation.names());
    data.features.values.to_f32().chunks(preparation.width()).map(<[f32]>::to_vec).collect()
}

/// A table of one column beside a target of numbers.
fn column(cells: &[&str]) -> String {
    let rows: String = cells.iter().enumerate().map(|(at, cell)| format!("{cell}|{at}.5\n")).collect();
    format!("x|y\n{rows}")
}
