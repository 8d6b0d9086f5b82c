//! A run that was stopped goes on, with the bits that it would have had.

use std::process::Stdio;
use std::time::{Duration, Instant};

use crate::place::Place;

/// Long enough to be stopped in its middle: 1000 epochs, each of three updates.
const LONG: &str = "train c.toml --set train.epochs=1000";

fn assert_same(place: &Place, one: &str, other: &str) {
    for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
        let bytes = |run: &str| place.bytes(&format!("{run}/{file}"));
        assert!(bytes(one) == bytes(other), "{file} of {one} and {other}");
    }
}

#[test]
fn a_run_that_was_stopped_goes_on_with_the_same_bytes() {
    let place = Place::new("resume");
    place.ok(&format!("{LONG} --out whole"));
    for signal in ["-INT", "-TERM"] {
        let run = &signal[1..];
        let metrics = place.path(&format!("{run}/metrics.jsonl"));
        let far = || std::fs::metadata(&metrics).is_ok_and(|metadata| metadata.len() > 20_000);
        assert_eq!(place.stopped(&format!("{LONG} --out {run}"), signal, far), Some(130), "{signal}");
        let left = place.metrics(run).len();
        let out = place.ok(&format!("{LONG} --out {run}"));
        assert!(
            out.contains("\nresumes   after update ") && out.contains(" of 3000; --fresh would start over\n"),
            "{out}"
        );
        assert!(left < place.metrics(run).len(), "it was stopped before its end");
        assert_same(&place, "whole", run);
    }
}

#[test]
fn a_run_goes_on_in_the_middle_of_a_window_with_another_micro_batch() {
    let place = Place::new("resume-window");
    // A window is 250 epochs, so that whenever it is stopped it is inside of one.
    let words = "train c.toml --set train.epochs=1000 --set train.batch=10000 --set train.tail=carry --set train.kernels=ops \
                 --set data.validation=0.0 --set train.checkpoint=0.1s";
    place.ok(&format!("{words} --set train.micro_batch=1 --out whole"));
    let began = format!("{words} --set train.micro_batch=1 --out r");
    let saved = place.path("r/checkpoints");
    place.stopped(&began, "-INT", || std::fs::read_dir(&saved).is_ok_and(|mut entries| entries.next().is_some()));
    let name = place.checkpoints("r").pop().unwrap().file_name().unwrap().to_str().unwrap().to_owned();
    assert!(!name.ends_with("-row-0000000000.safetensors"), "{name} is inside a window");
    let other = format!("{words} --set train.micro_batch=32 --out r");
    place.fails(&other, 3, &["train.micro_batch = 1 (now 32)", "--resume-with-changes"]);
    place.ok(&format!("{other} --resume-with-changes"));
    let bytes = |run: &str| place.bytes(&format!("{run}/model.safetensors"));
    assert!(bytes("whole") == bytes("r"));
    // Where another machine may have gone on, a line says which.
    let lines = |run: &str| place.metrics(run).into_iter().filter(|line| line["kind"] != "run").collect::<Vec<_>>();
    assert_eq!(lines("whole"), lines("r"));
    assert_eq!(place.metrics("r").iter().filter(|line| line["kind"] == "run").count(), 2);
}

#[test]
fn an_open_block_is_within_the_memory_too() {
    let place = Place::new("resume-memory");
    // The open block takes 1 MB, a block of rows less.
    let words = "train c.toml --set train.epochs=300 --set train.batch=10000 --set train.tail=carry --set train.kernels=ops \
                 --set model.layers=[512,\"relu\",512,\"relu\"] --set data.validation=0.0 --set train.checkpoint=0.1s --out r";
    // It goes on until it is stopped inside of a block of 32 rows: between two of them none is open.
    let last = || place.checkpoints("r").pop();
    let open = || {
        let name = last()?.file_stem()?.to_str()?.to_owned();
        Some(name.rsplit_once('-')?.1.parse::<u64>().ok()? % 32 != 0)
    };
    while open() != Some(true) {
        let before = last();
        let began = format!("{words} --set train.micro_batch=1");
        assert_eq!(place.stopped(&began, "-INT", || last() > before), Some(130), "it is stopped inside of a window");
    }
    let on = |memory: &str| {
        let memory = format!("--set train.memory={memory} --resume-with-changes");
        format!("{words} --set train.micro_batch=auto {memory}")
    };
    place.fails(&on("4MiB"), 7, &["the checkpoint is inside of a window", "raise train.memory"]);
    let out = place.ok(&on("8MiB"));
    let line = out.lines().find_map(|line| line.strip_prefix("memory ")).unwrap();
    let taken: f64 = line.split_once(" MiB").unwrap().0.trim().parse().unwrap();
    assert!(out.contains("\nresumes ") && taken <= 8.0, "{out}");
}

#[test]
fn a_run_is_saved_after_the_updates_that_are_asked_for_and_the_last_two_are_kept() {
    let place = Place::new("resume-updates");
    place.ok("train c.toml --out r --set train.epochs=7 --set train.checkpoint=4");
    let names = place.checkpoints("r").into_iter().map(|path| path.file_name().unwrap().to_owned());
    assert_eq!(
        names.collect::<Vec<_>>(),
        ["update-0000000020-row-0000000000.safetensors", "update-0000000021-row-0000000000.safetensors"]
    );
    place.ok("train c.toml --out t --set train.epochs=7 --set train.checkpoint=0.001s");
    assert_same(&place, "r", "t");
}

#[test]
fn a_damaged_checkpoint_is_named_and_the_one_before_is_taken() {
    let place = Place::new("resume-damaged");
    let words = "train c.toml --set train.epochs=7 --set train.checkpoint=4";
    place.ok(&format!("{words} --out whole"));
    place.ok(&format!("{words} --out r"));
    let files = place.checkpoints("r");
    let mut bytes = std::fs::read(&files[1]).unwrap();
    let at = bytes.len() - 3;
    bytes[at] ^= 1;
    std::fs::write(&files[1], &bytes).unwrap();
    let ended = place.run(&format!("{words} --out r"));
    assert_eq!(ended.code, 0, "{}", ended.err);
    assert!(ended.err.lines().count() == 1 && ended.err.contains("update-0000000021"), "{}", ended.err);
    assert!(ended.out.contains("resumes   after update 20 of 21;"), "{}", ended.out);
    assert_same(&place, "whole", "r");

    // Any number of damaged ones do not push out those that are whole.
    for later in ["90", "91", "92"] {
        place.write(&format!("r/checkpoints/update-00000000{later}-row-0000000000.safetensors"), "half");
    }
    let ended = place.run(&format!("{words} --out r"));
    assert!(ended.code == 0 && ended.err.lines().count() == 3, "{}", ended.err);
    assert_eq!(place.checkpoints("r")[..2], files);

    for file in place.checkpoints("r") {
        let bytes = std::fs::read(&file).unwrap();
        std::fs::write(&file, &bytes[..bytes.len() / 2]).unwrap();
    }
    let ended = place.run(&format!("{words} --out r"));
    assert_eq!(ended.code, 4, "{}", ended.err);
    assert!(ended.err.contains("no other checkpoint is intact") && ended.err.contains("--fresh"), "{}", ended.err);
    place.ok(&format!("{words} --out r --fresh"));
    assert_same(&place, "whole", "r");
}

#[test]
fn a_run_that_is_done_has_nothing_left_and_may_be_made_longer() {
    let place = Place::new("resume-done");
    place.ok("train c.toml --out longer --set train.epochs=5");
    place.ok("train c.toml --out r");
    std::fs::remove_file(place.path("r/model.safetensors")).unwrap();
    let out = place.ok("train c.toml --out r");
    assert!(out.contains("\nresumes   after update 9 of 9; nothing is left to train\n"), "{out}");
    place.fails("train c.toml --out r --set train.epochs=5", 3, &["train.epochs = 3 (now 5)", "--resume-with-changes"]);
    place.ok("train c.toml --out r --set train.epochs=5 --resume-with-changes");
    let bytes = |run: &str| place.bytes(&format!("{run}/model.safetensors"));
    assert!(bytes("longer") == bytes("r"));
    place.fails(
        "train c.toml --out r --set train.epochs=5 --set optimizer.lr=0.2",
        3,
        &["optimizer.lr = 0.1 (now 0.2)"],
    );
}

#[test]
fn the_file_of_first_weights_may_be_gone_when_a_run_goes_on() {
    let place = Place::new("resume-init");
    place.ok("train c.toml --out first --set train.epochs=1");
    let words = "train c.toml --set model.init=first/model.safetensors --out r";
    place.ok(&format!("{words} --set train.epochs=1"));
    std::fs::remove_dir_all(place.path("first")).unwrap();
    place.ok(&format!("{words} --set train.epochs=2 --resume-with-changes"));
    place.fails(&format!("{words} --fresh"), 9, &["first/model.safetensors"]);
}

#[test]
fn fewer_epochs_and_other_names_of_the_same_rows() {
    let place = Place::new("resume-names");
    place.ok("train c.toml --out r");
    place.fails("train c.toml --out r --set train.epochs=2 --resume-with-changes", 3, &["train.epochs = 3 (now 2)"]);
    place.write("moved.csv", place.text("held.csv"));
    place.ok("train c.toml --out r --set data.validation=moved.csv");
    place.write("moved.csv", place.text("held.csv").replacen("0.", "0.1", 1));
    let words = "train c.toml --out r --set data.validation=moved.csv --resume-with-changes";
    place.fails(words, 3, &["other rows of data"]);
}

#[test]
fn other_rows_of_data_are_another_run() {
    let place = Place::new("resume-data");
    place.ok("train c.toml --out r");
    place.write("classes.csv", place.text("classes.csv").replacen("0.", "0.1", 1));
    place.fails("train c.toml --out r", 3, &["other rows of data", "--fresh"]);
    place.fails("train c.toml --out r --resume-with-changes", 3, &["other rows of data", "--fresh"]);
}

#[test]
fn two_processes_do_not_train_in_one_folder() {
    let place = Place::new("resume-lock");
    let mut child = place.command(&format!("{LONG}000 --out r")).stdout(Stdio::null()).spawn().unwrap();
    let begun = Instant::now();
    while !place.path("r/metrics.jsonl").exists() {
        assert!(begun.elapsed() < Duration::from_secs(60), "it trains");
        std::thread::sleep(Duration::from_millis(1));
    }
    place.fails(&format!("{LONG}000 --out r"), 3, &["--out: another accrue is training in r"]);
    // Before it reads any data.
    place.fails(&format!("{LONG}000 --out r --set data.path=no.csv"), 3, &["--out: another accrue is training in r"]);
    child.kill().unwrap();
    child.wait().unwrap();
}

#[test]
fn metrics_that_are_gone_begin_again_and_such_that_are_damaged_are_named() {
    let place = Place::new("resume-metrics");
    place.ok("train c.toml --out r");
    let text = place.text("r/metrics.jsonl");
    place.write("r/metrics.jsonl", &text[..100]);
    place.fails("train c.toml --out r", 4, &["r/metrics.jsonl", "--fresh"]);
    place.write("r/metrics.jsonl", text.replacen("\"kind\"", "\"Kind\"", 1));
    place.fails("train c.toml --out r", 4, &["r/metrics.jsonl, line 1", "--fresh"]);
    place.write("r/metrics.jsonl", vec![0xff; text.len()]);
    place.fails("train c.toml --out r", 4, &["r/metrics.jsonl, line 1", "--fresh"]);
    std::fs::remove_file(place.path("r/metrics.jsonl")).unwrap();
    let ended = place.run("train c.toml --out r");
    assert!(ended.code == 0 && ended.err.contains("metrics.jsonl is gone"), "{}", ended.err);
    assert!(place.text("r/report.html").contains("Updates before 10 are not shown: metrics.jsonl was gone"));
    place.ok("train c.toml --out r --set train.epochs=4 --resume-with-changes");
    assert!(place.text("r/report.html").contains("Updates before 10 are not shown: metrics.jsonl was gone"));
    place.ok("train c.toml --out whole");
    assert!(!place.text("whole/report.html").contains("is not shown"));
}

#[test]
fn a_best_model_that_is_gone_or_damaged_is_said_and_made_again() {
    let place = Place::new("resume-best");
    for damage in [None, Some("half")] {
        place.ok("train c.toml --out r --fresh");
        match damage {
            None => std::fs::remove_file(place.path("r/best.safetensors")).unwrap(),
            Some(bytes) => place.write("r/best.safetensors", bytes),
        }
        let ended = place.run("train c.toml --out r");
        assert!(ended.code == 0 && ended.err.lines().count() == 1 && !ended.out.contains("\nbest "), "{ended}");
        assert!(ended.err.starts_with("warning: the best model, of epoch "), "{ended}");
        // It is said once.
        let out = place.ok("train c.toml --out r --set train.epochs=5 --resume-with-changes");
        assert!(out.contains("\nbest      r/best.safetensors: val_loss "), "{out}");
        place.ok("eval r/best.safetensors --data held.csv");
    }
}

#[test]
fn metrics_that_are_gone_do_not_stop_a_run_that_is_killed_before_it_is_saved_again() {
    let place = Place::new("resume-metrics-gone");
    place.ok("train c.toml --out r --set train.checkpoint=2");
    std::fs::remove_file(place.path("r/metrics.jsonl")).unwrap();
    // A run that is made longer and killed soon: at once, when the metrics are there again.
    let longer = format!("{LONG} --set train.checkpoint=end --resume-with-changes --out r");
    place.stopped(&longer, "-KILL", || place.path("r/metrics.jsonl").exists());
    place.ok("train c.toml --out r --set train.checkpoint=2");
    assert_eq!(place.metrics("r")[0]["kind"], "run");
}

#[test]
fn a_run_whose_losses_on_the_validation_rows_are_not_finite_goes_on() {
    let place = Place::new("resume-infinite");
    let held = "x,y,side\n1e38,-1e38,left\n-1e38,1e38,above\n";
    place.write("held.csv", held);
    place.ok("train c.toml --out whole --set train.epochs=5 --set data.standardize=false");
    let infinite =
        place.metrics("whole").iter().filter(|line| line["kind"] == "epoch" && line["val_loss"].is_null()).count();
    assert_eq!(infinite, 5, "{}", place.text("whole/metrics.jsonl"));
    place.ok("train c.toml --out r --set data.standardize=false");
    place.ok("train c.toml --out r --set data.standardize=false --set train.epochs=5 --resume-with-changes");
    let bytes = |run: &str| place.bytes(&format!("{run}/model.safetensors"));
    assert!(bytes("whole") == bytes("r"));
    assert!(!place.path("r/best.safetensors").exists(), "none of them is the best");
}

#[test]
fn what_a_killed_process_was_writing_is_taken_away() {
    let place = Place::new("resume-leftovers");
    let names = ["config.toml", "best.safetensors", "model.safetensors", "report.html"];
    let mut left: Vec<String> = names.iter().map(|name| format!("r/.{name}.aB3dE9")).collect();
    left.push("r/checkpoints/.update-0000000009-row-0000000000.safetensors.aB3dE9".to_owned());
    std::fs::create_dir_all(place.path("r/checkpoints")).unwrap();
    // Before a run begins, and before it goes on.
    for _ in 0..2 {
        left.iter().for_each(|file| place.write(file, "half"));
        place.write("r/.mine", "");
        place.ok("train c.toml --out r");
        assert!(left.iter().all(|file| !place.path(file).exists()) && place.path("r/.mine").exists());
    }
}
