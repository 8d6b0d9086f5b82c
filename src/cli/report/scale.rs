//! From values to places on an axis: its ends, its ticks, and the thinning of long curves.

use super::text;

/// The columns of the picture, about its pixels. A curve with more points is thinned.
pub const COLUMNS: usize = 600;

/// The least ratio for a logarithmic axis: 1.5 decades.
const LOG_RATIO: f64 = 31.7;

/// The quantity of an axis; decides its ends and labels.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Axis {
    /// A loss: logarithmic when it spans decades.
    Loss,
    /// Any other value.
    Value,
    /// A share of one, shown as a percentage.
    Share,
}

/// A labelled place on an axis.
#[derive(Clone, Debug, PartialEq)]
pub struct Tick {
    /// The value it marks.
    pub value: f64,
    /// Its label.
    pub label: String,
}

/// An axis from its low to its high end.
#[derive(Clone, Debug)]
pub struct Scale {
    low: f64,
    high: f64,
    /// Whether equal ratios, instead of equal differences, are equally far apart.
    pub log: bool,
    /// In ascending order.
    pub ticks: Vec<Tick>,
}

/// Whether a value can be drawn: finite, and far from where arithmetic on an axis would overflow.
pub fn drawable(value: f64) -> bool {
    value.abs() < 1e100
}

impl Scale {
    /// The axis that shows all the drawable `values`; `None` when there are none.
    pub fn of_values(values: impl Iterator<Item = f64>, axis: Axis) -> Option<Self> {
        let (low, high) = values
            .filter(|v| drawable(*v))
            .fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (v.min(low), v.max(high)));
        if low > high {
            None
        } else if axis == Axis::Loss && low > 1e-100 && high / low > LOG_RATIO {
            Some(Self::logarithmic(low, high))
        } else {
            Some(Self::linear(low, high, axis))
        }
    }

    /// An axis of whole numbers that ends exactly at the last one; a single one stands in the middle.
    pub fn of_counts(first: u64, last: u64) -> Self {
        let tick = |value: u64| Tick { value: value as f64, label: text::count(value) };
        if first >= last {
            return Self { low: first as f64 - 1.0, high: first as f64 + 1.0, log: false, ticks: vec![tick(first)] };
        }
        let low = if first < last / 4 { 0 } else { first };
        let step = round_step((last - low) as f64 / 6.0).max(1.0) as u64;
        let ticks = (low.div_ceil(step)..=last / step).map(|i| tick(i * step)).collect();
        Self { low: low as f64, high: last as f64, log: false, ticks }
    }

    /// Where `value` lies between the low end (0) and the high end (1).
    pub fn at(&self, value: f64) -> f64 {
        let part = if self.log {
            (value / self.low).ln() / (self.high / self.low).ln()
        } else {
            (value - self.low) / (self.high - self.low)
        };
        if part.is_finite() { part.clamp(0.0, 1.0) } else { 0.0 }
    }

    /// The values at both ends.
    pub fn ends(&self) -> (f64, f64) {
        (self.low, self.high)
    }

    fn linear(low: f64, high: f64, axis: Axis) -> Self {
        let (mut low, mut high) = (if low > 0.0 && low < 0.4 * high { 0.0 } else { low }, high);
        let size = low.abs().max(high.abs());
        if size < 1e-100 {
            (low, high) = (0.0, 1.0);
        } else if high - low < 1e-3 * size {
            // Almost constant: drawn in the middle, without blowing up its noise.
            (low, high) = (low - 0.1 * size, high + 0.1 * size);
        }
        if axis == Axis::Share && high <= 1.2 {
            high = high.min(1.0);
        }
        let step = round_step((high - low) / 5.0);
        let (first, last) = ((low / step + 1e-6).floor() as i64, (high / step - 1e-6).ceil() as i64);
        let label = |value: f64| match axis {
            Axis::Share => format!("{}\u{202f}%", text::tick(value * 100.0, step * 100.0)),
            _ => text::tick(value, step),
        };
        let ticks = (first..=last).map(|i| Tick { value: i as f64 * step, label: label(i as f64 * step) }).collect();
        Self { low: first as f64 * step, high: last as f64 * step, log: false, ticks }
    }

    fn logarithmic(low: f64, high: f64) -> Self {
        let digits: &[f64] = if high / low > 1e3 { &[1.0] } else { &[1.0, 2.0, 5.0] };
        let mut round: Vec<(f64, i32)> = Vec::new();
        for power in low.log10().floor() as i32..=high.log10().ceil() as i32 {
            round.extend(digits.iter().map(|digit| (digit * 10f64.powi(power), power)));
        }
        // The nearest round numbers outside, with room for rounding.
        let bottom = round.iter().rev().find(|(v, _)| *v <= low * 1.000_001).map_or(low, |(v, _)| *v);
        let top = round.iter().find(|(v, _)| *v >= high * 0.999_999).map_or(high, |(v, _)| *v);
        let stride = ((top / bottom).log10() / 6.0).ceil().max(1.0) as i32;
        let ticks = round
            .iter()
            .filter(|(v, power)| (bottom..=top).contains(v) && power % stride == 0)
            .map(|(v, power)| Tick { value: *v, label: text::tick(*v, 10f64.powi(*power)) })
            .collect();
        Self { low: bottom, high: top, log: true, ticks }
    }
}

/// The smallest of 1, 2, 5 × a power of ten that is at least `least`.
pub fn round_step(least: f64) -> f64 {
    if least.is_nan() || least <= 0.0 {
        return 1.0;
    }
    let power = 10f64.powi(least.log10().floor() as i32);
    [1.0, 2.0, 5.0].into_iter().map(|digit| digit * power).find(|s| *s >= least * 0.999_999).unwrap_or(10.0 * power)
}

/// Of points in ascending x, keeps the lowest and the highest of each of [`COLUMNS`], in their order, so that a spike
/// one point wide stays.
pub fn thin(points: &[(f64, f64)]) -> Vec<(f64, f64)> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    if points.len() <= COLUMNS {
        return points.to_vec();
    }
    let column = |x: f64| (((x - first.0) / (last.0 - first.0) * COLUMNS as f64) as usize).min(COLUMNS - 1);
    let mut kept = Vec::with_capacity(2 * COLUMNS);
    for group in points.chunk_by(|a, b| column(a.0) == column(b.0)) {
        let (mut low, mut high) = (0, 0);
        for (i, point) in group.iter().enumerate() {
            low = if point.1 < group[low].1 { i } else { low };
            high = if point.1 > group[high].1 { i } else { high };
        }
        kept.push(group[low.min(high)]);
        if low != high {
            kept.push(group[low.max(high)]);
        }
    }
    kept
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(values: &[f64], axis: Axis) -> Vec<String> {
        let scale = Scale::of_values(values.iter().copied(), axis);
        scale.map_or(Vec::new(), |s| s.ticks.into_iter().map(|t| t.label.replace('\u{202f}', " ")).collect())
    }

    #[test]
    fn ticks_are_round_numbers() {
        assert_eq!(labels(&[0.0, 2.3], Axis::Loss), ["0", "0.5", "1.0", "1.5", "2.0", "2.5"]);
        assert_eq!(labels(&[0.31, 0.97], Axis::Share), ["0 %", "20 %", "40 %", "60 %", "80 %", "100 %"]);
        assert_eq!(labels(&[1.0], Axis::Share).last().map(String::as_str), Some("100 %"));
    }

    #[test]
    fn a_loss_over_decades_gets_a_logarithmic_axis() {
        assert_eq!(labels(&[2.3, 0.02], Axis::Loss), ["0.02", "0.05", "0.1", "0.2", "0.5", "1", "2", "5"]);
        assert_eq!(labels(&[1e-9, 10.0], Axis::Loss), ["10⁻⁸", "10⁻⁶", "0.0001", "0.01", "1"]);
    }

    #[test]
    fn zero_and_negative_values_fall_back_to_a_linear_axis() {
        for values in [[0.0, 100.0], [-1.0, 100.0]] {
            assert!(Scale::of_values(values.into_iter(), Axis::Loss).is_some_and(|s| !s.log && s.ticks.len() > 2));
        }
    }

    #[test]
    fn constant_huge_and_tiny_values_have_an_axis_and_nothing_has_none() {
        for value in [0.0, 1.0, -3.5, 1e-45, 3.4e38, 0.100_000_1] {
            let scale = Scale::of_values([value, value].into_iter(), Axis::Loss);
            assert!(scale.is_some_and(|s| s.ticks.len() > 1 && (0.0..=1.0).contains(&s.at(value))), "{value}");
        }
        assert!(Scale::of_values([f64::NAN, f64::INFINITY].into_iter(), Axis::Loss).is_none());
    }

    #[test]
    fn counts_end_at_the_last_one_and_never_show_fractions() {
        let said = |first, last| Scale::of_counts(first, last).ticks.into_iter().map(|t| t.label).collect::<Vec<_>>();
        assert_eq!(said(1, 360), ["0", "100", "200", "300"]);
        assert_eq!(said(1, 1), ["1"]);
        assert_eq!(said(900, 1000), ["900", "920", "940", "960", "980", "1000"]);
        assert_eq!(said(0, 0), ["0"]);
    }

    #[test]
    fn thinning_keeps_spikes_and_the_limit() {
        let mut points: Vec<(f64, f64)> = (0..100_000).map(|i| (i as f64, 1.0 + (i % 7) as f64)).collect();
        points[54_321].1 = 99.0;
        points[54_322].1 = -99.0;
        let kept = thin(&points);
        assert!(kept.len() <= 2 * COLUMNS);
        assert!(kept.contains(&(54_321.0, 99.0)) && kept.contains(&(54_322.0, -99.0)));
        assert!(kept.is_sorted_by(|a, b| a.0 < b.0));
    }
}
