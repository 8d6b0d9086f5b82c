//! `train.memory` and `train.micro_batch`: what fits, what is said, and that it changes no byte of the model.

use crate::place::Place;

/// Trains, and returns the bytes of the model and of the metrics, and what was printed.
fn train(place: &Place, run: &str, more: &str) -> ((Vec<u8>, Vec<u8>), String) {
    let printed = place.ok(&format!("train c.toml --out {run} {more}"));
    let file = |name: &str| place.bytes(&format!("{run}/{name}"));
    ((file("model.safetensors"), file("metrics.jsonl")), printed)
}

/// The line that a plan is told in.
fn window(printed: &str) -> &str {
    printed.lines().find(|line| line.starts_with("window ")).unwrap()
}

#[test]
fn over_budget_even_at_one_row_ends_with_7_and_a_size_that_works() {
    let place = Place::new("budget");
    // Without a micro-batch it is the plan that finds one.
    place.write("c.toml", place.text("c.toml").replace("micro_batch = 8\n", ""));
    let ended = place.run("train c.toml --out r --set train.memory=100KiB");
    ended.failed(7, &["even one row", "samples", "102400 are allowed (train.memory)", "set train.memory = \""]);
    assert!(!place.path("r").exists(), "nothing is written");
    let enough = ended.err.split("train.memory = \"").nth(1).unwrap().split('"').next().unwrap();
    let bytes: u64 = enough.trim_end_matches('B').parse().unwrap();
    place.fails(&format!("train c.toml --out r --set train.memory={}B", bytes - 1), 7, &[enough]);
    let (within, printed) = train(&place, "within", &format!("--set train.memory={enough}"));
    assert!(window(&printed).contains("(the most that fit into"), "{printed}");
    assert!(printed.contains("data streamed"), "{printed}");
    let (whole, printed) = train(&place, "whole", "");
    assert!(window(&printed).contains("batch 16 at once (the whole batch fits)"), "{printed}");
    assert!(printed.contains("data included"), "{printed}");
    assert_eq!(within, whole);
    assert!(place.text("whole/config.toml").contains("micro_batch = \"auto\""));
}

#[test]
fn a_micro_batch_that_is_over_the_budget_ends_with_7_and_what_to_write() {
    let place = Place::new("fixed");
    let parts = ["train.micro_batch = 8 needs ", "300000 are allowed (train.memory)", "micro_batch = \"auto\""];
    place.fails("train c.toml --out r --set train.memory=300000B", 7, &parts);
    assert!(!place.path("r").exists(), "nothing is written");
    let (_, printed) = train(&place, "r", "--set train.memory=1MiB");
    assert!(window(&printed).contains("batch 16 in 2 micro-batches of 8; "), "{printed}");
}

#[test]
fn how_the_micro_batch_is_found_changes_no_byte() {
    let place = Place::new("found");
    for batch in ["16", "[[0,6],[4,20]]"] {
        let run = |micro: &str| {
            let set = format!("--set train.batch={batch} --set train.micro_batch={micro}");
            train(&place, &format!("{}-{micro}", batch.len()), &set)
        };
        let (whole, _) = run("auto");
        for micro in ["1", "5"] {
            assert_eq!(whole, run(micro).0, "batch {batch}, micro-batches of {micro}");
        }
        let (fastest, printed) = run("fastest");
        assert_eq!(whole, fastest, "batch {batch}");
        assert!(window(&printed).contains("(the fastest of a trial, "), "{printed}");
    }
}

#[test]
fn a_batch_carried_over_epochs_that_is_larger_than_the_data_finds_its_micro_batch() {
    let place = Place::new("carried");
    let run = |micro: &str, more: &str| {
        let set = format!("--set train.tail=carry --set train.batch=100 --set train.micro_batch={micro} {more}");
        train(&place, &format!("r{micro}{}", more.len()), &set).0
    };
    let whole = run("auto", "");
    assert_eq!(whole, run("7", ""));
    assert_eq!(whole, run("auto", "--set train.memory=440000B"));
    assert_eq!(whole, run("fastest", ""));
}
