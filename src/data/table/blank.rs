//! What stands for nothing in a table.

use std::collections::HashSet;

use super::Cell;

/// What stands for nothing, in any letter case.
pub const BLANKS: [&str; 8] = ["", "na", "n/a", "nan", "null", "none", "?", "-"];

/// Tells the cells that are missing: those that stand for nothing, by their format or by what they spell.
#[derive(Debug, Clone, Default)]
pub struct Blanks {
    more: HashSet<String>,
}

impl Blanks {
    /// Beside [`BLANKS`], these texts stand for nothing, letter by letter.
    pub fn new(more: &[String]) -> Self {
        Blanks { more: more.iter().map(|text| text.trim().to_owned()).collect() }
    }

    /// Whether a cell is missing.
    pub fn is_missing(&self, cell: &Cell<'_>) -> bool {
        match cell {
            Cell::Missing => true,
            Cell::Text(text) => is_blank(text) || self.more.contains(&**text),
            Cell::Number(number) => {
                number.is_nan() || (!self.more.is_empty() && self.more.contains(&number.to_string()))
            }
            Cell::Switch(_) => false,
        }
    }
}

fn is_blank(text: &str) -> bool {
    text.len() <= 4 && BLANKS.iter().any(|blank| blank.eq_ignore_ascii_case(text))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_spellings_and_those_of_the_user_are_missing() {
        let blanks = Blanks::new(&["unknown".into(), "-999".into()]);
        for text in ["", "NA", "n/a", "NaN", "NULL", "None", "?", "-", "unknown", "-999"] {
            assert!(blanks.is_missing(&Cell::Text(text.into())), "{text}");
        }
        for text in ["0", "--", "Unknown", "nano", "no", "none of these"] {
            assert!(!blanks.is_missing(&Cell::Text(text.into())), "{text}");
        }
        assert!(blanks.is_missing(&Cell::Missing) && blanks.is_missing(&Cell::Number(f64::NAN)));
        assert!(blanks.is_missing(&Cell::Number(-999.0)) && !blanks.is_missing(&Cell::Number(0.0)));
        assert!(!blanks.is_missing(&Cell::Switch(false)));
    }
}
