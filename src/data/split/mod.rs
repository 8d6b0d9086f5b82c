//! The rows that are kept back for validation.

mod folds;

pub use folds::folds;

use serde::{Deserialize, Serialize};

use crate::random::{Purpose, shuffled, stream};
use crate::{Error, Result};

const FIELD: &str = "data.validation";

/// How rows are chosen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Split {
    /// By seed, the same share of each class.
    Stratified,
    /// By seed.
    Random,
    /// The last rows of the file.
    Last,
    /// By seed, whole groups.
    Group,
}

/// How rows are chosen, with what is known of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum By<'a> {
    /// By seed, the same share of each class; the class of each row.
    Classes(&'a [u32]),
    /// By seed.
    Seed,
    /// The last rows.
    Last,
    /// By seed, whole groups; the group of each row.
    Groups(&'a [u32]),
}

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
    held_by(By::Seed, rows, share, seed)
}

/// As [`held`], by classes, groups or place.
///
/// * Of each class the same share is kept back. The numbers are rounded so that they add up to that of all rows, the largest
///   remainders upwards. The only row of a class is to train on.
/// * Groups are taken in an order by seed, as long as that brings the rows kept back nearer to their share.
///
/// # Errors
/// Those of [`split`].
pub fn held_by(by: By, rows: usize, share: f64, seed: u64) -> Result<Vec<bool>> {
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
    let total = numbered(rows)?;
    match by {
        By::Seed => {
            for row in &shuffled(&mut stream(seed, Purpose::Split, 0), total)[..count] {
                held[*row as usize] = true;
            }
        }
        By::Last => held[rows - count..].fill(true),
        By::Classes(labels) => hold_classes(&mut held, labels, count, seed),
        By::Groups(groups) => hold_groups(&mut held, groups, count, seed)?,
    }
    Ok(held)
}

fn numbered(rows: usize) -> Result<u32> {
    u32::try_from(rows)
        .map_err(|_| Error::data("rows", format!("{rows} rows are too many; at most {} can be split", u32::MAX)))
}

/// The rows of each value of `kinds`, which are numbers from 0 without a gap.
fn rows_of(kinds: &[u32]) -> Vec<Vec<usize>> {
    let mut members = vec![Vec::new(); kinds.iter().max().map_or(0, |most| *most as usize + 1)];
    kinds.iter().enumerate().for_each(|(row, kind)| members[*kind as usize].push(row));
    members
}

/// Holds `count` rows back, of each class its share.
fn hold_classes(held: &mut [bool], labels: &[u32], count: usize, seed: u64) {
    let members = rows_of(labels);
    let wanted = |class: &Vec<usize>| (class.len() * count) as f64 / held.len() as f64;
    let mut counts: Vec<usize> = members.iter().map(|class| wanted(class).floor() as usize).collect();
    let mut order: Vec<usize> = (0..members.len()).filter(|&class| members[class].len() > 1).collect();
    let rest = |class: usize| wanted(&members[class]).fract();
    order.sort_by(|&a, &b| rest(b).total_cmp(&rest(a)).then(a.cmp(&b)));
    let left = count - counts.iter().sum::<usize>();
    for &class in order.iter().filter(|&&class| rest(class) > 0.0).take(left) {
        counts[class] += 1;
    }
    for (class, (rows, count)) in members.iter().zip(counts).enumerate() {
        let order = shuffled(&mut stream(seed, Purpose::Split, 1 + class as u64), rows.len() as u32);
        for &at in order.iter().take(count.min(rows.len().saturating_sub(1))) {
            held[rows[at as usize]] = true;
        }
    }
}

/// Holds whole groups back, about `count` rows.
fn hold_groups(held: &mut [bool], groups: &[u32], count: usize, seed: u64) -> Result<()> {
    let members = rows_of(groups);
    if members.iter().filter(|rows| !rows.is_empty()).count() < 2 {
        return Err(Error::config("data.group", "every row is of one group; name a column with two values at least"));
    }
    let order = shuffled(&mut stream(seed, Purpose::Split, 0), members.len() as u32);
    let order: Vec<&Vec<usize>> = order.into_iter().map(|group| &members[group as usize]).collect();
    let mut take = |rows: &[usize]| rows.iter().for_each(|row| held[*row] = true);
    let mut taken = 0;
    for rows in &order {
        if (taken + rows.len()).abs_diff(count) < count.abs_diff(taken) {
            take(rows);
            taken += rows.len();
        }
    }
    // Every group is far too large: the smallest is the nearest.
    let smallest = order.iter().filter(|rows| !rows.is_empty()).min_by_key(|rows| rows.len());
    if let (0, Some(rows)) = (taken, smallest) {
        take(rows);
    }
    Ok(())
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
    fn each_class_gives_its_share_and_keeps_a_row_to_train_on() {
        let labels: Vec<u32> = (0..100).map(|row| u32::from(row % 10 == 0) + 2 * u32::from(row == 5)).collect();
        let held = held_by(By::Classes(&labels), 100, 0.2, 3).unwrap();
        let count = |class| labels.iter().zip(&held).filter(|&(label, held)| *label == class && *held).count();
        assert_eq!([count(0), count(1), count(2)], [18, 2, 0]);
        assert_ne!(held, held_by(By::Classes(&labels), 100, 0.2, 4).unwrap());
        // Each class alone: nothing can be held back.
        let alone: Vec<u32> = (0..40).collect();
        assert!(!held_by(By::Classes(&alone), 40, 0.2, 0).unwrap().contains(&true));
        // Shares that leave rests: 3 of 15 rows, of classes with 5 rows each.
        let thirds: Vec<u32> = (0..15).map(|row| row % 3).collect();
        let held = held_by(By::Classes(&thirds), 15, 0.2, 0).unwrap();
        assert_eq!((0..3).map(|class| (0..15).filter(|&row| row % 3 == class && held[row]).count()).max(), Some(1));
    }

    #[test]
    fn the_last_rows_are_held_back_in_time() {
        let held = held_by(By::Last, 10, 0.3, 0).unwrap();
        assert_eq!(held.iter().position(|held| *held), Some(7));
        assert_eq!(held.iter().filter(|held| **held).count(), 3);
    }

    #[test]
    fn groups_stay_together() {
        let groups: Vec<u32> = (0..100).map(|row| row / 7).collect();
        for seed in 0..20 {
            let held = held_by(By::Groups(&groups), 100, 0.2, seed).unwrap();
            let count = held.iter().filter(|held| **held).count();
            assert!((17..=23).contains(&count), "{count}");
            assert!((1..100).all(|row| groups[row] != groups[row - 1] || held[row] == held[row - 1]));
        }
        assert!(held_by(By::Groups(&[0; 10]), 10, 0.2, 0).unwrap_err().to_string().starts_with("data.group: "));
        // One large group beside a small one.
        let two: Vec<u32> = (0..10).map(|row| u32::from(row == 0)).collect();
        let held = held_by(By::Groups(&two), 10, 0.2, 0).unwrap();
        assert_eq!(held.iter().position(|held| *held), Some(0));
        assert_eq!(held.iter().filter(|held| **held).count(), 1);
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
