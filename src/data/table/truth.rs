//! True and false, as tables spell them.

use super::Cell;

/// How false and true are spelled, in any letter case. A column of booleans uses one pair of them. A column of 0 and 1 is one of
/// numbers unless the user says otherwise.
pub const TRUTHS: [[&str; 2]; 5] = [["false", "true"], ["no", "yes"], ["f", "t"], ["n", "y"], ["0", "1"]];

/// The pair that a cell is of, if it is of any.
pub(super) fn pair(cell: &Cell<'_>) -> Option<usize> {
    read(cell).map(|(pair, _)| pair)
}

/// Whether a cell is true, in any spelling; `None` for what is neither true nor false.
pub(super) fn truth(cell: &Cell<'_>) -> Option<bool> {
    read(cell).map(|(_, truth)| truth)
}

fn read(cell: &Cell<'_>) -> Option<(usize, bool)> {
    match cell {
        Cell::Switch(truth) => Some((0, *truth)),
        Cell::Number(number) if *number == 0.0 || *number == 1.0 => Some((4, *number == 1.0)),
        Cell::Text(text) if text.len() <= 5 => TRUTHS.iter().enumerate().find_map(|(at, words)| {
            let word = words.iter().position(|word| word.eq_ignore_ascii_case(text))?;
            Some((at, word == 1))
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_are_of_a_pair_in_any_letter_case() {
        let of = |text: &str| (pair(&Cell::Text(text.into())), truth(&Cell::Text(text.into())));
        assert_eq!((of("True"), of("FALSE")), ((Some(0), Some(true)), (Some(0), Some(false))));
        assert_eq!((of("yes"), of("No")), ((Some(1), Some(true)), (Some(1), Some(false))));
        assert_eq!((of("t"), of("N")), ((Some(2), Some(true)), (Some(3), Some(false))));
        assert_eq!((of("1"), of("truth")), ((Some(4), Some(true)), (None, None)));
        assert_eq!((truth(&Cell::Number(0.0)), truth(&Cell::Number(2.0))), (Some(false), None));
        assert_eq!(truth(&Cell::Switch(true)), Some(true));
    }
}
