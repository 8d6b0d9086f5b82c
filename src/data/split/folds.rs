//! Parts of about the same size, for a cross-validation.

use super::{By, numbered, rows_of};
use crate::random::{Purpose, shuffled, stream};
use crate::{Error, Result};

const FIELD: &str = "--folds";

/// Divides rows into `count` parts of about the same size, by seed, and returns the part of each row, counted from 0: parts to
/// validate on one after the other. The result depends on the arguments alone.
///
/// * Of each class every part has the same number of rows, or one more.
/// * Groups stay whole: the largest first, each goes to the part that has the fewest rows until then.
///
/// # Errors
/// [`Error::Config`] for fewer than two parts, fewer rows or groups than parts, and [`By::Last`]; [`Error::Data`] for more rows
/// than can be numbered in 32 bits.
pub fn folds(by: By, rows: usize, count: u32, seed: u64) -> Result<Vec<u32>> {
    if count < 2 {
        return Err(Error::config(FIELD, format!("{count} is not a number of folds; give 2 or more")));
    }
    let total = numbered(rows)?;
    if total < count {
        return Err(Error::config(
            FIELD,
            format!("{count} is more than the {rows} rows; each fold needs one at least"),
        ));
    }
    let order: Vec<usize> = match by {
        By::Seed => drawn(total, seed, 0).collect(),
        By::Classes(labels) => {
            let members = rows_of(labels);
            let class = |(class, rows): (usize, &Vec<usize>)| -> Vec<usize> {
                drawn(rows.len() as u32, seed, 1 + class as u64).map(|at| rows[at]).collect()
            };
            members.iter().enumerate().flat_map(class).collect()
        }
        By::Groups(groups) => return folds_of_groups(groups, count, seed),
        By::Last => {
            let message = "\"last\" holds only the last rows back, but each fold holds back others; take \"random\"";
            return Err(Error::config("data.split", message));
        }
    };
    // Dealt out like cards, class after class.
    let mut folds = vec![0; rows];
    order.into_iter().zip((0..count).cycle()).for_each(|(row, fold)| folds[row] = fold);
    Ok(folds)
}

fn folds_of_groups(groups: &[u32], count: u32, seed: u64) -> Result<Vec<u32>> {
    let members = rows_of(groups);
    let mut order: Vec<&Vec<usize>> = drawn(members.len() as u32, seed, 0).map(|group| &members[group]).collect();
    order.retain(|rows| !rows.is_empty());
    if order.len() < count as usize {
        let message = format!("{count} is more than the {} groups, which stay whole; give fewer", order.len());
        return Err(Error::config(FIELD, message));
    }
    order.sort_by_key(|rows| std::cmp::Reverse(rows.len()));
    let (mut folds, mut sizes) = (vec![0; groups.len()], vec![0; count as usize]);
    for rows in order {
        let smallest = (0..sizes.len()).min_by_key(|&fold| sizes[fold]).unwrap_or(0);
        sizes[smallest] += rows.len();
        rows.iter().for_each(|&row| folds[row] = smallest as u32);
    }
    Ok(folds)
}

/// The numbers below `count` in an order by seed.
fn drawn(count: u32, seed: u64, index: u64) -> impl Iterator<Item = usize> {
    shuffled(&mut stream(seed, Purpose::Split, index), count).into_iter().map(|at| at as usize)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The rows of each part for which something holds.
    fn sizes(folds: &[u32], count: u32, of: impl Fn(usize) -> bool) -> Vec<usize> {
        (0..count).map(|fold| (0..folds.len()).filter(|&row| folds[row] == fold && of(row)).count()).collect()
    }

    /// Whether the numbers differ by one at most.
    fn alike(sizes: &[usize]) -> bool {
        sizes.iter().max().unwrap() - sizes.iter().min().unwrap() <= 1
    }

    #[test]
    fn folds_have_as_many_rows_of_each_class() {
        let labels: Vec<u32> = (0..103).map(|row| u32::from(row % 3 == 0) + u32::from(row % 30 == 0)).collect();
        for seed in 0..5 {
            for count in [2, 3, 5, 10, 103] {
                for by in [By::Classes(&labels), By::Seed] {
                    let folds = folds(by, 103, count, seed).unwrap();
                    assert_eq!(folds.len(), 103, "each row is in one of them");
                    let all = sizes(&folds, count, |_| true);
                    assert!(alike(&all) && all.iter().sum::<usize>() == 103 && !all.contains(&0), "{all:?}");
                    let stratified = (0..3).all(|class| alike(&sizes(&folds, count, |row| labels[row] == class)));
                    assert!(stratified || by == By::Seed, "{count} folds, seed {seed}");
                }
            }
        }
        let by = |seed| folds(By::Classes(&labels), 103, 5, seed).unwrap();
        assert!(by(1) == by(1) && by(1) != by(2));
    }

    #[test]
    fn folds_keep_groups_whole_and_about_as_large() {
        let groups: Vec<u32> = (0..100).map(|row| row / 7).collect();
        for seed in 0..20 {
            let folds = folds(By::Groups(&groups), 100, 4, seed).unwrap();
            assert!((1..100).all(|row| groups[row] != groups[row - 1] || folds[row] == folds[row - 1]));
            let sizes = sizes(&folds, 4, |_| true);
            assert!(sizes.iter().all(|size| (21..=28).contains(size)), "{sizes:?}");
        }
        let message = folds(By::Groups(&groups), 100, 16, 0).unwrap_err().to_string();
        assert_eq!(message, "--folds: 16 is more than the 15 groups, which stay whole; give fewer");
    }

    #[test]
    fn the_folds_of_a_seed_never_change() {
        assert_eq!(folds(By::Seed, 12, 3, 0).unwrap(), [2, 0, 1, 1, 1, 2, 2, 1, 0, 0, 2, 0]);
        assert_eq!(folds(By::Classes(&[0, 0, 0, 0, 0, 1, 1, 1]), 8, 2, 0).unwrap(), [1, 0, 0, 0, 1, 1, 0, 1]);
    }

    #[test]
    fn what_cannot_be_divided_is_refused() {
        let said = |by, rows, count| folds(by, rows, count, 0).unwrap_err().to_string();
        assert_eq!(said(By::Seed, 9, 1), "--folds: 1 is not a number of folds; give 2 or more");
        assert_eq!(said(By::Seed, 3, 4), "--folds: 4 is more than the 3 rows; each fold needs one at least");
        assert!(said(By::Last, 9, 3).starts_with("data.split: \"last\" holds only the last rows back"));
    }
}
