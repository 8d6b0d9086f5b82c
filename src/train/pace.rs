//! How long work takes on this adapter, learned from how long work took, and how much of it one dispatch and one submission
//! get: drivers end work that takes seconds, and a slow adapter makes seconds of little.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use crate::gpu::{CostKind, Dispatch};
use crate::plan::BLOCK;

/// What a dispatch may take by estimate. It may take 100 ms, and the same dispatch takes twice as long when others use the memory.
pub(super) const DISPATCH: f64 = 0.040;

/// What a submission may take by estimate. It may take 250 ms.
pub(super) const SUBMISSION: f64 = 0.100;

/// A submission that takes so long is worth its overhead.
pub(super) const ENOUGH: f64 = 0.080;

/// What it takes to start a dispatch, on any adapter.
const LAUNCH: f64 = 10e-6;

/// How much slower than the model an adapter is taken to be as long as nothing is known of it.
const UNKNOWN: f64 = 16.0;

/// A wait that is shorter found the work done. Submissions that are shorter than ten of them say nothing of a rate.
const BLINK: f64 = 0.0002;

/// The fewest rows that are worth a pass of their own: kernels make as many at once.
const LEAST: usize = 8;

/// Seconds on this adapter for one of the model, for each [`CostKind`] of work.
#[derive(Clone, Copy, Debug)]
pub(super) struct Rates([f64; CostKind::COUNT]);

/// Work, in seconds of the model.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Load {
    kinds: [f64; CostKind::COUNT],
    launches: u32,
}

impl Load {
    pub fn add(&mut self, dispatch: &Dispatch, rows: u32) {
        let cost = dispatch.cost();
        self.kinds[cost.kind as usize] += cost.seconds(rows);
        self.launches += 1;
    }
}

impl Rates {
    /// What a dispatch on so many rows takes.
    pub fn dispatch(&self, dispatch: &Dispatch, rows: u32) -> f64 {
        let cost = dispatch.cost();
        LAUNCH + self.0[cost.kind as usize] * cost.seconds(rows)
    }

    /// What all of these take together.
    pub fn all<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>, rows: u32) -> f64 {
        dispatches.into_iter().map(|dispatch| self.dispatch(dispatch, rows)).sum()
    }

    fn load(&self, load: &Load) -> f64 {
        let kinds: f64 = self.0.iter().zip(load.kinds).map(|(rate, seconds)| rate * seconds).sum();
        kinds + LAUNCH * f64::from(load.launches)
    }

    /// The dispatch itself, or its parts where it takes too long.
    pub fn fine<'a>(&self, dispatch: &'a Dispatch, rows: u32) -> &'a [Dispatch] {
        let long = !dispatch.parts().is_empty() && self.dispatch(dispatch, rows) > DISPATCH;
        if long { dispatch.parts() } else { std::slice::from_ref(dispatch) }
    }

    /// The most rows for which each of these dispatches, in its finest parts, takes [`DISPATCH`] at most.
    pub fn rows<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>) -> f64 {
        let most = |dispatch: &Dispatch| {
            let cost = dispatch.parts().first().unwrap_or(dispatch).cost();
            let (row, fixed) = cost.line();
            (DISPATCH / self.0[cost.kind as usize] - fixed) / row
        };
        dispatches.into_iter().map(most).fold(f64::INFINITY, f64::min)
    }

    /// The most rows for which all of these dispatches together take so many seconds at most.
    pub fn rows_within<'a>(&self, dispatches: impl IntoIterator<Item = &'a Dispatch>, seconds: f64) -> f64 {
        let (mut each, mut once) = (0.0, 0.0);
        for dispatch in dispatches {
            let rate = self.0[dispatch.cost().kind as usize];
            let (row, fixed) = dispatch.cost().line();
            (each, once) = (each + rate * row, once + rate * fixed + LAUNCH);
        }
        (seconds - once) / each
    }
}

/// Rows of a slice: a multiple of whole blocks, but for what is `most`, or with `open_blocks` some of a block.
pub(super) fn whole_rows(rows: f64, most: usize, open_blocks: bool) -> usize {
    let rows = rows.clamp(1.0, most as f64) as usize;
    let rows = match rows {
        _ if rows == most => most,
        rows if rows >= BLOCK => rows / BLOCK * BLOCK,
        rows if open_blocks => (1 << rows.ilog2()).max(LEAST),
        _ => BLOCK,
    };
    rows.min(most)
}

/// The rates, and the submissions from which they are learned.
pub(super) struct Pace {
    rates: Rates,
    learns: bool,
    /// What was submitted and is not known to be done.
    flights: VecDeque<Flight>,
    /// When the last submission was found done, and whether that was when it was done.
    landed: Option<(Instant, bool)>,
    /// When the first of the flights that bring results was last seen at work.
    at_work: Option<Instant>,
    /// Every submission, where somebody asked.
    pub log: Option<Vec<Submitted>>,
}

struct Flight {
    load: Load,
    sent: Instant,
    /// Nothing was on its way before it.
    first: bool,
    results: bool,
}

/// What one submission was expected to take, and took.
#[doc(hidden)]
#[derive(Clone, Copy, Debug)]
pub struct Submitted {
    pub estimate: f64,
    pub seconds: f64,
}

impl Default for Pace {
    fn default() -> Pace {
        let rates = Rates([UNKNOWN; CostKind::COUNT]);
        Pace { rates, learns: true, flights: VecDeque::new(), landed: None, at_work: None, log: None }
    }
}

impl Pace {
    pub fn rates(&self) -> Rates {
        self.rates
    }

    /// Takes the adapter to be so much slower than the model, and learns nothing.
    pub fn pretend(&mut self, slowness: f64) {
        self.rates = Rates([slowness; CostKind::COUNT]);
        self.learns = false;
    }

    /// Something was submitted that will bring `results` or not.
    pub fn sent(&mut self, load: Load, results: bool) {
        let first = self.flights.is_empty();
        self.flights.push_back(Flight { load, sent: Instant::now(), first, results });
    }

    /// Results were looked for, and are not there yet.
    pub fn still_at_work(&mut self) {
        if self.flights.iter().any(|flight| flight.results) {
            self.at_work = Some(Instant::now());
        }
    }

    /// Results of the oldest submission that brings some have come, after a wait from `begin` if there is one.
    pub fn came(&mut self, begin: Option<Instant>) {
        let count = self.flights.iter().position(|flight| flight.results).map_or(0, |at| at + 1);
        self.done(count, begin);
    }

    /// All submissions but the last `left` are done, after a wait from `begin`.
    pub fn done_but(&mut self, left: usize, begin: Instant) {
        self.done(self.flights.len().saturating_sub(left), Some(begin));
    }

    fn done(&mut self, count: usize, begin: Option<Instant>) {
        let now = Instant::now();
        let waited = begin.is_some_and(|begin| (now - begin).as_secs_f64() > BLINK);
        let mut load = Load::default();
        let mut from = None;
        for flight in self.flights.drain(..count) {
            // It began when it was sent or when the one before it ended, which may have been found out late.
            let (landed, exact) = self.landed.unwrap_or((flight.sent, true));
            let latest = flight.sent.max(landed);
            let earliest = if flight.first || exact { latest } else { flight.sent };
            let earliest = if flight.first { flight.sent } else { earliest };
            from.get_or_insert((earliest, latest));
            load.launches += flight.load.launches;
            load.kinds.iter_mut().zip(flight.load.kinds).for_each(|(sum, seconds)| *sum += seconds);
        }
        let Some((earliest, latest)) = from else { return };
        let at_work = if waited { Some(now) } else { self.at_work };
        self.at_work = None;
        self.landed = Some((now, waited));
        let least = at_work.map_or(Duration::ZERO, |at| at.saturating_duration_since(latest));
        self.learn(&load, least.as_secs_f64(), (now - earliest).as_secs_f64());
    }

    /// Some work took so many seconds at least and at most. Rates rise at once, to twice as much at most, and fall slowly, or
    /// to half where they are far too high.
    pub fn learn(&mut self, load: &Load, least: f64, most: f64) {
        let expected = self.rates.load(load);
        let ratio = match () {
            () if !self.learns || expected <= 0.0 => return,
            () if least > expected && least > 10.0 * BLINK => (least / expected).min(2.0),
            () if most < expected / 2.0 => 0.5,
            () if most < expected => (most / expected).powf(0.25),
            () => return,
        };
        let shares = self.rates.0.iter().zip(load.kinds).map(|(rate, seconds)| rate * seconds);
        let largest = shares.clone().fold(0.0, f64::max);
        if largest > 0.0 {
            // What took most of the time learns most.
            let shares: Vec<f64> = shares.collect();
            self.rates.0.iter_mut().zip(shares).for_each(|(rate, share)| {
                *rate = (*rate * ratio.powf(share / largest)).clamp(1e-6, 1e6);
            });
        }
    }

    /// Notes what a submission took that was waited for.
    pub fn note(&mut self, load: &Load, seconds: f64) {
        let estimate = self.rates.load(load);
        if let Some(log) = &mut self.log {
            log.push(Submitted { estimate, seconds });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn slices_are_whole_blocks_or_the_micro_batch() {
        let rows = |rows, open_blocks| whole_rows(rows, 500, open_blocks);
        assert_eq!([rows(f64::INFINITY, false), rows(1000.0, true), rows(499.0, true)], [500, 500, 480]);
        assert_eq!([rows(40.0, false), rows(31.0, false), rows(-3.0, false)], [32, 32, 32]);
        assert_eq!([rows(40.0, true), rows(31.0, true), rows(-3.0, true)], [32, 16, LEAST]);
        assert_eq!([whole_rows(9.0, 20, true), whole_rows(9.0, 5, true), whole_rows(9.0, 20, false)], [8, 5, 20]);
    }

    fn load(seconds: f64) -> Load {
        Load { kinds: [seconds, 0.0, 0.0, 0.0, 0.0], launches: 0 }
    }

    #[test]
    fn a_rate_doubles_and_halves_at_most_and_settles_where_work_is() {
        let mut pace = Pace::default();
        pace.learn(&load(1.0), 0.0, 0.001);
        assert_eq!(pace.rates().load(&load(1.0)), UNKNOWN / 2.0);
        pace.learn(&load(1.0), 1000.0, 1000.0);
        assert_eq!(pace.rates().load(&load(1.0)), UNKNOWN);
        for _ in 0..40 {
            pace.learn(&load(1.0), 3.0, 3.0);
        }
        assert!((pace.rates().load(&load(1.0)) - 3.0).abs() < 0.1);
    }

    #[test]
    fn what_was_only_found_late_raises_no_rate() {
        let mut pace = Pace::default();
        pace.learn(&load(1.0), 0.0, 1000.0);
        assert_eq!(pace.rates().load(&load(1.0)), UNKNOWN);
        pace.pretend(5.0);
        pace.learn(&load(1.0), 1000.0, 1000.0);
        assert_eq!(pace.rates().load(&load(1.0)), 5.0, "a pretended rate stays");
    }
}
