//! Text for people: escaping, and readable numbers.

/// No-break thin space, between the thousands of a number and before its unit.
const THIN: char = '\u{202f}';

/// `text` made safe inside an HTML or SVG element and inside a quoted attribute.
pub fn escape(text: &str) -> String {
    let mut safe = String::with_capacity(text.len());
    for c in text.chars() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '"' => safe.push_str("&quot;"),
            '\'' => safe.push_str("&#39;"),
            '\n' | '\t' => safe.push(c),
            '\r' => {}
            c if c.is_control() => safe.push(char::REPLACEMENT_CHARACTER),
            c => safe.push(c),
        }
    }
    safe
}

/// A whole number with its thousands set apart: `12 345`.
pub fn count(number: u64) -> String {
    let digits = number.to_string();
    // Four digits read well without a gap.
    if digits.len() < 5 {
        return digits;
    }
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(THIN);
        }
        grouped.push(digit);
    }
    grouped
}

/// A size in memory: `640 B`, `12.5 KiB`, `3.2 MiB`.
pub fn bytes(size: u64) -> String {
    let mut value = size as f64;
    for unit in ["B", "KiB", "MiB", "GiB"] {
        if value < 1024.0 {
            let decimals = if unit == "B" || value >= 100.0 { 0 } else { 1 };
            return format!("{value:.decimals$}{THIN}{unit}");
        }
        value /= 1024.0;
    }
    format!("{value:.1}{THIN}TiB")
}

/// A duration: `340 ms`, `12.3 s`, `2 min 5 s`, `1 h 2 min`.
pub fn seconds(time: f64) -> String {
    if !time.is_finite() || time < 0.0 {
        return "–".into();
    }
    let whole = time.round() as u64;
    match time {
        t if t < 0.000_05 => format!("0{THIN}s"),
        t if t < 0.01 => format!("{:.1}{THIN}ms", t * 1e3),
        t if t < 0.9995 => format!("{:.0}{THIN}ms", t * 1e3),
        t if t < 9.995 => format!("{t:.2}{THIN}s"),
        t if t < 59.95 => format!("{t:.1}{THIN}s"),
        t if t < 3599.5 => format!("{}{THIN}min {}{THIN}s", whole / 60, whole % 60),
        _ => format!("{}{THIN}h {}{THIN}min", count(whole / 3600), whole / 60 % 60),
    }
}

/// A measured value with four significant digits: `0.08123`, `2.303`, `12 346`, `1.5×10⁻⁷`.
pub fn number(value: f64) -> String {
    if value.is_nan() {
        return "not a number".into();
    }
    let sign = if value < 0.0 { "−" } else { "" };
    let size = value.abs();
    match size {
        s if s.is_infinite() => format!("{sign}∞"),
        0.0 => "0".into(),
        s if (1e-4..999.95).contains(&s) => format!("{sign}{}", fixed(s, 3 - s.log10().floor() as i32)),
        s if (1e3..1e7).contains(&s.round()) => format!("{sign}{}", count(s.round() as u64)),
        s => format!("{sign}{}", scientific(s, 3)),
    }
}

/// A share of one as a percentage: `96.4 %`.
pub fn percent(share: f64) -> String {
    let percent = share * 100.0;
    let shown = if percent.abs() < 1e4 { fixed(percent, 1).replace('-', "−") } else { number(percent) };
    if share.is_nan() { shown } else { format!("{shown}{THIN}%") }
}

/// The label of `value` on an axis whose ticks are `step` apart: only the digits that tell the ticks apart.
pub fn tick(value: f64, step: f64) -> String {
    let sign = if value < 0.0 { "−" } else { "" };
    let size = value.abs();
    let decimals = (-(step.log10() + 1e-9).floor() as i32).max(0);
    match size {
        0.0 => "0".into(),
        s if s >= 1e7 || decimals > 6 || (decimals > 4 && s < 1e-3) => {
            let digits = s.log10().floor() - (step.log10() + 1e-9).floor();
            format!("{sign}{}", scientific(s, digits.clamp(0.0, 4.0) as usize))
        }
        s if decimals == 0 => format!("{sign}{}", count(s.round() as u64)),
        s => format!("{sign}{}", fixed(s, decimals)),
    }
}

fn fixed(value: f64, decimals: i32) -> String {
    let decimals = decimals.max(0) as usize;
    format!("{value:.decimals$}")
}

/// `1.25×10⁻⁷`, or `10⁻⁷` where the digits before are just 1.
fn scientific(size: f64, digits: usize) -> String {
    let written = format!("{size:.digits$e}");
    let Some((mantissa, exponent)) = written.split_once('e') else { return written };
    let mantissa = if mantissa.contains('.') { mantissa.trim_end_matches('0').trim_end_matches('.') } else { mantissa };
    let raised: String = exponent.chars().map(superscript).collect();
    if mantissa == "1" { format!("10{raised}") } else { format!("{mantissa}×10{raised}") }
}

fn superscript(c: char) -> char {
    match c {
        '-' => '⁻',
        '0' => '⁰',
        '1' => '¹',
        '2' => '²',
        '3' => '³',
        '4' => '⁴',
        '5' => '⁵',
        '6' => '⁶',
        '7' => '⁷',
        '8' => '⁸',
        '9' => '⁹',
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn plain(text: String) -> String {
        text.replace(THIN, " ")
    }

    #[test]
    fn markup_in_names_is_escaped() {
        assert_eq!(escape("a<b> & \"c\" 'd'\u{0}"), "a&lt;b&gt; &amp; &quot;c&quot; &#39;d&#39;\u{fffd}");
    }

    #[test]
    fn counts_and_bytes_read_well() {
        assert_eq!(plain(count(1797)), "1797");
        assert_eq!(plain(count(1_234_567)), "1 234 567");
        assert_eq!(plain(bytes(640)), "640 B");
        assert_eq!(plain(bytes(9_500_000)), "9.1 MiB");
    }

    #[test]
    fn durations_change_their_unit_at_the_right_place() {
        let said = |t: f64| plain(seconds(t));
        assert_eq!(said(0.0), "0 s");
        assert_eq!(said(0.34), "340 ms");
        assert_eq!(said(0.9996), "1.00 s");
        assert_eq!(said(59.96), "1 min 0 s");
        assert_eq!(said(3725.0), "1 h 2 min");
        assert_eq!(said(f64::NAN), "–");
    }

    #[test]
    fn values_keep_four_digits() {
        let said = |v: f64| plain(number(v));
        assert_eq!(said(0.081_234), "0.08123");
        assert_eq!(said(2.345_678), "2.346");
        assert_eq!(said(999.97), "1000");
        assert_eq!(said(12_345.6), "12 346");
        assert_eq!(said(-1.5e-7), "−1.5×10⁻⁷");
        assert_eq!(said(f64::INFINITY), "∞");
        assert_eq!(plain(percent(0.9641)), "96.4 %");
    }

    #[test]
    fn ticks_show_no_more_digits_than_their_step() {
        assert_eq!(tick(0.3, 0.1), "0.3");
        assert_eq!(tick(0.25, 0.05), "0.25");
        assert_eq!(tick(-20.0, 10.0), "−20");
        assert_eq!(tick(1e-5, 1e-5), "10⁻⁵");
        assert_eq!(tick(2e9, 1e9), "2×10⁹");
    }
}
