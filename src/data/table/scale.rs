//! The scale of a column of numbers: from the number in the file to the feature.

use serde::{Deserialize, Serialize};

use super::Scaling;

/// From a number to a feature: `v = (x − center) · factor`, and with `clip` `v / √(1 + (v/3)²)`, which stays within ±3.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Scale {
    /// What becomes 0.
    pub center: f64,
    /// What one unit becomes; 0 for a column that does not vary.
    pub factor: f64,
    /// Whether far values are drawn in.
    pub clip: bool,
}

impl Scale {
    /// Numbers stay as they are.
    pub const NONE: Scale = Scale { center: 0.0, factor: 1.0, clip: false };

    /// The feature of a number, in `f64`.
    pub fn apply(&self, x: f64) -> f64 {
        // A product with 0 would not be a number where the difference is infinite.
        if self.factor == 0.0 {
            return 0.0;
        }
        let v = (x - self.center) * self.factor;
        if !self.clip {
            return v;
        }
        let far = v / 3.0;
        // The square of a far value would be infinite, and the value 0.
        if far.abs() > 1e9 { 3.0 * far.signum() } else { v / (1.0 + far * far).sqrt() }
    }

    /// Measures the numbers of a column: all of them sorted, of which there is at least one, with their mean and deviation.
    ///
    /// Robust: the median becomes 0, and the middle half of the numbers one unit wide; where that half is one number, all of them
    /// become two units wide instead. A column that does not vary becomes 0.
    pub(super) fn fit(scaling: Scaling, sorted: &[f64], (mean, std): (f64, f64)) -> Scale {
        let width = |low: f64, high: f64, units: f64| (high > low).then(|| units / (high - low));
        match scaling {
            Scaling::None => Scale::NONE,
            Scaling::Standard => {
                let varies = sorted.first() != sorted.last();
                Scale { center: mean, factor: if varies { 1.0 / std } else { 0.0 }, clip: false }
            }
            Scaling::Robust => {
                let [first, .., last] = sorted else {
                    return Scale { center: quantile(sorted, 0.5), factor: 0.0, clip: true };
                };
                let middle = width(quantile(sorted, 0.25), quantile(sorted, 0.75), 1.0);
                let factor = middle.or(width(*first, *last, 2.0)).unwrap_or(0.0);
                Scale { center: quantile(sorted, 0.5), factor, clip: true }
            }
        }
    }

    /// Both numbers can be used.
    pub(super) fn check(&self) -> Result<(), String> {
        match self.center.is_finite() && self.factor.is_finite() && self.factor >= 0.0 {
            true => Ok(()),
            false => Err(format!("center {:e} and factor {:e} are no scale", self.center, self.factor)),
        }
    }
}

/// The number below which a share of sorted numbers lies, between the two nearest of them in proportion; 0 if there are none.
pub(super) fn quantile(sorted: &[f64], share: f64) -> f64 {
    let Some(last) = sorted.len().checked_sub(1) else { return 0.0 };
    let place = last as f64 * share;
    let (below, part) = (place.floor() as usize, place.fract());
    let (low, high) = (sorted[below], sorted[(below + 1).min(last)]);
    low + (high - low) * part
}

/// Mean and standard deviation of numbers that count as much as their weights say, in two passes. A number that is not one is
/// passed over. Numbers that are all the same have just that mean and the deviation 1, and so does no number at all, with mean 0.
pub(super) fn moments(values: &[f64], weights: Option<&[f64]>) -> (f64, f64) {
    let counting = || {
        let weight = |at: usize| weights.map_or(1.0, |weights| weights[at]);
        values.iter().enumerate().filter(|(_, value)| !value.is_nan()).map(move |(at, value)| (*value, weight(at)))
    };
    let Some((first, _)) = counting().next() else { return (0.0, 1.0) };
    // By comparison, not by a deviation of 0: the mean is rounded, so a constant column can deviate from it.
    if counting().all(|(value, _)| value == first) {
        return (first, 1.0);
    }
    let total: f64 = counting().map(|(_, weight)| weight).sum();
    let mean = counting().map(|(value, weight)| weight * value).sum::<f64>() / total;
    let square = counting().map(|(value, weight)| weight * (value - mean).powi(2)).sum::<f64>();
    (mean, (square / total).sqrt())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_robust_scale_makes_the_middle_half_one_unit_wide() {
        let fit = |values: &[f64]| Scale::fit(Scaling::Robust, values, (0.0, 1.0));
        assert_eq!(fit(&[0.0, 1.0, 2.0, 3.0, 100.0]), Scale { center: 2.0, factor: 0.5, clip: true });
        assert_eq!(fit(&[0.0, 5.0, 5.0, 5.0, 10.0]), Scale { center: 5.0, factor: 0.2, clip: true });
        assert_eq!(fit(&[5.0, 5.0]), Scale { center: 5.0, factor: 0.0, clip: true });
        assert_eq!(fit(&[7.0]), Scale { center: 7.0, factor: 0.0, clip: true });
        assert_eq!(fit(&[]), Scale { center: 0.0, factor: 0.0, clip: true });
    }

    #[test]
    fn a_clipped_value_stays_within_three() {
        let scale = Scale { center: 1.0, factor: 2.0, clip: true };
        assert_eq!(scale.apply(1.0), 0.0);
        assert_eq!(scale.apply(2.5), 3.0 / 2f64.sqrt());
        assert_eq!(scale.apply(-0.5), -3.0 / 2f64.sqrt());
        for x in [1e3, 1e12, 1e300, f64::MAX] {
            let v = scale.apply(x);
            assert!(v > 2.99 && v <= 3.0, "{x}: {v}");
        }
        assert_eq!(Scale { factor: 0.0, ..scale }.apply(f64::MAX), 0.0);
        assert_eq!(Scale::NONE.apply(1e300), 1e300);
    }

    #[test]
    fn quantiles_lie_between_the_two_nearest_numbers() {
        let sorted = [1.0, 2.0, 4.0, 8.0];
        assert_eq!([0.0, 0.25, 0.5, 1.0].map(|share| quantile(&sorted, share)), [1.0, 1.75, 3.0, 8.0]);
    }

    #[test]
    fn moments_count_by_weight_and_pass_over_what_is_missing() {
        assert_eq!(moments(&[1.0, 3.0, f64::NAN, 5.0, 7.0], None), (4.0, 5f64.sqrt()));
        let weighted = moments(&[1.0, 5.0, 3.0], Some(&[1.0, 2.0, 1.0]));
        assert_eq!(weighted, moments(&[1.0, 5.0, 5.0, 3.0], None));
        assert_eq!(moments(&[0.1; 9], None), (0.1, 1.0));
        assert_eq!(moments(&[f64::NAN], None), (0.0, 1.0));
    }

    #[test]
    fn large_numbers_that_differ_by_one_are_told_apart() {
        let values: Vec<f64> = (0..400).map(|i| 1_700_000_000.0 + f64::from(i)).collect();
        let (mean, std) = moments(&values, None);
        assert_eq!(mean, 1_700_000_199.5);
        let scale = Scale::fit(Scaling::Standard, &values, (mean, std));
        let scaled: Vec<f32> = values.iter().map(|x| scale.apply(*x) as f32).collect();
        for (at, pair) in scaled.windows(2).enumerate() {
            let step = f64::from(pair[1]) - f64::from(pair[0]);
            assert!((step * std - 1.0).abs() < 1e-4, "{at}: {step}");
        }
    }
}
