//! `Checkpoint::write` alone, in processes of its own.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::process::Command;

use accrue::plan::Array;
use accrue::train::{Checkpoint, Counters, Position, State};

use super::{FAULTS, Fault, real, run};
use crate::place::Place;

/// Where the child finds the folder that it writes to.
const CHILD: &str = "ACCRUE_FAULTS_CHILD";

fn checkpoint(number: u32) -> Checkpoint {
    // So long that one call does not write it all where calls write half.
    let values: Vec<f32> = (0..20_000).map(|at| at as f32 + number as f32).collect();
    let arrays = BTreeMap::from([("0.weight".to_owned(), Array { shape: vec![100, 200], values })]);
    let counts = Counters { optimizer: "sgd".to_owned(), updates: number.into(), lr: 0.1, ..Counters::default() };
    let mut position = Position::default();
    position.updates = number.into();
    let state = State { parameters: arrays.clone(), moments: vec![arrays], counts, ..State::default() };
    Checkpoint { state, position, about: format!("number {number}") }
}

/// Two files in turn.
fn ring(folder: &Path, number: u32) -> PathBuf {
    folder.join(format!("{}.safetensors", number % 2))
}

#[test]
#[ignore = "a process that the test below starts"]
fn a_child_writes_three_checkpoints() {
    let folder = PathBuf::from(std::env::var_os(CHILD).expect("the test below says where to write"));
    for number in 0..3 {
        match checkpoint(number).write(&ring(&folder, number)) {
            Ok(()) => println!("\nwrote {number}"),
            Err(error) => {
                println!("\nfailed: {error}");
                std::process::exit(9);
            }
        }
    }
}

/// What a process wrote and how it ended is true of the files.
fn check(folder: &Path, output: &std::process::Output, fault: Fault, what: &str) {
    let out = String::from_utf8_lossy(&output.stdout);
    let failed = out.lines().find_map(|line| line.strip_prefix("failed: "));
    assert_eq!(output.status.code(), Some(if failed.is_some() { 9 } else { 0 }), "{what}: {output:?}");
    let wrote = out.lines().filter(|line| line.starts_with("wrote ")).count() as u32;
    if let Some(error) = failed {
        let why =
            if matches!(fault, Fault::Broken | Fault::Dead) { "Input/output error" } else { "No space left on device" };
        assert!(fault != Fault::Short && error.contains(why), "{what}: {error}");
        assert!(error.starts_with(&*ring(folder, wrote).to_string_lossy()), "{what}: {error}");
    }
    // The one that failed may be there, where its name did not get to the disk, or the one that it was to replace.
    for number in 0..2 {
        let there = Checkpoint::read(&ring(folder, number));
        let may_be: Vec<u32> = (0..=wrote.min(2)).filter(|at| at % 2 == number).collect();
        let must_be: Vec<u32> = (0..wrote).filter(|at| at % 2 == number).collect();
        match there {
            Ok(there) => {
                let which = may_be.iter().find(|&&at| there == checkpoint(at));
                assert!(which >= must_be.last(), "{what}: {which:?} of {must_be:?}");
            }
            Err(error) => assert!(must_be.is_empty() && !ring(folder, number).exists(), "{what}: {error}"),
        }
    }
}

#[test]
fn whichever_call_fails_the_last_checkpoint_that_was_written_can_be_read() {
    let place = Place::new("faults-library");
    let (mut tried, mut failed) = (0, 0);
    for fault in FAULTS {
        for at in 1.. {
            let folder = place.path("ring");
            std::fs::create_dir_all(&folder).unwrap();
            let folder = real(&folder);
            let mut command = Command::new(std::env::current_exe().unwrap());
            let test = concat!(module_path!(), "::a_child_writes_three_checkpoints").split_once("::").unwrap().1;
            command.args(["--ignored", "--exact", test, "--nocapture"]).env(CHILD, &folder);
            let (output, calls) = run(command, &folder, at, fault);
            if at > calls.len() {
                assert!(at > 15 && output.status.success(), "{at} calls for three files: {output:?}");
                break;
            }
            check(&folder, &output, fault, &format!("{fault:?} at call {at}, {:?}", calls[at - 1]));
            tried += 1;
            failed += u32::from(!output.status.success());
            std::fs::remove_dir_all(&folder).unwrap();
        }
    }
    println!("{tried} faults, {failed} writes that failed and said so, no checkpoint lost");
    assert!(3 * failed > 2 * tried, "they do something");
}
