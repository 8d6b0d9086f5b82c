//! The curve of a range test in plain characters.

use super::progress::number;
use crate::recipe::Point;

const LINES: usize = 12;
const COLUMNS: usize = 60;

/// The smoothed loss over the learning rate, whose axis is logarithmic. A mark is a letter on the axis at a learning rate.
pub fn drawn(points: &[Point], marks: &[(char, f64)]) -> Vec<String> {
    let (Some(first), Some(last)) = (points.first(), points.last()) else { return Vec::new() };
    let (from, to) = (first.lr.ln(), last.lr.ln());
    if to <= from {
        return Vec::new();
    }
    let column = |lr: f64| ((lr.ln() - from) / (to - from) * (COLUMNS - 1) as f64).round() as usize;
    let (low, top) = bounds(points);
    // The line of each column.
    let height = |at: usize| {
        let lr = from + (to - from) * at as f64 / (COLUMNS - 1) as f64;
        let share = (top - between(points, lr).min(top)) / (top - low);
        (share * (LINES - 1) as f64).round() as usize
    };
    let heights: Vec<usize> = (0..COLUMNS).map(height).collect();
    let line = |at: usize| {
        let label = match at {
            0 => number(top),
            _ if at == LINES - 1 => number(low),
            _ => String::new(),
        };
        let cells: String = heights.iter().map(|&height| if height == at { '*' } else { ' ' }).collect();
        format!("{label:>10} |{cells}").trim_end().to_owned()
    };
    let mut lines: Vec<String> = (0..LINES).map(line).collect();
    let mut axis = vec!['-'; COLUMNS];
    marks.iter().for_each(|&(letter, lr)| axis[column(lr).min(COLUMNS - 1)] = letter);
    lines.push(format!("{:>10} +{}", "", axis.iter().collect::<String>()));
    lines.push(format!("{:>10} {}", "lr", ticks(first.lr, last.lr, column)));
    lines
}

/// The least smoothed loss, and a bit more than the most before it: where the loss explodes, the curve leaves the picture.
fn bounds(points: &[Point]) -> (f64, f64) {
    let (mut low, mut most, mut top) = (f64::INFINITY, f64::NEG_INFINITY, f64::NEG_INFINITY);
    for point in points {
        most = most.max(point.smoothed);
        if point.smoothed < low {
            (low, top) = (point.smoothed, most);
        }
    }
    let top = most.min(top + 0.25 * (top - low));
    (low, if top > low { top } else { low + 1.0 })
}

/// The smoothed loss at the logarithm of a learning rate, on straight lines between the points.
fn between(points: &[Point], lr: f64) -> f64 {
    let after = points.partition_point(|point| point.lr.ln() < lr).clamp(1, points.len() - 1);
    let (left, right) = (&points[after - 1], &points[after]);
    let share = (lr - left.lr.ln()) / (right.lr.ln() - left.lr.ln());
    left.smoothed + (right.smoothed - left.smoothed) * share.clamp(0.0, 1.0)
}

/// The powers of ten below the axis, those that have room.
fn ticks(first: f64, last: f64, column: impl Fn(f64) -> usize) -> String {
    let mut text = String::new();
    let powers = (first.log10() - 1e-9).ceil() as i32..=(last.log10() + 1e-9).floor() as i32;
    for power in powers {
        let lr = 10f64.powi(power);
        // The plot begins right of the axis.
        let at = 1 + column(lr.clamp(first, last));
        if text.is_empty() || text.len() < at {
            text += &" ".repeat(at.saturating_sub(text.len()));
            text += &digits(lr);
        }
    }
    text
}

/// A learning rate in two digits, as a configuration takes it.
pub fn digits(lr: f64) -> String {
    let lr: f64 = format!("{lr:.1e}").parse().unwrap_or(lr);
    plain(lr)
}

/// A learning rate in all its digits: 0.05, 1e-6.
pub fn plain(lr: f64) -> String {
    if (1e-3..1e4).contains(&lr) { lr.to_string() } else { format!("{lr:e}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn point(power: f64, smoothed: f64) -> Point {
        Point { update: 1, lr: 10f64.powf(power), loss: smoothed, smoothed }
    }

    #[test]
    fn a_curve_falls_and_rises_over_powers_of_ten() {
        let points: Vec<Point> = [(-3.0, 2.0), (-1.0, 0.0), (0.0, 5.0)].map(|(x, y)| point(x, y)).to_vec();
        let wanted = "
    2.5000 |                                                 ***********
           |                                                *
           |**                                             *
           |  ****
           |      *****                                   *
           |           ****                              *
           |               *****                        *
           |                    ****                   *
           |                        *****             *
           |                             ****        *
           |                                 *****  *
    0.0000 |                                      **
           +------------------S--------------------M--------------------
        lr  0.001               0.01               0.1                 1";
        let shown = drawn(&points, &[('S', 10f64.powf(-2.08)), ('M', 0.1)]);
        assert_eq!(shown.join("\n"), wanted.trim_start_matches('\n'));
    }

    #[test]
    fn any_points_are_drawn_within_the_picture() {
        for count in 0..5 {
            for power in [-30.0, -6.0, 37.0] {
                for losses in [[1.0; 5], [1e30, 1.0, 1e30, 1e38, 0.0], [3.0, 2.0, 1.0, 0.5, 0.25]] {
                    let points: Vec<Point> = (0..count).map(|at| point(power + at as f64 / 9.0, losses[at])).collect();
                    let lines =
                        drawn(&points, &points.first().map(|point| ('S', point.lr)).into_iter().collect::<Vec<_>>());
                    assert_eq!(lines.len(), if count < 2 { 0 } else { LINES + 2 });
                    assert!(lines.iter().all(|line| line.is_ascii() && line.len() <= 80), "{lines:#?}");
                }
            }
        }
    }

    #[test]
    fn a_learning_rate_has_two_digits_and_is_toml() {
        let shown = [1.234e-7, 0.000_996, 0.001, 0.012_345, 0.1, 3.0, 10.0, 123_456.0].map(digits);
        assert_eq!(shown, ["1.2e-7", "0.001", "0.001", "0.012", "0.1", "3", "10", "1.2e5"]);
        for lr in shown {
            assert!(format!("lr = {lr}").parse::<toml::Table>().is_ok(), "{lr}");
        }
    }
}
