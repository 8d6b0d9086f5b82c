//! What is known of a column, cell by cell, in memory that does not grow with the rows.

use std::borrow::Cow;
use std::collections::HashMap;

use xxhash_rust::xxh3::xxh3_64;

use super::echo::Echo;
use super::numbers::{Numbers, Said};
use super::{Cell, Table, date, truth};
use crate::quote::short;
use crate::{Error, Result};

/// Different values are counted up to this number in one column; fewer where a table has many columns.
const MOST_DISTINCT: usize = 65_536;

/// Different values that all columns may count together.
const MOST_TOGETHER: usize = 4 << 20;

/// Of so many different values, each is counted by itself.
pub(super) const MOST_LEVELS: usize = 256;

/// A longer text is no level.
const LONGEST: usize = 1024;

const EXAMPLES: usize = 3;

/// What is known of a column so far.
pub(super) struct Tally {
    pub missing: u64,
    /// Cells that are not missing.
    pub present: u64,
    pub numbers: Numbers,
    /// The first cell that is no number, in a message that names its place.
    pub no_number: Option<Error>,
    /// The first number that is not finite.
    pub infinite: Option<Error>,
    /// All cells so far are of this pair of spellings of true and false.
    pub pair: Option<usize>,
    /// The first and the last day, if all cells so far are dates.
    pub days: Option<(f64, f64)>,
    /// Words in all cells that are no numbers.
    pub words: u64,
    /// Some text is too long for a level.
    pub long: bool,
    /// By the hash of each different value, its place in the order of appearance.
    values: HashMap<u64, usize>,
    most: usize,
    /// More different values than are counted.
    pub more: bool,
    /// The first values with their counts; empty where there are too many.
    pub levels: Vec<(String, u64)>,
    pub examples: Vec<String>,
    /// The place of the present row's value in the order of appearance; `None` where it is missing, or not counted.
    place: Option<usize>,
    pub echo: Echo,
}

impl Tally {
    /// Of one of so many columns.
    pub fn new(columns: usize) -> Tally {
        Tally {
            missing: 0,
            present: 0,
            numbers: Numbers::default(),
            no_number: None,
            infinite: None,
            pair: None,
            days: None,
            words: 0,
            long: false,
            values: HashMap::new(),
            most: (MOST_TOGETHER / columns.max(1)).clamp(1024, MOST_DISTINCT),
            more: false,
            levels: Vec::new(),
            examples: Vec::new(),
            place: None,
            echo: Echo::default(),
        }
    }

    /// How many different values there are, as far as they are counted.
    pub fn distinct(&self) -> usize {
        self.values.len()
    }

    /// Notices that the cell is missing in the present row.
    pub fn add_missing(&mut self) {
        self.missing += 1;
        self.place = None;
    }

    /// Notices the class of the present row, after its cell.
    pub fn add_class(&mut self, class: Option<u32>) {
        self.echo.add(self.place, class);
    }

    /// Notices the cell of a column in the present row, which is not missing.
    pub fn add(&mut self, table: &dyn Table, column: usize, cell: &Cell<'_>) -> Result<()> {
        let first = self.present == 0;
        self.present += 1;
        let text = text_of(cell);
        let said = self.numbers.add(cell);
        if said == Said::Other {
            self.words += text.split_whitespace().count() as u64;
        }
        match said {
            Said::Number => {}
            Said::Infinite if self.infinite.is_none() => {
                let advice = "correct it, or name it in data.missing_values";
                let message = format!("{:?} is not finite; every number must be ({advice})", short(&text));
                self.infinite = Some(table.wrong(Some(column), message));
            }
            Said::Other if self.no_number.is_none() => {
                let message = format!("{:?} is not a number", short(&text));
                self.no_number = Some(table.wrong(Some(column), message));
            }
            Said::Infinite | Said::Other => {}
        }
        let pair = truth::pair(cell);
        self.pair = if first { pair } else { self.pair.filter(|known| Some(*known) == pair) };
        let day = if first || self.days.is_some() { date::days(&text) } else { None };
        self.days = match (self.days, day) {
            (Some((low, high)), Some(day)) => Some((low.min(day), high.max(day))),
            (None, Some(day)) if first => Some((day, day)),
            _ => None,
        };
        self.long |= text.len() > LONGEST;
        self.place = self.count(&text);
        Ok(())
    }

    /// Counts a value, as long as there are not too many different ones; gives its place.
    fn count(&mut self, text: &str) -> Option<usize> {
        let hash = xxh3_64(text.as_bytes());
        let place = match self.values.get(&hash) {
            Some(place) => *place,
            None if self.values.len() == self.most => {
                self.more = true;
                return None;
            }
            None => {
                let place = self.values.len();
                self.values.insert(hash, place);
                if self.examples.len() < EXAMPLES {
                    self.examples.push(short(text));
                }
                match place {
                    0..MOST_LEVELS if text.len() <= LONGEST => self.levels.push((text.to_owned(), 0)),
                    0..MOST_LEVELS => self.levels.push((short(text), 0)),
                    _ => self.levels = Vec::new(),
                }
                place
            }
        };
        if let Some((_, count)) = self.levels.get_mut(place) {
            *count += 1;
        }
        Some(place)
    }
}

/// A cell as a text: the one of the file, or as a program writes numbers and switches.
pub(super) fn text_of<'a>(cell: &'a Cell<'_>) -> Cow<'a, str> {
    match cell {
        Cell::Missing => Cow::Borrowed(""),
        Cell::Text(text) => Cow::Borrowed(text),
        Cell::Number(number) => Cow::Owned(number.to_string()),
        Cell::Switch(truth) => Cow::Borrowed(if *truth { "true" } else { "false" }),
    }
}
