//! Standardisation: each column is shifted to mean 0 and scaled to standard deviation 1.

use serde::{Deserialize, Serialize};

use super::Elements;
use crate::{Error, Result};

/// Mean and standard deviation of each column, as found in the training rows; saved with the model.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Standardizer {
    /// Mean of each column.
    pub mean: Vec<f64>,
    /// Standard deviation of each column over the rows given (divided by n, not n − 1, or by their weight); 1 for a
    /// constant column.
    pub std: Vec<f64>,
}

impl Standardizer {
    /// Measures the columns of a `(rows, columns)` row-major matrix of finite numbers, in `f64` and in two passes.
    ///
    /// A column that holds one and the same number gets that number as its mean and 1 as its deviation: it becomes 0.
    pub fn fit(values: &[f32], columns: usize) -> Result<Self> {
        Self::fit_weighted(values, columns, None)
    }

    /// As [`Standardizer::fit`], where a row counts as much as its weight says: one of weight 2 like two rows, one of weight
    /// 0 not at all, whatever it holds.
    pub fn fit_weighted(values: &[f32], columns: usize, weights: Option<&[f32]>) -> Result<Self> {
        Self::fit_positions(Elements::F32(values), columns, 1, weights)
    }

    /// As [`Standardizer::fit_weighted`] for `(rows, positions, columns)`: one mean and deviation for all positions of a column,
    /// such as a channel of images.
    /// Numbers of any type are measured as they are, without a copy.
    pub fn fit_positions(values: Elements, columns: usize, positions: usize, weights: Option<&[f32]>) -> Result<Self> {
        match values {
            Elements::F32(values) => Self::fit_numbers(values, columns, positions, weights),
            Elements::U8(values) => Self::fit_numbers(values, columns, positions, weights),
            Elements::U16(values) => Self::fit_numbers(values, columns, positions, weights),
            Elements::U32(values) => Self::fit_numbers(values, columns, positions, weights),
        }
    }

    fn fit_numbers<T: Copy + Into<f64> + PartialEq>(
        values: &[T],
        columns: usize,
        positions: usize,
        weights: Option<&[f32]>,
    ) -> Result<Self> {
        check_columns(values.len(), columns.saturating_mul(positions))?;
        let rows = values.len() / columns / positions;
        if let Some(weights) = weights.filter(|weights| weights.len() != rows) {
            let message = format!("{} weights for {rows} rows", weights.len());
            return Err(Error::Shape { op: "standardize", message });
        }
        let weight = |row: usize| weights.map_or(1.0, |weights| f64::from(weights[row / positions]));
        let counting = || values.chunks_exact(columns).enumerate().filter(|&(row, _)| weight(row) != 0.0);
        let Some((first, _)) = counting().next() else {
            return Err(Error::data("standardize", "there are no rows to take means and deviations from"));
        };
        let first = &values[first * columns..];
        let total: f64 = counting().map(|(row, _)| weight(row)).sum();
        let mut mean = vec![0.0; columns];
        for (row, cells) in counting() {
            mean.iter_mut().zip(cells).for_each(|(sum, x)| *sum += weight(row) * (*x).into());
        }
        mean.iter_mut().for_each(|sum| *sum /= total);
        let mut std = vec![0.0; columns];
        for (row, cells) in counting() {
            for (column, x) in cells.iter().enumerate() {
                std[column] += weight(row) * ((*x).into() - mean[column]).powi(2);
            }
        }
        std.iter_mut().for_each(|sum| *sum = (*sum / total).sqrt());
        // By comparison, not by a deviation of 0: the mean is rounded, so a constant column can deviate from it.
        for column in 0..columns {
            if counting().all(|(_, cells)| cells[column] == first[column]) {
                (mean[column], std[column]) = (first[column].into(), 1.0);
            }
            if !mean[column].is_finite() || !std[column].is_finite() {
                return Err(Error::data("standardize", format!("column {column} holds a number that is not finite")));
            }
        }
        Ok(Standardizer { mean, std })
    }

    /// How many columns were measured.
    pub fn columns(&self) -> usize {
        self.mean.len()
    }

    /// The mean and the deviation of a column, which are those of its channel where channels were measured.
    pub fn of(&self, column: usize) -> (f64, f64) {
        let channel = column % self.mean.len();
        (self.mean[channel], self.std[channel])
    }

    /// Standardises a `(rows, columns)` row-major matrix in place: `(x − mean) / std`, in `f64`, rounded once. `columns` are those
    /// that were measured, or those at all positions of as many channels.
    ///
    /// After an error the rows before the one that is named are already changed.
    pub fn apply(&self, values: &mut [f32], columns: usize) -> Result<()> {
        self.apply_from(values, columns, 0)
    }

    /// As [`Standardizer::apply`], for rows that an error counts from `first`.
    pub(crate) fn apply_from(&self, values: &mut [f32], columns: usize, first: usize) -> Result<()> {
        self.map(values, columns, first, |x, mean, std| (x - mean) / std)
    }

    /// Gives standardised numbers their unit back: `x · std + mean`, in `f64`, rounded once.
    ///
    /// After an error the rows before the one that is named are already changed.
    pub fn invert(&self, values: &mut [f32], columns: usize) -> Result<()> {
        self.map(values, columns, 0, |x, mean, std| x * std + mean)
    }

    /// The same numbers, not rounded to f32; an error counts rows from `first`.
    ///
    /// # Errors
    /// [`Error::Data`] for a number that is not finite, [`Error::Shape`] for other columns than were measured.
    pub fn inverted(&self, values: &[f32], columns: usize, first: usize) -> Result<Vec<f64>> {
        self.check_columns(values, columns)?;
        let invert = |(place, &x): (usize, &f32)| {
            let (mean, std) = self.of(place);
            let inverted = f64::from(x) * std + mean;
            if inverted.is_finite() { Ok(inverted) } else { Err(self.not_finite(x, place, columns, first)) }
        };
        values.iter().enumerate().map(invert).collect()
    }

    /// Puts `change(x, mean, std)` in the place of each number; what is not finite afterwards is an error.
    fn map(
        &self,
        values: &mut [f32],
        columns: usize,
        first: usize,
        change: impl Fn(f64, f64, f64) -> f64,
    ) -> Result<()> {
        self.check_columns(values, columns)?;
        for (place, x) in values.iter_mut().enumerate() {
            let (mean, std) = self.of(place);
            let changed = change(f64::from(*x), mean, std) as f32;
            if !changed.is_finite() {
                return Err(self.not_finite(*x, place, columns, first));
            }
            *x = changed;
        }
        Ok(())
    }

    fn check_columns(&self, values: &[f32], columns: usize) -> Result<()> {
        if columns.checked_rem(self.mean.len()) != Some(0) || self.mean.len() != self.std.len() {
            let message = format!("{columns} columns were given, but {} were measured", self.mean.len());
            return Err(Error::Shape { op: "standardize", message });
        }
        check_columns(values.len(), columns)
    }

    fn not_finite(&self, x: f32, place: usize, columns: usize, first: usize) -> Error {
        let (row, column) = (first + place / columns, place % columns);
        let (mean, std) = self.of(column);
        let message = format!(
            "row {row}, column {column}: {x:e} with mean {mean:e} and deviation {std:e} does not give a finite number; \
             look for an extreme value there"
        );
        Error::data("standardize", message)
    }
}

/// Whole rows, of at least one column.
fn check_columns(values: usize, columns: usize) -> Result<()> {
    if values.checked_rem(columns) == Some(0) {
        return Ok(());
    }
    let message = format!("{values} values do not make whole rows of {columns} columns");
    Err(Error::Shape { op: "standardize", message })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_get_mean_zero_and_deviation_one() {
        let mut values = [1.0, 10.0, 3.0, 30.0, 5.0, 20.0, 7.0, 40.0];
        let scale = Standardizer::fit(&values, 2).unwrap();
        assert_eq!(scale, Standardizer { mean: vec![4.0, 25.0], std: vec![5f64.sqrt(), 125f64.sqrt()] });
        scale.apply(&mut values, 2).unwrap();
        let again = Standardizer::fit(&values, 2).unwrap();
        assert!(again.mean.iter().all(|mean| mean.abs() < 1e-7));
        assert!(again.std.iter().all(|std| (std - 1.0).abs() < 1e-7));
    }

    #[test]
    fn a_constant_column_becomes_zero_exactly() {
        let mut values = [0.1_f32; 1000];
        let scale = Standardizer::fit(&values, 1).unwrap();
        assert_eq!((scale.mean[0], scale.std[0]), (f64::from(0.1_f32), 1.0));
        scale.apply(&mut values, 1).unwrap();
        assert!(values.iter().all(|x| *x == 0.0));
    }

    #[test]
    fn a_small_spread_far_from_zero_is_kept() {
        let values = [16777214.0, 16777215.0, 16777216.0];
        let scale = Standardizer::fit(&values, 1).unwrap();
        assert!((scale.std[0] - (2f64 / 3.0).sqrt()).abs() < 1e-12);
    }

    #[test]
    fn a_row_counts_as_much_as_its_weight() {
        let (values, twice) = ([1.0, 9.0, 5.0, 4.0, 3e38, -7.0], [1.0, 9.0, 5.0, 4.0, 5.0, 4.0]);
        let weighted = Standardizer::fit_weighted(&values, 2, Some(&[1.0, 2.0, 0.0])).unwrap();
        assert_eq!(weighted, Standardizer::fit(&twice, 2).unwrap());
        let alike = Standardizer::fit_weighted(&values, 2, Some(&[0.5; 3])).unwrap();
        assert_eq!(alike, Standardizer::fit(&values, 2).unwrap());
        let constant = Standardizer::fit_weighted(&[7.0, 0.1, 0.1], 1, Some(&[0.0, 0.3, 0.7])).unwrap();
        assert_eq!((constant.mean[0], constant.std[0]), (f64::from(0.1_f32), 1.0));
        assert!(Standardizer::fit_weighted(&values, 2, Some(&[0.0; 3])).is_err());
        assert!(Standardizer::fit_weighted(&values, 2, Some(&[1.0; 2])).is_err());
    }

    #[test]
    fn all_positions_of_a_channel_have_one_scale() {
        // (rows, positions, channels)
        let mut values = [0.0, 10.0, 2.0, 10.0, 4.0, 10.0, 6.0, 10.0];
        let scale = Standardizer::fit_positions((&values).into(), 2, 2, Some(&[1.0, 1.0])).unwrap();
        assert_eq!(scale, Standardizer { mean: vec![3.0, 10.0], std: vec![5f64.sqrt(), 1.0] });
        let second = Standardizer::fit_positions((&values).into(), 2, 2, Some(&[0.0, 1.0])).unwrap();
        assert_eq!(second.mean, [5.0, 10.0]);
        let bytes = Elements::U8(&[0, 10, 2, 10, 4, 10, 6, 10]);
        assert_eq!(Standardizer::fit_positions(bytes, 2, 2, None).unwrap(), scale);
        let all = Standardizer::fit(&values, 2).unwrap();
        assert_eq!(all, scale);
        scale.apply(&mut values, 4).unwrap();
        assert_eq!((values[1], values[6]), (0.0, (3.0 / 5f64.sqrt()) as f32));
        scale.invert(&mut values, 4).unwrap();
        assert_eq!((values[1], scale.of(3)), (10.0, (10.0, 1.0)));
        assert!(Standardizer::fit_positions((&values).into(), 2, 3, None).is_err());
        let message = scale.apply(&mut [f32::MAX, 0.0, 0.0, 0.0, f32::NAN, 0.0, 0.0, 0.0], 4).unwrap_err().to_string();
        assert!(message.starts_with("standardize: row 1, column 0: NaN"), "{message}");
    }

    #[test]
    fn inverting_gives_the_numbers_back() {
        let original = [1.0, -200.0, 2.5, 300.0, -7.0, 0.125];
        let scale = Standardizer::fit(&original, 2).unwrap();
        let mut values = original;
        scale.apply(&mut values, 2).unwrap();
        scale.invert(&mut values, 2).unwrap();
        for (back, x) in values.iter().zip(original) {
            assert!((back - x).abs() <= 1e-4, "{back} {x}");
        }
    }

    #[test]
    fn another_number_of_columns_is_refused() {
        let scale = Standardizer::fit(&[1.0, 2.0, 3.0, 4.0], 2).unwrap();
        let message = scale.apply(&mut [1.0, 2.0, 3.0], 3).unwrap_err().to_string();
        assert_eq!(message, "standardize: 3 columns were given, but 2 were measured");
        assert!(scale.apply(&mut [1.0, 2.0, 3.0], 2).is_err());
        assert!(Standardizer::fit(&[1.0, 2.0, 3.0], 2).is_err());
        assert!(Standardizer::fit(&[1.0], 0).is_err());
        assert!(Standardizer::fit(&[], 2).is_err());
    }

    #[test]
    fn what_would_not_be_finite_is_refused_with_its_place() {
        let scale = Standardizer { mean: vec![0.0], std: vec![1e-30] };
        let message = scale.apply(&mut [0.0, 1e20], 1).unwrap_err().to_string();
        assert!(message.starts_with("standardize: row 1, column 0: 1e20 with mean 0e0"), "{message}");
        assert!(Standardizer { mean: vec![0.0], std: vec![0.0] }.apply(&mut [1.0], 1).is_err());
        assert!(Standardizer::fit(&[1.0, f32::NAN], 1).is_err());
        assert!(Standardizer::fit(&[f32::INFINITY; 2], 1).is_err());
    }
}
