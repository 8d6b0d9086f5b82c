//! The columns in words: what each holds, and what becomes of it.

use crate::cli::report::ColumnRow;
use crate::data::pixels::image_of;
use crate::data::table::{Column, Cycle, Encoding, Scale};
use crate::nn::{Layer, ModelFile};

/// The most levels that are named.
const MOST_LEVELS: usize = 8;

/// The columns of a table; the channels of images that the model sees as such; of other arrays and of plain numbers each feature.
/// With mean and deviation. A text has none.
pub fn rows(saved: &ModelFile) -> Vec<ColumnRow> {
    if saved.tokenizer.is_some() {
        return Vec::new();
    }
    if let Some(preparation) = &saved.preparation {
        return preparation.columns.iter().map(row).collect();
    }
    if let Some((_, [.., channels])) = image_of(&saved.features).filter(|(_, dims)| saved.model.shape == *dims) {
        let channel =
            |at: usize| ColumnRow { becomes: becomes(saved, at), ..named(format!("channel {at} of the image")) };
        return (0..channels).map(channel).collect();
    }
    let plain = |(at, name): (usize, &String)| ColumnRow { becomes: becomes(saved, at), ..named(name.clone()) };
    saved.features.iter().enumerate().map(plain).collect()
}

fn named(name: String) -> ColumnRow {
    ColumnRow { name, ..ColumnRow::default() }
}

/// What becomes of a number that is a feature.
fn becomes(saved: &ModelFile, at: usize) -> String {
    let scale = saved.feature_scale.as_ref().map(|scale| scale.of(at)).or_else(|| of_channel(saved, at));
    scale.map_or("as it is".to_owned(), |(mean, std)| standardized(mean, std))
}

/// Mean and deviation of a channel, where the model's first layer is the scale of images.
fn of_channel(saved: &ModelFile, at: usize) -> Option<(f64, f64)> {
    // The numbers of a series are its moments, each with all channels.
    let at = if let [_, channels] = saved.model.shape[..] { at % channels.max(1) } else { at };
    let Layer::With(given) = saved.model.layers.first()? else { return None };
    let scale = given.get("normalize")?;
    let number = |name: &str| scale.get(name)?.get(at)?.as_f64();
    Some((number("mean")?, number("std")?))
}

fn row(column: &Column) -> ColumnRow {
    let (becomes, missing, levels) = match &column.encoding {
        Encoding::Number { fill, indicator, scale, .. } => {
            (scaled(scale), filled(&format!("become {}", short(*fill)), *indicator), String::new())
        }
        Encoding::Date { indicator, scale, cycles, .. } => {
            let cycles: Vec<&str> = cycles.iter().copied().map(Cycle::name).collect();
            let cycles = if cycles.is_empty() { String::new() } else { format!("; cycles of {}", cycles.join(", ")) };
            (format!("days: {}{cycles}", scaled(scale)), filled("become the median", *indicator), String::new())
        }
        Encoding::Pair { levels } => ("−1 or 1".to_owned(), "become 0".to_owned(), listed(levels, false)),
        Encoding::OneHot { levels, other, missing } => {
            (format!("{} features, one a level", column.encoding.width()), own(*missing), listed(levels, *other))
        }
        Encoding::Index { levels, other, missing, width, .. } => {
            (format!("{width} learned numbers a level"), own(*missing), listed(levels, *other))
        }
    };
    ColumnRow { name: column.name.clone(), kind: column.kind.name().to_owned(), becomes, missing, levels }
}

/// Four digits at most, as few as are needed.
fn short(value: f64) -> String {
    let rounded: f64 = format!("{value:.3e}").parse().unwrap_or(value);
    let plain = rounded == 0.0 || (1e-3..1e7).contains(&rounded.abs());
    let shown = if plain { format!("{rounded}") } else { format!("{rounded:e}") };
    shown.replace('-', "−")
}

/// The formula from a number to its feature.
fn scaled(scale: &Scale) -> String {
    if *scale == Scale::NONE {
        return "as it is".to_owned();
    }
    if scale.factor == 0.0 {
        return "0, because it does not vary".to_owned();
    }
    let clipped = if scale.clip { ", clipped softly" } else { "" };
    format!("{}{clipped}", standardized(scale.center, 1.0 / scale.factor))
}

/// `(x − 28) / 10`
fn standardized(center: f64, width: f64) -> String {
    let sign = if center < 0.0 { "+" } else { "−" };
    format!("(x {sign} {}) / {}", short(center.abs()), short(width))
}

fn filled(what: &str, indicator: bool) -> String {
    if indicator { format!("{what}, and set a feature") } else { format!("{what}; there were none") }
}

fn own(missing: bool) -> String {
    if missing { "a level of their own" } else { "there were none" }.to_owned()
}

fn listed(levels: &[String], other: bool) -> String {
    let some = levels.iter().take(MOST_LEVELS).map(|level| crate::quote::short(level));
    let more = levels.len().saturating_sub(MOST_LEVELS);
    let more = (more > 0).then(|| format!("{more} more"));
    let other = other.then(|| "all others".to_owned());
    some.chain(more).chain(other).collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::data::table::{Dialect, Kind};

    fn of(kind: Kind, encoding: Encoding) -> [String; 3] {
        let row = row(&Column { name: "x".into(), kind, encoding });
        [row.becomes, row.missing, row.levels]
    }

    #[test]
    fn every_encoding_is_said_in_words() {
        let (dialect, scale) = (Dialect::default(), Scale { center: 28.0, factor: 0.1, clip: true });
        let number = Encoding::Number { dialect, fill: 28.5, indicator: true, scale };
        let said = of(Kind::Number, number);
        assert_eq!(said, ["(x − 28) / 10, clipped softly", "become 28.5, and set a feature", ""]);
        let levels: Vec<String> = ["a", "b"].map(str::to_owned).to_vec();
        let one_hot = Encoding::OneHot { levels: levels.clone(), other: true, missing: false };
        assert_eq!(of(Kind::Category, one_hot), ["3 features, one a level", "there were none", "a, b, all others"]);
        let many = (0..20).map(|level| level.to_string()).collect();
        let index = Encoding::Index { levels: many, other: false, missing: true, fallback: 0, width: 4 };
        let said = of(Kind::Category, index);
        assert_eq!(said[0..2], ["4 learned numbers a level", "a level of their own"]);
        assert_eq!(said[2], "0, 1, 2, 3, 4, 5, 6, 7, 12 more");
        let date = Encoding::Date { fill: 0.0, indicator: false, scale: Scale::NONE, cycles: vec![Cycle::Week] };
        assert_eq!(of(Kind::Date, date)[0], "days: as it is; cycles of week");
        assert_eq!(standardized(-3.0, 0.5), "(x + 3) / 0.5");
    }

    #[test]
    fn numbers_have_four_digits_and_no_more_than_they_need() {
        assert_eq!(
            [-0.5, 28.5, 1.0 / 3.0, 123_456.0, 1.5e-9].map(short),
            ["−0.5", "28.5", "0.3333", "123500", "1.5e−9"]
        );
    }
}
