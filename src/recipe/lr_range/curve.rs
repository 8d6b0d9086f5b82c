//! The losses of a range test, and the learning rate that they propose.

use serde::Serialize;

/// How many times its least the loss may be.
const RISE: f64 = 4.0;

/// A loss that falls less than to this share of its most has not fallen: rounding and the windows' rows move it, too.
const FALL: f64 = 0.98;

/// The loss over the learning rate.
#[derive(Clone, Debug, PartialEq)]
pub struct Curve {
    /// In the order of the updates.
    pub points: Vec<Point>,
    /// Why the test ended before its last update.
    pub ending: Option<Ending>,
    /// A twentieth of the test: updates over which losses are averaged, and by which the slope looks to each side.
    span: usize,
    updates: u32,
    sum: f64,
    weight: f64,
    least: f64,
}

/// An update of a range test.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Point {
    /// Its number, from 1.
    pub update: u64,
    /// The learning rate, as `optimizer.lr`.
    pub lr: f64,
    /// The loss of its window, before the update.
    pub loss: f64,
    /// The exponential average of the losses so far, corrected for its beginning. A loss has 1 − 20 / updates of the weight of
    /// the next one: 0.8 with 100 updates, and with 1000 the 0.98 that is usual.
    pub smoothed: f64,
}

/// Why a range test ended early.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Ending {
    /// The smoothed loss was more than four times its least.
    Risen,
    /// A loss, a gradient or a parameter was infinite or NaN.
    NotFinite,
    /// On request.
    Stopped,
}

/// The learning rates that a range test proposes.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Proposed {
    /// Where the smoothed loss falls fastest over the logarithm of the learning rate, before its least. An average lags, by a
    /// twentieth of the test at most.
    pub steepest: f64,
    /// Where the smoothed loss is least.
    pub minimum: f64,
}

impl Proposed {
    /// A tenth of that of the least loss.
    pub fn tenth(&self) -> f64 {
        self.minimum / 10.0
    }
}

impl Curve {
    /// An empty one of a test of so many updates.
    pub(super) fn new(updates: u32) -> Curve {
        let span = (updates as usize / 20).max(1);
        Curve { points: Vec::new(), ending: None, span, updates, sum: 0.0, weight: 0.0, least: f64::INFINITY }
    }

    /// Adds an update, unless its loss is not finite, and decides whether the test ends with it.
    pub(super) fn add(&mut self, update: u64, lr: f64, loss: f64) {
        if !loss.is_finite() {
            self.ending = Some(Ending::NotFinite);
            return;
        }
        let keep = 1.0 - 1.0 / self.span as f64;
        self.sum = keep * self.sum + (1.0 - keep) * loss;
        self.weight = keep * self.weight + (1.0 - keep);
        let smoothed = self.sum / self.weight;
        self.least = self.least.min(smoothed);
        // The first averages are of few losses.
        if smoothed > RISE * self.least && self.points.len() >= self.updates as usize / 10 {
            self.ending = Some(Ending::Risen);
        }
        self.points.push(Point { update, lr, loss, smoothed });
    }

    /// The place of the least smoothed loss; `None` without points.
    pub fn minimum(&self) -> Option<usize> {
        let smoothed = |&at: &usize| self.points[at].smoothed;
        (0..self.points.len()).min_by(|a, b| smoothed(a).total_cmp(&smoothed(b)))
    }

    /// The proposals; `None` if the loss does not fall by 2 %.
    pub fn proposed(&self) -> Option<Proposed> {
        let minimum = self.minimum()?;
        let most = self.points[..=minimum].iter().map(|point| point.smoothed).fold(f64::NEG_INFINITY, f64::max);
        if self.points[minimum].smoothed > FALL * most {
            return None;
        }
        let last = self.points.len().saturating_sub(1 + self.span).min(minimum);
        let slopes = (self.span..=last).map(|at| (at, self.slope(at)));
        let (steepest, slope) = slopes.min_by(|a, b| a.1.total_cmp(&b.1))?;
        let lr = |at: usize| self.points[at].lr;
        (slope < 0.0).then(|| Proposed { steepest: lr(steepest), minimum: lr(minimum) })
    }

    /// The slope at a point: of the line by least squares through it and the points of a span on either side. The learning
    /// rate's logarithm grows by the same step from point to point.
    fn slope(&self, at: usize) -> f64 {
        let place = |offset: usize| offset as f64 - self.span as f64;
        let around = self.points[at - self.span..=at + self.span].iter().enumerate();
        let (mut products, mut squares) = (0.0, 0.0);
        for (offset, point) in around {
            products += place(offset) * point.smoothed;
            squares += place(offset) * place(offset);
        }
        products / squares
    }
}

#[cfg(test)]
mod tests {
    use super::super::LrRange;
    use super::*;

    /// The curve of a test whose loss is a function of the learning rate's decimal logarithm.
    fn curve(updates: u32, loss: impl Fn(f64, u64) -> f64) -> Curve {
        let range = LrRange { updates, ..LrRange::default() };
        let mut curve = Curve::new(updates);
        for update in 1..=u64::from(updates) {
            let lr = range.lr(update);
            curve.add(update, lr, loss(lr.log10(), update));
            if curve.ending.is_some() {
                break;
            }
        }
        curve
    }

    /// Falls from 2.3 to 0.3 around this logarithm, and rises from another on.
    fn valley(falls: f64, rises: f64) -> impl Fn(f64, u64) -> f64 {
        move |lr, _| 0.3 + 2.0 / (1.0 + (4.0 * (lr - falls)).exp()) + (6.0 * (lr - rises)).exp()
    }

    fn decades(a: f64, b: f64) -> f64 {
        (a / b).log10().abs()
    }

    #[test]
    fn the_steepest_point_is_found_where_the_loss_falls_and_the_least_before_it_rises() {
        for updates in [100, 400, 1000] {
            for falls in [-4.0, -2.5] {
                let curve = curve(updates, valley(falls, -0.5));
                assert_eq!(curve.ending, Some(Ending::Risen), "{updates} updates");
                let proposed = curve.proposed().unwrap();
                // The average lags by a span, a twentieth of seven decades.
                assert!(decades(proposed.steepest, 10f64.powf(falls)) < 0.35, "{updates}, {falls}: {proposed:?}");
                assert!(proposed.steepest < proposed.minimum && proposed.minimum < 1.0, "{proposed:?}");
                assert_eq!(proposed.tenth(), proposed.minimum / 10.0);
            }
        }
    }

    #[test]
    fn noise_of_windows_does_not_move_the_proposal_far() {
        // As large as a sixth of the fall, and never the same twice.
        let noise =
            |update: u64| 0.35 * (2.0 * (update as f64 * 0.618).fract() - 1.0) * (update as f64 * 0.414).fract();
        let valley = valley(-2.5, 0.0);
        let curve = curve(100, |lr, update| valley(lr, update) + noise(update));
        let proposed = curve.proposed().unwrap();
        assert!(decades(proposed.steepest, 10f64.powf(-2.5)) < 0.5, "{proposed:?}");
    }

    #[test]
    fn a_test_ends_at_four_times_the_least_loss_but_not_at_its_beginning() {
        let jump = curve(100, |lr, _| if lr > -1.0 { 5.0 } else { 1.0 });
        assert_eq!(jump.ending, Some(Ending::Risen));
        let last = jump.points.last().unwrap();
        assert!(last.smoothed > 4.0 && jump.points[jump.points.len() - 2].smoothed <= 4.0);
        let small = curve(100, |_, update| if update == 1 { 0.01 } else { 1.0 });
        assert!(small.points.len() > 9, "{:?}", small.points.len());
    }

    #[test]
    fn a_loss_that_is_not_finite_ends_the_test_without_a_point() {
        let curve = curve(100, |lr, update| if update > 60 { f64::NAN } else { valley(-4.0, 9.0)(lr, update) });
        assert_eq!((curve.points.len(), curve.ending), (60, Some(Ending::NotFinite)));
        assert!(decades(curve.proposed().unwrap().steepest, 1e-4) < 0.35);
    }

    #[test]
    fn a_loss_that_does_not_fall_proposes_nothing() {
        assert_eq!(curve(100, |_, _| 1.0).proposed(), None);
        assert_eq!(curve(100, |_, update| 1.0 - 1e-4 * update as f64).proposed(), None);
        assert_eq!(curve(100, |lr, _| 2.0 + lr.exp()).proposed(), None);
        assert_eq!(curve(100, |_, update| if update > 3 { f64::INFINITY } else { 1.0 }).proposed(), None);
        assert_eq!(Curve::new(100).proposed(), None);
    }

    #[test]
    fn the_average_is_corrected_for_its_beginning() {
        let curve = curve(100, |_, update| if update == 1 { 3.0 } else { 1.0 });
        let smoothed: Vec<f64> = curve.points.iter().map(|point| point.smoothed).take(2).collect();
        // 0.2 · 3 / 0.2, then (0.8 · 0.6 + 0.2 · 1) / 0.36.
        assert!((smoothed[0] - 3.0).abs() < 1e-12 && (smoothed[1] - 0.68 / 0.36).abs() < 1e-12, "{smoothed:?}");
    }
}
