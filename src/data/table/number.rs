//! How the numbers of a column are written: decimal sign, groups of digits, a sign of currency or percent.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::Cell;

/// How the numbers of a column are written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dialect {
    /// The decimal sign: `.` or `,`.
    pub decimal: char,
    /// What separates groups of three digits.
    pub thousands: Option<char>,
    /// A sign of currency before or behind the number, or `%` behind it. 12 % is 12.
    pub sign: Option<char>,
}

/// The signs of currency that may stand before or behind a number, and percent.
const SIGNS: &str = "$€£¥₹%";

/// Decimal sign and separator of thousands, the likeliest first: where all cells of a column can be read in several ways, the
/// first of them is taken. So `1,234` is a thousand where every comma of the column has three digits behind it.
pub(super) const DIALECTS: [(char, Option<char>); 7] = [
    ('.', None),
    ('.', Some(',')),
    (',', None),
    (',', Some('.')),
    ('.', Some(' ')),
    (',', Some(' ')),
    ('.', Some('\'')),
];

impl Default for Dialect {
    fn default() -> Self {
        Dialect { decimal: '.', thousands: None, sign: None }
    }
}

impl Dialect {
    /// The number in a cell, which may be infinite; `None` for what is no number. A sign of the column may be left out.
    pub fn read(&self, cell: &Cell<'_>) -> Option<f64> {
        match cell {
            Cell::Number(number) => Some(*number),
            Cell::Text(text) => {
                let Signed { sign, negative, rest } = signed(text)?;
                if sign.is_some() && sign != self.sign {
                    return None;
                }
                let number = read(rest, self.decimal, self.thousands)?;
                Some(if negative { -number } else { number })
            }
            Cell::Missing | Cell::Switch(_) => None,
        }
    }

    /// Whether it is one that can be found.
    pub(super) fn check(&self) -> Result<(), String> {
        let known = DIALECTS.contains(&(self.decimal, self.thousands));
        if known && self.sign.is_none_or(|sign| SIGNS.contains(sign)) {
            return Ok(());
        }
        Err(format!("numbers cannot be written with {:?}, {:?} and {:?}", self.decimal, self.thousands, self.sign))
    }
}

/// A number apart from its sign of currency or percent.
pub(super) struct Signed<'a> {
    pub sign: Option<char>,
    /// A minus stands before the sign.
    pub negative: bool,
    pub rest: &'a str,
}

/// Takes the sign of currency or percent off; `None` where there are two of them.
pub(super) fn signed(text: &str) -> Option<Signed<'_>> {
    if text.bytes().all(|byte| byte.is_ascii() && byte != b'$' && byte != b'%') {
        return Some(Signed { sign: None, negative: false, rest: text });
    }
    let is_currency = |letter: &char| *letter != '%' && SIGNS.contains(*letter);
    let (negative, unsigned) = match text.strip_prefix('-') {
        Some(rest) if rest.chars().next().as_ref().is_some_and(is_currency) => (true, rest),
        _ => (false, text),
    };
    let front = unsigned.chars().next().filter(is_currency);
    let rest = front.map_or(unsigned, |sign| unsigned[sign.len_utf8()..].trim_start());
    let back = rest.chars().next_back().filter(|letter| SIGNS.contains(*letter));
    let rest = back.map_or(rest, |sign| rest[..rest.len() - sign.len_utf8()].trim_end());
    if front.is_some() && back.is_some() || negative && rest.starts_with(['-', '+']) {
        return None;
    }
    Some(Signed { sign: front.or(back), negative, rest })
}

/// The number that a text without sign of currency or percent spells in a dialect.
pub(super) fn read(text: &str, decimal: char, thousands: Option<char>) -> Option<f64> {
    let mut text = Cow::Borrowed(text);
    if let Some(thousands) = thousands.filter(|sign| text.contains(*sign)) {
        text = Cow::Owned(ungrouped(&text, decimal, thousands)?);
    }
    if decimal == ',' {
        if text.contains('.') {
            return None;
        }
        if text.contains(',') {
            text = Cow::Owned(text.replace(',', "."));
        }
    }
    plain(&text)
}

/// A number without the separators of its thousands; `None` where they do not stand before each three digits.
fn ungrouped(text: &str, decimal: char, thousands: char) -> Option<String> {
    let end = text.find([decimal, 'e', 'E']).unwrap_or(text.len());
    let (whole, rest) = text.split_at(end);
    let digits = whole.strip_prefix(['-', '+']).unwrap_or(whole);
    let mut groups = digits.split(thousands);
    let first = groups.next()?;
    let starts = (1..=3).contains(&first.len()) && !first.starts_with('0');
    let is_number = |group: &str| group.bytes().all(|byte| byte.is_ascii_digit());
    (starts && is_number(first) && groups.all(|group| group.len() == 3 && is_number(group)))
        .then(|| whole.replace(thousands, "") + rest)
}

/// A number with a decimal point, as programs write it; too large a one is infinite. Words are none.
fn plain(text: &str) -> Option<f64> {
    let may_be = text.bytes().all(|byte| byte.is_ascii_digit() || matches!(byte, b'.' | b'-' | b'+' | b'e' | b'E'));
    if may_be { text.parse().ok() } else { None }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(decimal: char, thousands: Option<char>, sign: Option<char>, text: &str) -> Option<f64> {
        Dialect { decimal, thousands, sign }.read(&Cell::Text(text.into()))
    }

    #[test]
    fn plain_numbers_are_read_and_words_are_none() {
        for (text, number) in [("1e5", 1e5), ("+3", 3.0), (".5", 0.5), ("5.", 5.0), ("-0.1", -0.1), ("1E-3", 1e-3)] {
            assert_eq!(of('.', None, None, text), Some(number), "{text}");
        }
        for text in ["inf", "nan", "e", ".", "-", "1_000", "0x10", "1,5", "1 2", "--1", "1e", "$1", "１"] {
            assert_eq!(of('.', None, None, text), None, "{text}");
        }
        assert_eq!(of('.', None, None, "1e999"), Some(f64::INFINITY));
        assert_eq!(Dialect::default().read(&Cell::Number(2.5)), Some(2.5));
        assert_eq!(Dialect::default().read(&Cell::Switch(true)), None);
    }

    #[test]
    fn thousands_stand_before_each_three_digits() {
        for (text, number) in [("9,417.15", 9417.15), ("1,234,567", 1234567.0), ("-1,000", -1000.0), ("12.5", 12.5)] {
            assert_eq!(of('.', Some(','), None, text), Some(number), "{text}");
        }
        for text in ["1,23", "1,2345", ",123", "0,123", "1234,567", "1,,234", "1.5,000"] {
            assert_eq!(of('.', Some(','), None, text), None, "{text}");
        }
        assert_eq!(of(',', Some('.'), None, "1.234,5"), Some(1234.5));
        assert_eq!(of('.', Some(' '), None, "1 234.5"), Some(1234.5));
        assert_eq!(of(',', Some('.'), None, "1.5"), None);
        assert_eq!(of(',', None, None, "1,5"), Some(1.5));
    }

    #[test]
    fn a_sign_may_stand_before_or_behind_and_may_be_left_out() {
        for (text, number) in [("$3", 3.0), ("-$3", -3.0), ("$-3", -3.0), ("3 $", 3.0), ("3", 3.0), ("$ 1,000", 1e3)] {
            assert_eq!(of('.', Some(','), Some('$'), text), Some(number), "{text}");
        }
        assert_eq!(of('.', None, Some('€'), "€ 3"), Some(3.0));
        assert_eq!(of('.', None, Some('%'), "12 %"), Some(12.0));
        for text in ["%12", "$12%", "-$-3", "€3", "$", "-$"] {
            assert_eq!(of('.', None, Some('$'), text), None, "{text}");
        }
    }
}
