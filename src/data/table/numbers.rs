//! Finds out whether a column holds numbers, and how they are written.

use super::Cell;
use super::number::{DIALECTS, Dialect, Signed, read, signed};

/// What is known of the numbers of a column so far, cell by cell.
#[derive(Debug, Clone, Default)]
pub(super) struct Numbers {
    /// By place in [`DIALECTS`]; the ones that cannot read some number of the column are gone.
    spreads: [Option<Spread>; DIALECTS.len()],
    sign: Option<char>,
    /// Cells with numbers.
    pub count: u64,
    /// Cells with something else.
    pub others: u64,
    /// Numbers have different signs of currency or percent.
    mixed: bool,
    /// Some whole number begins with a zero.
    pub coded: bool,
    /// Each number is the one before and 1, from 0 or 1 on.
    counting: Option<f64>,
    uneven: bool,
}

/// The numbers of a column, as one dialect reads them.
#[derive(Debug, Clone, Copy)]
pub(super) struct Spread {
    pub low: f64,
    pub high: f64,
    /// All are whole.
    pub whole: bool,
}

/// What a cell is to a column of numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Said {
    Number,
    /// A number that is not finite, such as `inf` or `1e999`.
    Infinite,
    Other,
}

impl Numbers {
    /// Notices a cell that is not missing. What no dialect can read does not speak against any.
    pub fn add(&mut self, cell: &Cell<'_>) -> Said {
        let values = match cell {
            Cell::Number(number) => [Some(*number); DIALECTS.len()],
            Cell::Text(text) => self.read(text),
            Cell::Missing | Cell::Switch(_) => [None; DIALECTS.len()],
        };
        let Some(any) = values.iter().flatten().next().copied() else {
            self.others += 1;
            let word = matches!(cell, Cell::Text(text) if is_infinity(text));
            return if word { Said::Infinite } else { Said::Other };
        };
        self.notice_order(any);
        for (spread, value) in self.spreads.iter_mut().zip(values) {
            *spread = match (value, *spread) {
                (Some(value), None) if self.count == 0 => Some(Spread::of(value)),
                (Some(value), Some(spread)) => Some(spread.with(value)),
                _ => None,
            };
        }
        self.count += 1;
        if values.iter().flatten().all(|value| value.is_finite()) { Said::Number } else { Said::Infinite }
    }

    /// The text as each dialect reads it.
    fn read(&mut self, text: &str) -> [Option<f64>; DIALECTS.len()] {
        let Some(Signed { sign, negative, rest }) = signed(text) else { return [None; DIALECTS.len()] };
        let factor = if negative { -1.0 } else { 1.0 };
        let only_digits = rest.bytes().all(|byte| byte.is_ascii_digit());
        let values = if only_digits {
            // All dialects agree.
            [read(rest, '.', None); DIALECTS.len()]
        } else {
            DIALECTS.map(|(decimal, thousands)| read(rest, decimal, thousands))
        };
        if values.iter().any(Option::is_some) {
            self.mixed |= self.count > 0 && sign != self.sign;
            self.sign = sign;
            self.coded |= only_digits && rest.len() > 1 && rest.starts_with('0');
        }
        values.map(|value| value.map(|value| value * factor))
    }

    fn notice_order(&mut self, value: f64) {
        self.uneven |= match self.counting {
            None => value != 0.0 && value != 1.0,
            Some(last) => value != last + 1.0,
        };
        self.counting = Some(value);
    }

    /// How the numbers are written and how they spread, if all of them are written alike; with a decimal sign, if one is given.
    pub fn dialect(&self, decimal: Option<char>) -> Option<(Dialect, Spread)> {
        if self.mixed {
            return None;
        }
        let fits = |dialect: &(char, Option<char>)| decimal.is_none_or(|decimal| decimal == dialect.0);
        DIALECTS.iter().zip(&self.spreads).filter(|(dialect, _)| fits(dialect)).find_map(|(dialect, spread)| {
            let (decimal, thousands) = *dialect;
            spread.map(|spread| (Dialect { decimal, thousands, sign: self.sign }, spread))
        })
    }

    /// Whether the numbers count the rows: 0, 1, 2 … or 1, 2, 3 …
    pub fn counts_rows(&self) -> bool {
        self.count > 2 && !self.uneven
    }
}

impl Spread {
    fn of(value: f64) -> Spread {
        Spread { low: value, high: value, whole: true }.with(value)
    }

    fn with(self, value: f64) -> Spread {
        Spread {
            low: self.low.min(value),
            high: self.high.max(value),
            whole: self.whole && value.fract() == 0.0 && value.abs() < 9e15,
        }
    }
}

/// Infinity in words.
pub(super) fn is_infinity(text: &str) -> bool {
    let word = text.strip_prefix(['-', '+']).unwrap_or(text);
    word.eq_ignore_ascii_case("inf") || word.eq_ignore_ascii_case("infinity")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(texts: &[&str]) -> Numbers {
        let mut numbers = Numbers::default();
        for text in texts {
            numbers.add(&Cell::Text((*text).into()));
        }
        numbers
    }

    fn dialect(texts: &[&str]) -> Option<(char, Option<char>, Option<char>)> {
        let numbers = of(texts);
        assert_eq!(numbers.others, 0, "{texts:?}");
        numbers.dialect(None).map(|(dialect, _)| (dialect.decimal, dialect.thousands, dialect.sign))
    }

    #[test]
    fn the_whole_column_says_how_its_numbers_are_written() {
        assert_eq!(dialect(&["1", "2.5", "1e5"]), Some(('.', None, None)));
        assert_eq!(dialect(&["9,417.15", "3"]), Some(('.', Some(','), None)));
        assert_eq!(dialect(&["1,234", "5,678"]), Some(('.', Some(','), None)));
        assert_eq!(dialect(&["1,234", "1,5"]), Some((',', None, None)));
        assert_eq!(dialect(&["0,123", "1,234"]), Some((',', None, None)));
        assert_eq!(dialect(&["1.234,5", "2"]), Some((',', Some('.'), None)));
        assert_eq!(dialect(&["$3", "$1,000"]), Some(('.', Some(','), Some('$'))));
        assert_eq!(dialect(&["12 %", "3%"]), Some(('.', None, Some('%'))));
        assert_eq!(dialect(&["1 234", "5"]), Some(('.', Some(' '), None)));
    }

    #[test]
    fn numbers_that_are_not_written_alike_are_of_no_dialect() {
        assert_eq!(dialect(&["1,5", "1.5"]), None);
        assert_eq!(dialect(&["$3", "4"]), None);
        assert_eq!(dialect(&["$3", "€4"]), None);
    }

    #[test]
    fn a_given_decimal_sign_decides_what_a_comma_is() {
        let numbers = of(&["1,234", "5,678"]);
        let (dialect, spread) = numbers.dialect(Some(',')).unwrap();
        assert_eq!((dialect.decimal, spread.low, spread.high, spread.whole), (',', 1.234, 5.678, false));
        let (_, spread) = numbers.dialect(None).unwrap();
        assert_eq!((spread.low, spread.high, spread.whole), (1234.0, 5678.0, true));
        assert_eq!(of(&["1.5"]).dialect(Some(',')).map(|(dialect, _)| dialect.thousands), None);
    }

    #[test]
    fn what_is_no_number_is_counted_and_speaks_against_no_dialect() {
        let mut numbers = of(&["1.5", "abc", "2.5"]);
        assert_eq!((numbers.count, numbers.others), (2, 1));
        assert!(numbers.dialect(None).is_some());
        assert_eq!(numbers.add(&Cell::Text("-inf".into())), Said::Infinite);
        assert_eq!(numbers.add(&Cell::Text("1e999".into())), Said::Infinite);
        assert_eq!(numbers.add(&Cell::Switch(true)), Said::Other);
        assert_eq!(numbers.add(&Cell::Number(7.0)), Said::Number);
    }

    #[test]
    fn codes_and_row_numbers_are_noticed() {
        assert!(of(&["01234", "99999"]).coded && !of(&["0", "10", "0.5"]).coded && !of(&["-01", "1"]).coded);
        assert!(of(&["1", "2", "3"]).counts_rows() && of(&["0", "1", "2"]).counts_rows());
        assert!(!of(&["2", "3", "4"]).counts_rows() && !of(&["1", "2", "4"]).counts_rows());
        assert!(!of(&["0", "1"]).counts_rows());
    }
}
