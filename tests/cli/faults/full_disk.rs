//! A disk that is full: a small tmpfs in a mount namespace of its own, where one may be made.

use std::path::PathBuf;
use std::process::Command;

use accrue::train::Checkpoint;

use super::all;
use crate::place::Place;
use crate::skip::skip;

const WORDS: &str = "train c.toml --set train.epochs=8 --set train.checkpoint=1";

/// Trains until the disk is full, and again when there is room; copies of the run's folder are taken after each.
const SCRIPT: &str = "
mkdir -p disk
mount -t tmpfs -o size=$SIZE accrue disk || exit 77
\"$ACCRUE\" $WORDS --out disk/r >full.out 2>full.err
echo $? >full.code
cp -r disk/r full
mount -o remount,size=16m disk || exit 77
\"$ACCRUE\" $WORDS --out disk/r >again.out 2>again.err
echo $? >again.code
cp -r disk/r again
";

#[test]
fn a_run_on_a_full_disk_ends_with_9_and_goes_on_when_there_is_room() {
    let place = Place::new("faults-full");
    let words = WORDS.to_owned();
    place.ok(&format!("{words} --out whole"));
    let sizes: Vec<u32> = if all() { (4..100).step_by(4).collect() } else { vec![8, 20, 40] };
    let mut full = Vec::new();
    for size in &sizes {
        let mut command = Command::new("unshare");
        command.args(["-rm", "sh", "-c", SCRIPT]).current_dir(place.path("")).env_remove("RUST_LOG");
        command.env("ACCRUE", env!("CARGO_BIN_EXE_accrue")).env("WORDS", &words).env("SIZE", format!("{size}k"));
        command.env("ACCRUE_CACHE", place.path("cache"));
        let output = command.output();
        if !place.path("again.code").exists() {
            return skip("tmpfs", &format!("no file system can be mounted here ({output:?})"));
        }
        let said = place.text("full.err");
        match place.text("full.code").trim() {
            "0" => assert_eq!(said, "", "{size} KiB"),
            "9" => {
                assert_eq!(said.lines().count(), 1, "{size} KiB: {said}");
                assert!(said.starts_with("error: disk/r/"), "{size} KiB: {said}");
                assert!(said.contains("No space left on device"), "{size} KiB: {said}");
                full.push(said);
            }
            code => panic!("{size} KiB: {code} {said}"),
        }
        for entry in std::fs::read_dir(place.path("full/checkpoints")).into_iter().flatten() {
            let path: PathBuf = entry.unwrap().path();
            let hidden = path.file_name().unwrap().to_string_lossy().starts_with('.');
            assert!(!hidden, "{size} KiB: what could not be written is taken away");
            Checkpoint::read(&path).unwrap_or_else(|error| panic!("{size} KiB: {error}"));
        }
        assert_eq!((place.text("again.code").trim(), place.text("again.err").as_str()), ("0", ""), "{size} KiB");
        for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
            let bytes = |run: &str| place.bytes(&format!("{run}/{file}"));
            assert!(bytes("whole") == bytes("again"), "{size} KiB: {file}");
        }
        for (folder, file) in [("full", "full.code"), ("again", "again.code")] {
            std::fs::remove_dir_all(place.path(folder)).unwrap();
            std::fs::remove_file(place.path(file)).unwrap();
        }
    }
    println!("{} of {} disks were full, then the same bytes:\n{}", full.len(), sizes.len(), full.concat());
    assert!(full.len() > 1, "some disks are too small");
}
