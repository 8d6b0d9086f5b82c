//! Event files for TensorBoard: every update and epoch once, whatever happened to the run.

use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::Place;

/// The event files of a folder, in TensorBoard's order.
fn files(place: &Place, folder: &str) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(place.path(folder)).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

/// The records of a file: their data, without the frame.
fn records(bytes: &[u8]) -> Vec<&[u8]> {
    let (mut rest, mut found) = (bytes, Vec::new());
    while !rest.is_empty() {
        let length = u64::from_le_bytes(rest[..8].try_into().unwrap()) as usize;
        found.push(&rest[12..12 + length]);
        rest = &rest[16 + length..];
    }
    found
}

/// Compares a run's event files with its metrics, as TensorBoard reads them, if it is there.
fn check(place: &Place, run: &str, folder: &str) {
    let python = std::env::var("PYTHON").unwrap_or_else(|_| "python3".to_owned());
    let python = |words: &[&str]| Command::new(&python).args(words).current_dir(place.path("")).output();
    if !python(&["-c", "import tensorboard"]).is_ok_and(|ended| ended.status.success()) {
        return crate::skip::skip("tensorboard", "PYTHON does not have it");
    }
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/scripts/check_tensorboard.py");
    let ended = python(&[script, run, folder]).unwrap();
    assert!(ended.status.success(), "{run}: {}", String::from_utf8_lossy(&ended.stderr));
}

#[test]
fn every_update_and_every_epoch_is_an_event() {
    let place = Place::new("tensorboard");
    place.ok("train c.toml --out r");
    assert!(!place.path("r/tensorboard").exists());
    // Classes have three updates in each of three epochs.
    let out = place.ok("train c.toml --out r --fresh --tensorboard");
    assert!(out.contains("\nevents    r/tensorboard: tensorboard --logdir shows them\n"), "{out}");
    let first = files(&place, "r/tensorboard");
    let bytes = std::fs::read(&first[0]).unwrap();
    let records = records(&bytes);
    assert_eq!((first.len(), records.len()), (1, 1 + 9 + 3));
    assert!(records[0].ends_with(b"\x1a\x0dbrain.Event:2"), "{records:?}");
    let has = |record: &[u8], tag: &str| record.windows(tag.len()).any(|part| part == tag.as_bytes());
    let with = |tag: &str| records.iter().filter(|record| has(record, tag)).count();
    assert_eq!(["train/loss", "train/lr", "validation/loss", "validation/accuracy"].map(with), [9, 9, 3, 3]);
    check(&place, "r", "r/tensorboard");

    place.ok("train n.toml --out r --fresh --tensorboard");
    assert!(files(&place, "r/tensorboard").len() == 1 && !first[0].exists() || files(&place, "r/tensorboard") == first);
    check(&place, "r", "r/tensorboard");
    // A folder that the user names keeps its files; the older ones no longer count.
    place.ok("train c.toml --out s --tensorboard=logs/s");
    place.ok("train n.toml --out s --fresh --tensorboard=logs/s");
    assert_eq!(files(&place, "logs/s").len(), 2);
    place.write("file", "");
    place.fails("train c.toml --out t --tensorboard=file", 9, &["file"]);
}

#[test]
fn a_run_that_goes_on_writes_no_step_twice_and_none_is_missing() {
    let place = Place::new("tensorboard-resume");
    let words = "train c.toml --set train.epochs=2000 --set train.checkpoint=0.05s --out r";
    for signal in ["-KILL", "-INT", "-KILL"] {
        let had = place.checkpoints("r").pop();
        let mut child = place.command(&format!("{words} --tensorboard"));
        let mut child = child.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        let begun = Instant::now();
        while place.checkpoints("r").pop() == had {
            assert!(begun.elapsed() < Duration::from_secs(60), "it trains");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
        child.wait().unwrap();
    }
    place.ok(&format!("{words} --tensorboard"));
    assert_eq!(files(&place, "r/tensorboard").len(), 4);
    check(&place, "r", "r/tensorboard");
    // Who asks for it later gets what was before, too.
    std::fs::remove_dir_all(place.path("r/tensorboard")).unwrap();
    place.ok(&format!("{words} --tensorboard=late"));
    check(&place, "r", "late");
}
