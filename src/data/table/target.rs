//! Whether a target has classes or numbers.
//!
//! Where nobody says it, texts and booleans are classes. Numbers are classes if they are whole, and either there are two different
//! ones, or they are all those from 0 or 1 on, up to 20 of them, with five rows or more for each on average. All others are
//! quantities: so a quality from 3 to 9 is one, and so are years.

use super::decide::is_number;
use super::tally::Tally;
use super::{Kind, Table, Wanted};
use crate::data::quantity::is_quantity;
use crate::{Error, Result};

/// Numbers that are classes have at most so many different values.
const MOST_CLASSES: usize = 20;

/// Whether the target has classes, and why.
pub(super) struct Answer {
    pub classes: bool,
    pub why: String,
}

/// What the user says about the target: whether it has classes.
pub(super) fn said(wanted: &Wanted) -> Option<bool> {
    let kind = wanted.target.first().and_then(|name| wanted.kinds.get(name));
    match (wanted.classes, kind) {
        (Some(classes), _) => Some(classes),
        (None, _) if wanted.target.len() > 1 => Some(false),
        (None, Some(Kind::Category | Kind::Boolean)) => Some(true),
        (None, Some(Kind::Number)) => Some(false),
        (None, _) => None,
    }
}

/// Whether the target has classes; `count` is how many there would be, if they are not too many.
///
/// # Errors
/// A target that is no number where one is wanted, and classes that are a quantity.
pub(super) fn answer(
    table: &dyn Table,
    column: usize,
    tally: &mut Tally,
    wanted: &Wanted,
    count: Option<usize>,
) -> Result<Answer> {
    let number = is_number(tally, wanted.decimal);
    match said(wanted) {
        Some(true) => {
            refuse_quantity(table, column, tally, wanted, count)?;
            Ok(Answer { classes: true, why: "as the loss says".into() })
        }
        Some(false) => {
            must_be_numbers(table, column, tally, number)?;
            Ok(Answer { classes: false, why: "as the loss says".into() })
        }
        None => {
            almost_numbers(table, column, tally, number)?;
            let (classes, why) = looks(tally, wanted.decimal, number);
            match classes {
                true => refuse_quantity(table, column, tally, wanted, count)?,
                false => must_be_numbers(table, column, tally, number)?,
            }
            Ok(Answer { classes, why })
        }
    }
}

/// A target of many different numbers and a few cells that are none, such as "unknown" or a line of totals, is a quantity with a slip.
fn almost_numbers(table: &dyn Table, column: usize, tally: &Tally, number: bool) -> Result<()> {
    let (numbers, others) = (tally.numbers.count, tally.numbers.others);
    if number || others == 0 || numbers < 9 * others || tally.distinct() <= MOST_CLASSES {
        return Ok(());
    }
    let first = tally.no_number.as_ref().map_or_else(String::new, |error| format!("; the first that is not: {error}"));
    let message = format!(
        "{numbers} of {} cells of the target are numbers{first}; if it stands for nothing, name it in data.missing_values, \
         and if the cells are names of classes, set the column's kind to \"category\" in data.columns",
        numbers + others
    );
    Err(table.wrong_column(column, message))
}

/// What a target looks like.
fn looks(tally: &Tally, decimal: Option<char>, number: bool) -> (bool, String) {
    let distinct = tally.distinct();
    if !number {
        return (true, format!("{distinct} different texts"));
    }
    let Some((_, spread)) = tally.numbers.dialect(decimal) else { return (true, "texts".into()) };
    if !spread.whole {
        return (false, "numbers that are not whole".into());
    }
    let gapless = spread.high - spread.low + 1.0 == distinct as f64 && (spread.low == 0.0 || spread.low == 1.0);
    let few = distinct <= MOST_CLASSES && tally.present >= 5 * distinct as u64;
    let what = format!("{distinct} different whole numbers from {} to {}", spread.low, spread.high);
    (!tally.more && (distinct == 2 || gapless && few), what)
}

/// Refuses classes that are numbers of a quantity.
fn refuse_quantity(
    table: &dyn Table,
    column: usize,
    tally: &Tally,
    wanted: &Wanted,
    count: Option<usize>,
) -> Result<()> {
    let classes = count.unwrap_or(tally.distinct());
    let Some((_, spread)) = tally.numbers.dialect(wanted.decimal).filter(|_| is_number(tally, wanted.decimal)) else {
        return Ok(());
    };
    if !is_quantity(classes, tally.present as usize, spread.whole) {
        return Ok(());
    }
    let numbers = if spread.whole { "different numbers" } else { "different numbers, not all whole," };
    let message = format!(
        "{classes} {numbers} in {} rows are a quantity, not classes; use loss = \"mse\", or another column in data.target",
        tally.present
    );
    Err(table.wrong_column(column, message))
}

fn must_be_numbers(table: &dyn Table, column: usize, tally: &mut Tally, number: bool) -> Result<()> {
    let wrong = tally.no_number.take().or(tally.infinite.take());
    match wrong {
        Some(Error::Data { place, message }) => {
            let advice = "a quantity must be numeric (for classes use loss = \"cross_entropy\")";
            Err(Error::data(place, format!("{message}; {advice}")))
        }
        Some(error) => Err(error),
        None if number => Ok(()),
        None => Err(table.wrong_column(column, "its numbers are not all written alike; write them so".into())),
    }
}
