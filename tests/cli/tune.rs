//! `accrue tune` keeps what is fastest in a table; the table decides how long a training takes, and no bit of it.

use std::path::PathBuf;

use serde_json::Value;

use crate::place::{Ended, Place};

const TUNE: &str = "tune c.toml --seconds 0.05";

/// The files of the test's cache.
fn tables(place: &Place) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(place.path("cache")) else { return Vec::new() };
    entries.map(|entry| entry.unwrap().path()).collect()
}

/// The kernels that a plan takes, and why.
fn kernels(place: &Place, more: &str) -> (String, String) {
    let plan: Value = serde_json::from_str(&place.ok(&format!("plan c.toml --json {more}"))).unwrap();
    let word = |name: &str| plan["kernels"][name].as_str().unwrap().to_owned();
    (word("taken"), word("why"))
}

/// Writes into the test's table that these kernels are the fastest, whatever was measured.
fn write_fastest(place: &Place, mode: &str) {
    let table = &tables(place)[0];
    let mut page: Value = serde_json::from_str(&std::fs::read_to_string(table).unwrap()).unwrap();
    let kernels = &mut page["entries"][0]["kernels"];
    kernels["mode"] = mode.into();
    kernels["default"] = if mode == "windows" { "fused" } else { "windows" }.into();
    kernels["times_as_fast"] = 2.04.into();
    std::fs::write(table, page.to_string()).unwrap();
}

#[test]
fn tune_measures_what_can_be_taken_and_plan_then_takes_the_fastest() {
    let place = Place::new("tune");
    assert_eq!(kernels(&place, "").1, "by shape and adapter");
    assert!(tables(&place).is_empty(), "a plan writes nothing");
    let report: Value = serde_json::from_str(&place.ok(&format!("{TUNE} --json"))).unwrap();
    let measured = report["kernels"].as_array().unwrap();
    assert_eq!(measured.len() + report["left_out"].as_array().unwrap().len(), 3);
    for one in measured {
        assert!(one["us_per_sample"]["median"].as_f64().unwrap() > 0.0, "{one}");
        assert_eq!(one["us_per_sample"]["rounds"].as_array().unwrap().len(), 7);
    }
    assert_eq!(tables(&place), [PathBuf::from(report["file"].as_str().unwrap())]);
    let (taken, why) = kernels(&place, "");
    assert_eq!(report["kept"]["mode"], taken.as_str());
    assert!(why.starts_with("tuned: "), "{why}");
    assert!(place.ok("plan c.toml").contains(&format!("\nkernels   {taken} ({why})\n")));
    for other in ["train.micro_batch=4", "optimizer.clip_norm=1", "model.layers=[4]"] {
        let why = kernels(&place, &format!("--set {other}")).1;
        assert_eq!(why, "by shape and adapter", "{other} was not measured");
    }
}

#[test]
fn what_was_asked_for_goes_before_the_table() {
    let place = Place::new("tune-asked");
    let out = place.ok(&format!("{TUNE} --set train.kernels=ops"));
    for part in ["kernels ", "µs a sample", "the default", "\nkept      ", "\nunused    as long as"] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
    write_fastest(&place, "fused");
    assert_eq!(kernels(&place, ""), ("fused".to_owned(), "tuned: 2.04 times as fast as windows".to_owned()));
    assert_eq!(kernels(&place, "--set train.kernels=ops"), ("ops".to_owned(), "as configured".to_owned()));
    let mut command = place.command("plan c.toml");
    command.env("ACCRUE_KERNELS", "ops");
    assert!(Ended::of(command, "plan").out.contains("kernels   ops (by ACCRUE_KERNELS)"));
    let mut command = place.command(TUNE);
    command.env("ACCRUE_KERNELS", "ops");
    Ended::of(command, TUNE).failed(3, &["ACCRUE_KERNELS: \"ops\" overrides the table", "unset it"]);
}

#[test]
fn training_gives_the_same_bytes_whatever_the_table_says() {
    let place = Place::new("tune-bytes");
    place.ok("train c.toml --out without");
    place.ok(TUNE);
    for mode in ["ops", "fused", "windows"] {
        write_fastest(&place, mode);
        place.ok(&format!("train c.toml --out {mode}"));
        let model = place.bytes(&format!("{mode}/model.safetensors"));
        assert_eq!(model, place.bytes("without/model.safetensors"), "{mode}");
        place.ok("verify c.toml --updates 2");
    }
}

#[test]
fn a_table_that_cannot_be_used_is_ignored_with_a_warning_and_written_again() {
    let place = Place::new("tune-damaged");
    place.ok(TUNE);
    let table = tables(&place)[0].clone();
    let whole = std::fs::read_to_string(&table).unwrap();
    let older = whole.replace(env!("CARGO_PKG_VERSION"), "0.0.1");
    for damaged in [&whole[..whole.len() / 2], "", "{}", older.as_str()] {
        std::fs::write(&table, damaged).unwrap();
        let ended = place.run("train c.toml --out r --fresh");
        assert_eq!(ended.code, 0, "{}", ended.err);
        assert!(ended.err.lines().count() == 1 && ended.err.contains("the table is ignored"), "{}", ended.err);
        assert_eq!(place.run("plan c.toml --sweep").err, ended.err);
    }
    assert_eq!(place.run(TUNE).code, 0);
    assert!(kernels(&place, "").1.starts_with("tuned: "));
}

#[test]
fn forget_removes_the_table_of_this_adapter() {
    let place = Place::new("tune-forget");
    assert!(place.ok("tune --forget").starts_with("no table  "));
    place.ok(TUNE);
    let removed = format!("removed   {}\n", tables(&place)[0].display());
    assert_eq!(place.ok("tune --forget"), removed);
    assert!(tables(&place).is_empty());
    assert_eq!(kernels(&place, "").1, "by shape and adapter");
    assert_eq!(place.run("tune").code, 2);
    assert_eq!(place.run("tune c.toml --forget").code, 2);
}
