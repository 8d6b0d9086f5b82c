//! Learns from past work how long work takes on this adapter.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::rates::{Load, Rates};

/// A shorter wait found the work done already. Submissions shorter than ten such waits say nothing about a rate.
const BLINK: f64 = 0.0002;

/// The rates, and the submissions from which they are learned.
pub(super) struct TimeModel {
    rates: Rates,
    learns: bool,
    /// Submissions not known to be done.
    flights: VecDeque<Flight>,
    /// When the last submission was found done, and whether it was done only then.
    landed: Option<(Instant, bool)>,
    /// When the oldest submission with results was last seen running.
    at_work: Option<Instant>,
    /// Every submission, if a log was started.
    log: Option<Vec<Submitted>>,
}

struct Flight {
    load: Load,
    sent: Instant,
    /// Nothing was in flight before it.
    first: bool,
    results: bool,
}

/// Expected and measured time of one submission.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Submitted {
    pub estimate: f64,
    pub seconds: f64,
}

impl Default for TimeModel {
    fn default() -> TimeModel {
        TimeModel {
            rates: Rates::default(),
            learns: true,
            flights: VecDeque::new(),
            landed: None,
            at_work: None,
            log: None,
        }
    }
}

impl TimeModel {
    /// The known speed of the adapter.
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Pretends that the adapter is this much slower than the model, and stops learning.
    pub fn pretend(&mut self, slowness: f64) {
        self.rates = Rates::even(slowness);
        self.learns = false;
    }

    /// Records a submission, with `results` or without.
    pub fn sent(&mut self, load: Load, results: bool) {
        let first = self.flights.is_empty();
        self.flights.push_back(Flight { load, sent: Instant::now(), first, results });
    }

    /// Records that results were looked for, and are not there yet.
    pub fn still_at_work(&mut self) {
        if self.flights.iter().any(|flight| flight.results) {
            self.at_work = Some(Instant::now());
        }
    }

    /// Records that the results of the oldest submission with results arrived, after a wait from `begin` if there was one.
    pub fn came(&mut self, begin: Option<Instant>) {
        let count = self.flights.iter().position(|flight| flight.results).map_or(0, |at| at + 1);
        self.done(count, begin);
    }

    /// Records that all submissions but the last `left` are done, after a wait from `begin`.
    pub fn done_but(&mut self, left: usize, begin: Instant) {
        self.done(self.flights.len().saturating_sub(left), Some(begin));
    }

    fn done(&mut self, count: usize, begin: Option<Instant>) {
        let now = Instant::now();
        let waited = begin.is_some_and(|begin| (now - begin).as_secs_f64() > BLINK);
        let mut load = Load::default();
        let mut from = None;
        for flight in self.flights.drain(..count) {
            // It began when it was sent or when the one before it ended, which may have been noticed late.
            let (landed, exact) = self.landed.unwrap_or((flight.sent, true));
            let latest = flight.sent.max(landed);
            let earliest = if flight.first || exact { latest } else { flight.sent };
            let earliest = if flight.first { flight.sent } else { earliest };
            from.get_or_insert((earliest, latest));
            load.join(&flight.load);
        }
        let Some((earliest, latest)) = from else { return };
        let at_work = if waited { Some(now) } else { self.at_work };
        self.at_work = None;
        self.landed = Some((now, waited));
        let least = at_work.map_or(Duration::ZERO, |at| at.saturating_duration_since(latest));
        self.learn(&load, least.as_secs_f64(), (now - earliest).as_secs_f64());
    }

    /// Learns from work that took between `least` and `most` seconds. Rates rise at once, at most twofold; they fall slowly,
    /// or to half if they are far too high.
    pub fn learn(&mut self, load: &Load, least: f64, most: f64) {
        let expected = self.rates.load(load);
        let ratio = match () {
            () if !self.learns || expected <= 0.0 => return,
            () if least > expected && least > 10.0 * BLINK => (least / expected).min(2.0),
            () if most < expected / 2.0 => 0.5,
            () if most < expected => (most / expected).powf(0.25),
            () => return,
        };
        self.rates.scale(load, ratio);
    }

    /// Logs every submission from now on.
    pub fn start_log(&mut self) {
        self.log = Some(Vec::new());
    }

    /// Whether submissions are logged.
    pub fn is_logging(&self) -> bool {
        self.log.is_some()
    }

    /// The submissions since [`TimeModel::start_log`], or since the last call.
    pub fn take_log(&mut self) -> Vec<Submitted> {
        self.log.as_mut().map(std::mem::take).unwrap_or_default()
    }

    /// Logs the time of a submission that was waited for.
    pub fn note(&mut self, load: &Load, seconds: f64) {
        let estimate = self.rates.load(load);
        if let Some(log) = &mut self.log {
            log.push(Submitted { estimate, seconds });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::rates::UNKNOWN;
    use super::*;

    #[test]
    fn a_rate_doubles_and_halves_at_most_and_settles_where_work_is() {
        let mut model = TimeModel::default();
        model.learn(&Load::of_rows(1.0), 0.0, 0.001);
        assert_eq!(model.rates().load(&Load::of_rows(1.0)), UNKNOWN / 2.0);
        model.learn(&Load::of_rows(1.0), 1000.0, 1000.0);
        assert_eq!(model.rates().load(&Load::of_rows(1.0)), UNKNOWN);
        for _ in 0..40 {
            model.learn(&Load::of_rows(1.0), 3.0, 3.0);
        }
        assert!((model.rates().load(&Load::of_rows(1.0)) - 3.0).abs() < 0.1);
    }

    #[test]
    fn what_was_only_found_late_raises_no_rate() {
        let mut model = TimeModel::default();
        model.learn(&Load::of_rows(1.0), 0.0, 1000.0);
        assert_eq!(model.rates().load(&Load::of_rows(1.0)), UNKNOWN);
        model.pretend(5.0);
        model.learn(&Load::of_rows(1.0), 1000.0, 1000.0);
        assert_eq!(model.rates().load(&Load::of_rows(1.0)), 5.0, "a pretended rate stays");
    }
}
