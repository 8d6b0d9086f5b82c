//! The command itself: it ends with 9 and one line, and the same command goes on to the same bytes.

use std::collections::BTreeSet;
use std::path::Path;

use accrue::train::Checkpoint;

use super::{Call, FAULTS, Fault, all, real, run};
use crate::place::{Ended, Place};

const WORDS: &str = "train c.toml --set train.epochs=1 --set train.checkpoint=1";

/// Copies a run's folder.
fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).unwrap();
    for entry in std::fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let to = to.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            copy(&entry.path(), &to);
        } else {
            std::fs::copy(entry.path(), &to).unwrap();
        }
    }
}

/// Lets call after call fail in a run that begins as `prepare` leaves its folder; returns how many faults there were.
fn each_call_fails(place: &Place, prepare: impl Fn(&Path)) -> usize {
    let (step, kinds) = if all() { (1, FAULTS.len()) } else { (5, 1) };
    let mut tried = 0;
    for at in (1..).step_by(step) {
        for kind in 0..kinds {
            let fault = FAULTS[(at / step + kind) % FAULTS.len()];
            let folder = real(&place.path("")).join("r");
            prepare(&folder);
            let words = format!("{WORDS} --out r");
            let (output, calls) = run(place.command(&words), &folder, at, fault);
            if at > calls.len() {
                assert!(output.status.success(), "{output:?}");
                return tried;
            }
            tried += 1;
            let what = format!("{fault:?} at call {at}, {:?}", calls[at - 1]);
            let err = String::from_utf8(output.stderr).unwrap();
            let errors: Vec<&str> = err.lines().filter(|line| line.starts_with("error: ")).collect();
            match output.status.code() {
                Some(0) => assert!(errors.is_empty(), "{what}: {err}"),
                Some(9) => {
                    assert_eq!(errors.len(), 1, "{what}: {err}");
                    assert!(fault != Fault::Short && errors[0].starts_with("error: r"), "{what}: {err}");
                    assert!(errors[0].contains("(os error "), "{what}: {err}");
                }
                code => panic!("{what}: {code:?} {err}"),
            }
            assert!(!err.contains("panicked"), "{what}: {err}");
            for path in place.checkpoints("r") {
                Checkpoint::read(&path).unwrap_or_else(|error| panic!("{what}: {error}"));
            }
            let again = Ended::of(place.command(&words), &words);
            assert_eq!((again.code, again.err.as_str()), (0, ""), "after {what}");
            for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
                let bytes = |run: &str| place.bytes(&format!("{run}/{file}"));
                assert!(bytes("whole") == bytes("r"), "{file} after {what}");
            }
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
    unreachable!("a run makes so many calls and no more")
}

#[test]
fn whichever_call_of_a_run_fails_it_ends_with_9_and_goes_on_to_the_same_bytes() {
    let place = Place::new("faults-command");
    place.ok(&format!("{WORDS} --out whole"));
    let tried = each_call_fails(&place, |_| {});
    println!("{tried} faults, then the same bytes");
    assert!(tried > 10);
}

#[test]
fn whichever_call_of_a_run_that_goes_on_fails_it_ends_with_9_and_goes_on_to_the_same_bytes() {
    let place = Place::new("faults-resume");
    place.ok(&format!("{WORDS} --out whole"));
    // As a process leaves it that is killed after its second update.
    let killed = |folder: &Path| {
        std::fs::create_dir_all(folder.join("checkpoints")).unwrap();
        std::fs::copy(place.path("whole/config.toml"), folder.join("config.toml")).unwrap();
        // Lines that no checkpoint counts, the last of them cut.
        let metrics = place.text("whole/metrics.jsonl") + &"{\"kind\":\"update\"\n".repeat(100) + "{";
        std::fs::write(folder.join("metrics.jsonl"), metrics).unwrap();
        let second = place.checkpoints("whole").remove(0);
        std::fs::copy(&second, folder.join("checkpoints").join(second.file_name().unwrap())).unwrap();
        std::fs::write(folder.join("checkpoints/.update-0000000003-row-0000000000.safetensors.abcdef"), b"half")
            .unwrap();
        std::fs::write(folder.join(".best.safetensors.abcdef"), b"half").unwrap();
    };
    let tried = each_call_fails(&place, killed);
    println!("{tried} faults, then the same bytes");
    assert!(tried > 5);
}

#[test]
fn a_run_that_starts_over_and_dies_at_any_call_leaves_the_old_run_or_none() {
    let place = Place::new("faults-fresh");
    let new = format!("{WORDS} --set optimizer.lr=0.2 --out");
    place.ok(&format!("{WORDS} --out old"));
    place.ok(&format!("{new} whole"));
    let (mut kept, mut begun) = (0, 0);
    for at in (1..).step_by(if all() { 1 } else { 3 }) {
        let folder = real(&place.path("")).join("r");
        copy(&place.path("old"), &folder);
        let (_, calls) = run(place.command(&format!("{new} r --fresh")), &folder, at, Fault::Dead);
        let again = place.run(&format!("{new} r"));
        if again.code == 3 {
            kept += 1;
            again.failed(3, &["--out: r ", "--fresh"]);
            place.ok(&format!("{new} r --fresh"));
        } else {
            begun += 1;
            assert_eq!((again.code, again.err.as_str()), (0, ""), "call {at}, {:?}", calls[at - 1]);
        }
        for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
            let bytes = |run: &str| place.bytes(&format!("{run}/{file}"));
            assert!(bytes("whole") == bytes("r"), "{file} after call {at}, {:?}", calls[at - 1]);
        }
        std::fs::remove_dir_all(&folder).unwrap();
        // The new run has begun; what may fail from here on, the tests above try.
        if calls[..at].contains(&("write".to_owned(), "metrics.jsonl".to_owned())) {
            break;
        }
    }
    println!("{kept} times the old run was kept, {begun} times the new one began");
    assert!(kept > 0 && begun > 0);
}

/// Goes through calls as a disk that keeps only what it was told to keep.
fn check_order(calls: &[Call]) -> usize {
    let (mut seen, mut files, mut folders) = (BTreeSet::new(), BTreeSet::new(), BTreeSet::new());
    let mut checkpoints = 0;
    for (at, (name, path)) in calls.iter().enumerate() {
        let (folder, file) = path.rsplit_once('/').unwrap_or(("", path));
        let hidden = file.starts_with('.');
        let new = seen.insert((name, path));
        let what = || format!("at {name} {path}\n{:#?}", &calls[..=at]);
        match name.as_str() {
            "write" => drop(files.insert(path.as_str())),
            "fsync" => {
                files.remove(path.as_str());
                folders.remove(path.as_str());
            }
            "mkdir" if new => drop(folders.insert(folder)),
            "create" if !hidden => drop(folders.insert(folder)),
            "rename" => {
                let temporary = format!("{folder}/.{file}.");
                assert!(!files.iter().any(|file| file.starts_with(&temporary)), "its bytes are on the disk {}", what());
                if file.starts_with("update-") {
                    checkpoints += 1;
                    assert_eq!(
                        (&files, &folders),
                        (&BTreeSet::new(), &BTreeSet::new()),
                        "nothing is in the air {}",
                        what()
                    );
                }
                folders.insert(folder);
            }
            "unlink" if file.starts_with("update-") => {
                assert!(!folders.contains(folder), "the new one is safe {}", what());
            }
            _ => {}
        }
    }
    assert_eq!((files, folders), (BTreeSet::new(), BTreeSet::new()), "at the end");
    checkpoints
}

#[test]
fn what_a_checkpoint_counts_on_is_on_the_disk_before_it() {
    let place = Place::new("faults-order");
    let folder = real(&place.path(""));
    let lines = "new/folders/r/metrics.jsonl";
    for (run_folder, more) in [
        ("new/folders/r", "--set train.epochs=2"),
        ("without", "--set train.epochs=2 --set data.validation=0"),
        // It goes on, and its metrics are gone.
        ("new/folders/r", "--set train.epochs=4 --resume-with-changes"),
    ] {
        let words = format!("{WORDS} {more} --out {run_folder}");
        let was_there = place.path(run_folder).exists();
        let (output, calls) = run(place.command(&words), &folder, 0, Fault::None);
        assert!(output.status.success(), "{output:?}");
        // What it reads is none of the run's, and folders that are there are not made.
        let ours = |(name, path): &Call| {
            let of_the_run = path.starts_with(run_folder) || run_folder.starts_with(path.as_str());
            of_the_run && !(was_there && name == "mkdir")
        };
        let calls: Vec<Call> = calls.into_iter().filter(ours).collect();
        assert!(check_order(&calls) > 4, "{calls:#?}");
        if place.path(lines).exists() {
            std::fs::remove_file(place.path(lines)).unwrap();
        }
    }
}
