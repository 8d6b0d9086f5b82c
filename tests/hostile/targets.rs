//! What is done with bytes of strangers, one function for each kind of file: it must end soon, without a panic, in memory
//! that does not depend on what the bytes claim, and either with a thing that fits together or with an error of one line.
//! `tests/hostile/main.rs` runs them on `fuzz/corpus` and mutations of it, `make fuzz` on whatever libFuzzer thinks of. A new
//! kind of file is a function here, its name in `TARGETS`, a target in `fuzz/`, and a few small files in `fuzz/corpus`.
#![allow(dead_code)]

use std::path::Path;

use accrue::Result;
use accrue::data::csv::Delimited;
use accrue::data::csv::{chunks, read, read_features};
#[cfg(feature = "parquet")]
use accrue::data::table::Parquet;
use accrue::data::table::{Cell, Charset, Header, JsonLines, Reading, Separator, Table};
use accrue::data::{Chunks, FeatureNames, Layout, Spec, TargetKind, idx, npz};
use accrue::nn::{Model, ModelFile, arrays_from_bytes};
use accrue::recipe::Config;
use accrue::train::Checkpoint;

/// What is done with the bytes of one kind of file; whether they were taken for one.
pub type Target = fn(&[u8]) -> bool;

/// Every target by the name of its folder in `fuzz/corpus`.
pub const TARGETS: &[(&str, Target)] = &[
    ("checkpoint", checkpoint),
    ("config", config),
    ("csv", csv),
    ("idx", idx),
    ("json_lines", json_lines),
    ("model", model),
    ("npz", npz),
    #[cfg(feature = "parquet")]
    ("parquet", parquet),
    ("table", table),
    ("weights", weights),
];

/// What was made of the bytes, after a look at the error if they were refused.
fn judged<T>(result: Result<T>) -> Option<T> {
    let error = match result {
        Ok(made) => return Some(made),
        Err(error) => error,
    };
    assert!(!matches!(error, accrue::Error::Internal(_)), "an error of ours: {error}");
    let text = error.to_string();
    assert!(!text.contains(char::is_control) && text.len() < 2500, "one line, not too long: {text:?}");
    None
}

/// A checkpoint.
pub fn checkpoint(bytes: &[u8]) -> bool {
    let Some(Checkpoint { state, .. }) = judged(Checkpoint::from_bytes(bytes, Path::new("c"))) else { return false };
    let kept = state.moments.iter().chain([&state.parameters]).flat_map(|arrays| arrays.values());
    assert!(kept.flat_map(|array| &array.values).all(|value| value.is_finite()));
    true
}

/// A configuration.
pub fn config(bytes: &[u8]) -> bool {
    let Ok(text) = std::str::from_utf8(bytes) else { return false };
    let folder = Path::new("/folder");
    let Some(config) = judged(Config::parse(text, "c.toml", &[], folder)) else { return false };
    let written = config.to_toml().expect("what was read can be written");
    assert_eq!(Config::parse(&written, "c.toml", &[], folder).expect("what was written can be read"), config);
    true
}

/// Data, used in every way.
pub fn csv(bytes: &[u8]) -> bool {
    let mut good = false;
    let weighted = Spec { weight: Some("w".into()), ..Spec::classes("y") };
    for spec in [Spec::classes("y"), Spec::values(["y"]), Spec::values(["y", "a"]), weighted] {
        let Some(data) = judged(read(bytes, "x.csv", &spec)) else { continue };
        good = true;
        data.check().expect("what was read fits together");
        // In parts, all rows are the same.
        let mut chunks = chunks(bytes, "x.csv", &spec.like(&data)).expect("the same file fits");
        let (mut part, mut features) = (chunks.empty(), Vec::new());
        while chunks.fill(&mut part, 2).expect("the same rows fit") {
            part.check().expect("a part fits together");
            features.extend_from_slice(&part.features.values.to_f32());
        }
        assert_eq!(features[..], *data.features.values.to_f32());
    }
    let names = ["a".to_owned(), "b".to_owned()];
    judged(read_features(bytes, "x.csv", &names));
    let known = TargetKind::KnownClasses(vec!["0".into(), "1".into()]);
    judged(read(
        bytes,
        "x.csv",
        &Spec { kind: known, features: FeatureNames::Model(names.to_vec()), ..Spec::classes("y") },
    ));
    good
}

/// A table of text, read in every way.
pub fn table(bytes: &[u8]) -> bool {
    let (separator, encoding, header) = (Some(Separator::Blanks), Some(Charset::Utf16), Some(Header::Present(false)));
    let names = Some(Header::Names(vec!["a".into(), "b".into()]));
    let usual = Reading::default();
    for reading in [
        Reading { separator, header: header.clone(), ..Reading::default() },
        Reading { encoding, header, ..Reading::default() },
        Reading { encoding: Some(Charset::Latin1), header: names, ..Reading::default() },
    ] {
        judged(Delimited::read(bytes, "x.csv", &reading)).map(rows);
    }
    judged(Delimited::read(bytes, "x.csv", &usual)).is_some_and(rows)
}

/// An IDX file, as features and as the labels of three images. A few bytes may be packed rows without end, so not all of them
/// are read.
pub fn idx(bytes: &[u8]) -> bool {
    let images = [0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0, 1, 0, 0, 0, 2, 1, 2, 3, 4, 5, 6];
    let alone = Spec { target: Vec::new(), kind: TargetKind::Unread, ..Spec::values(["y"]) };
    let mut good = false;
    for (images, labels, spec) in [
        (bytes, None, alone),
        (&images, Some(bytes.to_vec()), Spec::values(["y"])),
        (&images, Some(bytes.to_vec()), Spec::classes("y")),
    ] {
        let Some(mut chunks) = judged(idx::chunks(images.to_vec(), labels, "x.idx", &spec)) else { continue };
        if spec.kind == TargetKind::Classes {
            judged(chunks.rest());
            continue;
        }
        let mut part = chunks.empty();
        for _ in 0..20 {
            match judged(chunks.fill(&mut part, 2)) {
                Some(true) => assert_eq!(part.features.values.len(), part.features.rows() * part.features.names.len()),
                Some(false) => good = true,
                None => break,
            }
        }
    }
    good
}

/// Objects, one a line.
pub fn json_lines(bytes: &[u8]) -> bool {
    judged(JsonLines::read(bytes, "x.jsonl", &Reading::default())).is_some_and(rows)
}

/// A Parquet file. A few bytes may hold many rows, so not all of them are read.
#[cfg(feature = "parquet")]
pub fn parquet(bytes: &[u8]) -> bool {
    let table = Parquet::read(bytes.to_vec(), "x.parquet", &Reading::default());
    judged(table).is_some_and(rows)
}

/// Whether all rows of a table, or the first ten thousand, can be read.
fn rows(mut table: Box<dyn Table + '_>) -> bool {
    let names = table.names().to_vec();
    assert!(names.iter().collect::<std::collections::BTreeSet<_>>().len() == names.len(), "names differ: {names:?}");
    assert!(names.iter().all(|name| !name.trim().is_empty()), "names are there: {names:?}");
    assert!(table.remarks().iter().all(|remark| !remark.contains(char::is_control) && remark.len() < 500));
    for _ in 0..10_000 {
        match judged(table.advance()) {
            Some(true) => {}
            Some(false) => return true,
            None => return false,
        }
        for column in 0..names.len() {
            if let Some(Cell::Text(text)) = judged(table.cell(column)) {
                assert!(!text.is_empty() && text.trim() == text, "{text:?}");
            }
        }
    }
    true
}

/// A whole model.
pub fn model(bytes: &[u8]) -> bool {
    let Some(saved) = judged(ModelFile::from_bytes(bytes, Path::new("m"))) else { return false };
    let network = saved.model.network(false).expect("a model that was read can be built");
    drop(network);
    let shapes = saved.arrays.iter().map(|(name, array)| (name.clone(), array.shape.clone()));
    assert_eq!(shapes.collect::<std::collections::BTreeMap<_, _>>(), saved.model.parameters());
    if let Some(scale) = &saved.feature_scale {
        judged(scale.apply(&mut vec![0.5; saved.features.len()], saved.features.len()));
    }
    true
}

/// Arrays of NumPy, used in every way. A few bytes may hold many rows that are all there, so not all of them are read.
pub fn npz(bytes: &[u8]) -> bool {
    let mut good = false;
    let given = |names: &[&str]| FeatureNames::Given(names.iter().map(|&name| name.to_owned()).collect());
    let known = TargetKind::KnownClasses(vec!["0".into(), "1".into()]);
    let weighted = Spec { weight: Some("w".into()), ..Spec::values(["y"]) };
    let images = Spec { features: given(&["x"]), layout: Layout::Chw, ..Spec::values(["y"]) };
    let column = Spec { features: given(&["x.0", "w"]), kind: known, ..Spec::classes("y") };
    for spec in
        [Spec::values(["y"]), Spec::values(["x.1"]), weighted, images, column, Spec::features(&["x".to_owned()])]
    {
        let Some(mut chunks) = judged(npz::chunks(bytes.to_vec(), "x.npz", &spec)) else { continue };
        let (mut part, mut features, mut whole) = (chunks.empty(), Vec::new(), false);
        for _ in 0..20 {
            let Some(more) = judged(chunks.fill(&mut part, 2)) else { break };
            whole = !more;
            if whole {
                break;
            }
            if spec.kind != TargetKind::Unread {
                part.check().expect("a part fits together");
            }
            features.extend_from_slice(&part.features.values.to_f32());
        }
        if whole {
            good = true;
            let data = npz::chunks(bytes.to_vec(), "x.npz", &spec).and_then(Chunks::rest);
            assert_eq!(features[..], *data.expect("the same rows fit").features.values.to_f32());
        }
    }
    // Classes that are not known are counted when all rows are read.
    if bytes.len() < 1000 {
        judged(npz::chunks(bytes.to_vec(), "x.npz", &Spec::classes("y")).and_then(Chunks::rest));
    }
    good
}

/// Weights to start from.
pub fn weights(bytes: &[u8]) -> bool {
    let model = Model::new(3, &[2.into(), "relu".into(), 1.into()], "mse").expect("a small model");
    let Some(arrays) = judged(arrays_from_bytes(bytes, Path::new("w"), &model)) else { return false };
    assert!(arrays.values().flat_map(|array| &array.values).all(|value| value.is_finite()));
    assert_eq!(arrays.len(), 4);
    true
}
