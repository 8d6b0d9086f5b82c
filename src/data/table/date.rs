//! ISO dates and times as days, and the cycles in them.

use std::f64::consts::TAU;

use serde::{Deserialize, Serialize};

/// A part of a date that comes round again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cycle {
    /// The day in the year.
    Year,
    /// The day in the week.
    Week,
    /// The time of day.
    Day,
}

impl Cycle {
    /// All of them, in the order of their features.
    pub const ALL: [Cycle; 3] = [Cycle::Year, Cycle::Week, Cycle::Day];

    /// The word in the names of the features.
    pub fn name(self) -> &'static str {
        match self {
            Cycle::Year => "year",
            Cycle::Week => "week",
            Cycle::Day => "day",
        }
    }

    /// Where in the cycle days since 1970 lie, from 0 to below 1: a whole day for year and week, the time for the day.
    pub fn place(self, days: f64) -> f64 {
        let day = days.floor();
        match self {
            Cycle::Year => {
                let (year, since) = year_of(day as i64);
                since as f64 / if is_leap(year) { 366.0 } else { 365.0 }
            }
            // The first day of 1970 was a Thursday; weeks begin with Monday.
            Cycle::Week => (day + 3.0).rem_euclid(7.0) / 7.0,
            Cycle::Day => days - day,
        }
    }

    /// The place on a circle: sine and cosine.
    pub fn circle(self, days: f64) -> [f64; 2] {
        let angle = TAU * self.place(days);
        [angle.sin(), angle.cos()]
    }
}

/// The days since 1970 that an ISO date, with or without a time, is: `2024-02-29`, `2024-02`, `2024-02-29T12:30`,
/// `2024-02-29 12:30:15.5+01:00`. The time is that of the clock on the spot: the offset is read and left aside.
pub fn days(text: &str) -> Option<f64> {
    if !text.is_ascii() || text.len() < 7 || text.len() > 40 {
        return None;
    }
    let (date, time) = match text.as_bytes().get(10) {
        Some(b'T' | b't' | b' ') => (&text[..10], Some(&text[11..])),
        _ => (text, None),
    };
    let mut parts = date.split('-');
    let (year, month) = (digits(parts.next()?, 4)?, digits(parts.next()?, 2)?);
    let day = parts.next().map_or(Some(1), |day| digits(day, 2))?;
    if parts.next().is_some() || !(1..=12).contains(&month) || !(1..=days_in(year, month)).contains(&day) {
        return None;
    }
    let before: i64 = (1..month).map(|month| days_in(year, month)).sum();
    let day = (first_day(year) + before + day - 1) as f64;
    Some(day + time.map_or(Some(0.0), day_part)?)
}

/// The part of a day that a time with an optional offset is.
fn day_part(time: &str) -> Option<f64> {
    let clock = match time.find(['Z', 'z', '+', '-']) {
        Some(at) if matches!(time.as_bytes()[at], b'Z' | b'z') => {
            (at + 1 == time.len()).then_some(time[..at].trim_end())?
        }
        Some(at) => {
            let offset = time[at + 1..].replace(':', "");
            let is_offset = matches!(offset.len(), 2 | 4) && offset.bytes().all(|byte| byte.is_ascii_digit());
            is_offset.then_some(time[..at].trim_end())?
        }
        None => time,
    };
    let mut parts = clock.split(':');
    let (hour, minute) = (digits(parts.next()?, 2)?, digits(parts.next()?, 2)?);
    let second: f64 = match parts.next() {
        None => 0.0,
        Some(second) => {
            let (whole, fraction) = second.split_once('.').unwrap_or((second, "0"));
            digits(whole, 2)?;
            let is_fraction = !fraction.is_empty() && fraction.bytes().all(|byte| byte.is_ascii_digit());
            is_fraction.then(|| second.parse().ok())??
        }
    };
    let fits = parts.next().is_none() && hour < 24 && minute < 60 && second < 61.0;
    fits.then(|| (((hour * 60 + minute) * 60) as f64 + second.min(59.999_999_999)) / 86_400.0)
}

/// A number of just so many digits.
fn digits(text: &str, count: usize) -> Option<i64> {
    (text.len() == count && text.bytes().all(|byte| byte.is_ascii_digit())).then(|| text.parse().ok())?
}

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in(year: i64, month: i64) -> i64 {
    match month {
        2 => 28 + i64::from(is_leap(year)),
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// The day on which a year begins, counted from 1970.
fn first_day(year: i64) -> i64 {
    let leaps = |year: i64| year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400);
    365 * (year - 1970) + leaps(year - 1) - leaps(1969)
}

/// The year of a day since 1970, and the days since it began.
fn year_of(day: i64) -> (i64, i64) {
    let mut year = 1970 + (day as f64 / 365.2425).floor() as i64;
    while first_day(year) > day {
        year -= 1;
    }
    while first_day(year + 1) <= day {
        year += 1;
    }
    (year, day - first_day(year))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_days_since_1970() {
        for (text, day) in [
            ("1970-01-01", 0.0),
            ("1970-01-02T12:00", 1.5),
            ("1969-12-31", -1.0),
            ("2000-02-29", 11016.0),
            ("2000-03-01", 11017.0),
            ("2024-01", 19723.0),
            ("0001-01-01", -719162.0),
            ("9999-12-31", 2932896.0),
            ("1970-01-01 06:00:00Z", 0.25),
            ("1970-01-01T06:00:00.000+05:30", 0.25),
            ("1970-01-01 00:00:43.2", 0.0005),
        ] {
            assert_eq!(days(text), Some(day), "{text}");
        }
    }

    #[test]
    fn what_is_no_date_is_none() {
        for text in [
            "",
            "2023",
            "20240101",
            "2023-02-29",
            "1900-02-29",
            "2024-13-01",
            "2024-00-10",
            "2024-01-32",
            "24-01-01",
            "2024/01/01",
            "2024-01-01T",
            "2024-01-01T25:00",
            "2024-01-01T12",
            "2024-01-01T12:60",
            "2024-01-01T12:00:xx",
            "2024-01-01T12:00Zx",
            "2024-01-01T12:00+1",
            "2024-01-01-01",
            "2024-1-1",
            "2024-01-01T12:00:00.",
            "äöü2024-01",
            "+024-01-01",
            "2024-01-01T12:00:00.inf",
        ] {
            assert_eq!(days(text), None, "{text}");
        }
    }

    #[test]
    fn every_day_is_in_its_year() {
        for day in (-719_162..2_932_896).step_by(17) {
            let (year, since) = year_of(day);
            assert!((0..365 + i64::from(is_leap(year))).contains(&since), "{day}");
            assert_eq!(first_day(year) + since, day);
        }
        assert_eq!(year_of(days("2024-12-31").unwrap() as i64), (2024, 365));
    }

    #[test]
    fn cycles_come_round() {
        let monday = days("2024-01-01T18:00").unwrap();
        assert_eq!(Cycle::ALL.map(|cycle| cycle.place(monday)), [0.0, 0.0, 0.75]);
        assert_eq!(Cycle::Week.place(days("2024-01-07").unwrap()), 6.0 / 7.0);
        assert_eq!(Cycle::Week.place(days("1969-12-29").unwrap()), 0.0);
        let [sine, cosine] = Cycle::Day.circle(0.25);
        assert!((sine - 1.0).abs() < 1e-15 && cosine.abs() < 1e-15);
    }
}
