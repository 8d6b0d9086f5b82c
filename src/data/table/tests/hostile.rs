//! Preparations from strangers, and tables that were damaged.

use rand::Rng;
use serde_json::Value;

use super::*;
use crate::data::table::{Kind, Missing, Scaling};
use crate::random::{Purpose, stream};

const TABLE: &str = "n|city|flag|when|id|y|w\n\
    1,5|Rome|yes|2024-01-01|a1|2.5|1\n|Paris|no|2024-01-02T10:00||3.5|2\n\
    -2,5|Oslo||2024-05-01|a3|4.5|0\n1000|Rome|yes||a4||1\n0,25|?|yes|2023-12-31|a5|-1e3|1\n";

fn wanted() -> Wanted {
    let mut wanted = Wanted { weight: Some("w".into()), one_hot: 1, scale: Scaling::Robust, ..classes("y") };
    wanted.kinds.insert("id".into(), Kind::Category);
    wanted
}

#[test]
fn a_preparation_survives_its_file() {
    let preparation = fitted(TABLE, &wanted());
    let text = serde_json::to_string(&preparation).unwrap();
    let again: Preparation = serde_json::from_str(&text).unwrap();
    assert_eq!(again, preparation);
    again.check().unwrap();
    assert_eq!(features(TABLE, &again), features(TABLE, &preparation));
}

#[test]
fn what_makes_no_sense_is_refused() {
    let preparation = fitted(TABLE, &wanted());
    let good = serde_json::to_value(&preparation).unwrap();
    let bad: [(&str, Value); 14] = [
        ("/columns", Value::Array(vec![])),
        ("/columns/0/name", "city".into()),
        ("/columns/0/name", "y".into()),
        ("/columns/0/kind", "category".into()),
        ("/columns/0/encoding/number/scale/factor", (-1.0).into()),
        ("/columns/0/encoding/number/dialect/decimal", ";".into()),
        ("/columns/0/encoding/number/dialect/sign", "x".into()),
        ("/columns/1/encoding/index/levels/1", "Rome".into()),
        ("/columns/1/encoding/index/fallback", 99.into()),
        ("/columns/1/encoding/index/width", 0.into()),
        ("/columns/3/encoding/date/cycles", serde_json::json!(["week", "week"])),
        ("/target/numbers/scale/std/0", 0.into()),
        ("/target/numbers/dialects", Value::Array(vec![])),
        ("/weight/name", "n".into()),
    ];
    for (place, value) in bad {
        let mut changed = good.clone();
        *changed.pointer_mut(place).unwrap_or_else(|| panic!("{place} in {good}")) = value;
        let read: Preparation = serde_json::from_value(changed).unwrap();
        assert!(read.check().is_err(), "{place}");
    }
    let classes = serde_json::json!({"classes": {"name": "y", "classes": ["a", "a"]}});
    let mut changed = good;
    *changed.pointer_mut("/target").unwrap() = classes;
    assert!(serde_json::from_value::<Preparation>(changed).unwrap().check().is_err());
}

#[test]
fn a_damaged_preparation_never_panics() {
    let text = serde_json::to_string(&fitted(TABLE, &wanted())).unwrap();
    let mut random = stream(0, Purpose::Shuffle, 0);
    let mut read = 0;
    for _ in 0..5000 {
        let mut bytes = text.clone().into_bytes();
        for _ in 0..=random.next_u32() % 3 {
            let place = random.next_u32() as usize % bytes.len();
            bytes[place] = b"09-.e\"{}[],x"[random.next_u32() as usize % 12];
        }
        let Ok(preparation) = serde_json::from_slice::<Preparation>(&bytes) else { continue };
        if preparation.check().is_err() {
            continue;
        }
        read += 1;
        assert_eq!(preparation.names().len(), preparation.width());
        for reads in [Reads::Features, Reads::Everything] {
            if let Ok((data, _)) = prepared(TABLE, &preparation, reads) {
                assert!(data.features.values.to_f32().iter().all(|x| x.is_finite()));
            }
        }
    }
    assert!(read > 100, "only {read} could be read");
}

#[test]
fn a_damaged_table_never_panics_and_gives_finite_features() {
    let mut random = stream(1, Purpose::Shuffle, 0);
    let pieces = [
        "",
        "NA",
        "1",
        "-",
        "1e308",
        "inf",
        "x",
        "2024-01-01",
        "yes",
        "01",
        "$3",
        "3 %",
        "1.5",
        "1,234",
        "<nan>",
        "#1e300",
        "<true>",
        "ü",
    ];
    let mut read = 0;
    for round in 0..3000 {
        let mut cells: Vec<Vec<&str>> = TABLE.lines().map(|line| line.split('|').collect()).collect();
        for _ in 0..=random.next_u32() % 12 {
            let row = 1 + random.next_u32() as usize % (cells.len() - 1);
            let column = random.next_u32() as usize % cells[0].len();
            cells[row][column] = pieces[random.next_u32() as usize % pieces.len()];
        }
        let text = cells.iter().map(|row| row.join("|") + "\n").collect::<String>();
        let missing = [Missing::Fill, Missing::Error, Missing::Drop][round % 3];
        let scale = [Scaling::None, Scaling::Standard, Scaling::Robust][round / 3 % 3];
        let wanted = Wanted { weight: (round % 2 == 0).then(|| "w".into()), missing, scale, ..wanted() };
        let Ok(found) = look(&mut Lines::open(&text), &wanted) else { continue };
        let train: Vec<bool> = (0..found.rows).map(|row| row != 1).collect();
        let Ok(preparation) = Preparation::fit(&mut Lines::open(&text), &found, &wanted, &train) else { continue };
        preparation.check().unwrap();
        if let Ok((data, _)) = prepared(&text, &preparation, Reads::Everything) {
            data.check().unwrap();
            assert_eq!(data.rows(), found.rows);
            read += 1;
        }
    }
    assert!(read > 300, "only {read} could be read");
}
