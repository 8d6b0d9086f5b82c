//! Dates and times as ISO 8601 writes them.

const DAY: i64 = 86_400;

/// A date, by its days since 1970.
pub(super) fn date(days: i64) -> String {
    // Years that begin in March end with the leap day. 400 of them have as many days as any 400.
    let days = i128::from(days) + 719_468;
    let (era, day) = (days.div_euclid(146_097), days.rem_euclid(146_097));
    let year = (day - day / 1_460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let (year, month) = (400 * era + year + i128::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    format!("{year:04}-{month:02}-{day:02}")
}

/// A time of day, by its parts of a second since midnight.
pub(super) fn time(number: i64, parts: i64) -> String {
    let (second, part) = (number.div_euclid(parts), number.rem_euclid(parts));
    let mut text = format!("{:02}:{:02}:{:02}", second / 3600, second / 60 % 60, second % 60);
    if part > 0 {
        let width = parts.ilog10() as usize;
        text += format!(".{part:0width$}").trim_end_matches('0');
    }
    text
}

/// A point in time, by its parts of a second since 1970.
pub(super) fn stamp(number: i64, parts: i64) -> String {
    let (days, rest) = (number.div_euclid(DAY * parts), number.rem_euclid(DAY * parts));
    format!("{}T{}", date(days), time(rest, parts))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn days_are_counted_as_the_calendar_does() {
        for (days, wanted) in [
            (0, "1970-01-01"),
            (-1, "1969-12-31"),
            (11_016, "2000-02-29"),
            (11_017, "2000-03-01"),
            (19_782, "2024-02-29"),
            (-25_509, "1900-02-28"),
            (-25_508, "1900-03-01"),
            (-719_468, "0000-03-01"),
        ] {
            assert_eq!(date(days), wanted, "{days}");
        }
        // Every date follows the one before.
        for days in -200_000..200_000 {
            let (today, tomorrow) = (date(days), date(days + 1));
            assert!(
                today < tomorrow && (tomorrow.ends_with("-01") || today[..8] == tomorrow[..8]),
                "{today} {tomorrow}"
            );
        }
        for days in [i64::MIN, i64::MAX] {
            assert!(date(days).len() > 10);
        }
    }

    #[test]
    fn times_have_the_digits_that_they_need() {
        assert_eq!(stamp(-1, 1_000), "1969-12-31T23:59:59.999");
        assert_eq!(stamp(86_399_500_000, 1_000_000), "1970-01-01T23:59:59.5");
        assert_eq!(time(45_000_000_000_001, 1_000_000_000), "12:30:00.000000001");
        assert_eq!(stamp(i64::MAX, 1_000_000_000), "2262-04-11T23:47:16.854775807");
    }
}
