//! The rows that are kept back for validation.

use crate::random::{Purpose, shuffled, stream};
use crate::{Error, Result};

/// Divides `0..rows` by seed into the rows to train on and the rows to validate with, both ascending.
///
/// `rows · share` rows, rounded to the nearest whole number and halves upwards, are for validation. A share of 0 keeps
/// none back; with any other share both sides must have at least one row. The result depends on the arguments alone.
///
/// # Errors
/// [`Error::Config`] for a share outside of 0 to 1 and for a side without rows, [`Error::Data`] for more rows than can be
/// numbered in 32 bits.
pub fn split(rows: usize, share: f64, seed: u64) -> Result<(Vec<usize>, Vec<usize>)> {
    let held = held(rows, share, seed)?;
    Ok((0..rows).partition(|row| !held[*row]))
}

/// The same division as [`split`], as one answer for each row: whether it is kept back for validation.
///
/// # Errors
/// Those of [`split`].
pub fn held(rows: usize, share: f64, seed: u64) -> Result<Vec<bool>> {
    const FIELD: &str = "data.validation";
    if !(0.0..1.0).contains(&share) {
        return Err(Error::config(FIELD, format!("{share} is not a share of the rows; write 0 or more, below 1")));
    }
    let mut held = vec![false; rows];
    if share == 0.0 {
        return Ok(held);
    }
    let count = (rows as f64 * share).round() as usize;
    if count == 0 || count >= rows {
        let left = rows.saturating_sub(count);
        let message = format!(
            "a share of {share} of {rows} rows is {count} to validate with and {left} to train on; \
             each needs at least one: change the share, or write 0 for no validation"
        );
        return Err(Error::config(FIELD, message));
    }
    let total = u32::try_from(rows)
        .map_err(|_| Error::data("rows", format!("{rows} rows are too many; at most {} can be split", u32::MAX)))?;
    for row in &shuffled(&mut stream(seed, Purpose::Split, 0), total)[..count] {
        held[*row as usize] = true;
    }
    Ok(held)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_row_is_on_one_side_and_both_sides_ascend() {
        let (train, validation) = split(1797, 0.2, 0).unwrap();
        assert_eq!(validation.len(), 359);
        assert!(train.is_sorted() && validation.is_sorted());
        let mut all = [train, validation].concat();
        all.sort_unstable();
        assert!(all.into_iter().eq(0..1797));
    }

    #[test]
    fn the_rows_of_a_seed_never_change() {
        assert_eq!(split(20, 0.25, 0).unwrap().1, [2, 9, 12, 14, 16]);
        assert_eq!(split(20, 0.25, 1).unwrap().1, [0, 3, 7, 18, 19]);
    }

    #[test]
    fn halves_round_upwards() {
        assert_eq!(split(10, 0.25, 0).unwrap().1.len(), 3);
        assert_eq!(split(10, 0.24, 0).unwrap().1.len(), 2);
    }

    #[test]
    fn no_share_keeps_nothing_back() {
        assert_eq!(split(3, 0.0, 0).unwrap(), (vec![0, 1, 2], vec![]));
        assert_eq!(split(0, 0.0, 0).unwrap(), (vec![], vec![]));
    }

    #[test]
    fn a_share_outside_zero_to_one_is_refused() {
        for share in [-0.1, 1.0, 2.0, f64::NAN, f64::INFINITY] {
            let message = split(10, share, 0).unwrap_err().to_string();
            assert!(message.starts_with("data.validation: "), "{message}");
        }
    }

    #[test]
    fn a_side_without_rows_is_refused_with_the_numbers() {
        let message = split(10, 0.01, 0).unwrap_err().to_string();
        assert!(message.contains("0.01 of 10 rows is 0 to validate with and 10 to train on"), "{message}");
        let message = split(2, 0.9, 0).unwrap_err().to_string();
        assert!(message.contains("2 to validate with and 0 to train on"), "{message}");
        assert!(split(1, 0.5, 0).is_err() && split(0, 0.5, 0).is_err());
    }
}
