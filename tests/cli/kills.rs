//! Kill it anywhere, give the command again: the files are those of a run that was never killed.
//!
//! The moments are drawn uniformly over the time that the whole run takes, its start and its end included.
//! `ACCRUE_KILLS=100` makes so many trials, `ACCRUE_KILL=17` one of them again.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use accrue::train::Checkpoint;

use crate::place::{Ended, Place};

/// What is tried in a plain `cargo test`.
const TRIALS: u64 = 8;

/// A run that is killed, and what else the command is given when it starts for the n-th time.
struct Kind {
    name: &'static str,
    words: &'static str,
    changes: &'static [&'static str],
}

/// A window is 38 epochs, so that it takes many submissions, and most checkpoints lie inside of one.
const LONG_WINDOWS: &str = "train c.toml --set train.epochs=80 --set train.batch=1500 --set train.tail=carry \
     --set train.kernels=ops --set data.validation=0 --set train.checkpoint=0.02s";

/// A checkpoint has 740 kB, so that two thirds of the time go into saving.
const SAVES: &str = "train c.toml --set train.epochs=12 --set train.checkpoint=1 \
     --set model.layers=[300,\"relu\",300,\"relu\"]";

const KINDS: [Kind; 4] = [
    Kind { name: "saves-after-each-update", words: SAVES, changes: &[""] },
    Kind {
        name: "micro-batch-changes",
        words: SAVES,
        changes: &["--set train.micro_batch=8", "--set train.micro_batch=3", "--set train.micro_batch=16"],
    },
    Kind { name: "long-windows", words: LONG_WINDOWS, changes: &["--set train.micro_batch=1"] },
    Kind {
        name: "long-windows-and-micro-batch-changes",
        words: LONG_WINDOWS,
        changes: &["--set train.micro_batch=1", "--set train.micro_batch=7", "--set train.micro_batch=2"],
    },
];

impl Kind {
    fn words(&self, start: usize, run: &str) -> String {
        let resume = if self.changes.len() > 1 && start > 0 { "--resume-with-changes" } else { "" };
        format!("{} {} {resume} --out {run}", self.words, self.changes[start % self.changes.len()])
    }
}

/// When the kills came.
#[derive(Debug, Default)]
struct Counts {
    kills: u32,
    after_the_end: u32,
    before_a_checkpoint: u32,
    during_a_save: u32,
    inside_a_window: u32,
}

fn variable(name: &str) -> Option<u64> {
    std::env::var(name).ok().map(|text| text.parse().unwrap_or_else(|_| panic!("{name} = {text:?} is not a number")))
}

/// SplitMix64: from [0, 1), the same numbers for the same trial.
fn draw(state: &mut u64) -> f64 {
    *state = state.wrapping_add(0x9e37_79b9_7f4a_7c15);
    let mut bits = *state;
    for (shift, factor) in [(30, 0xbf58_476d_1ce4_e5b9_u64), (27, 0x94d0_49bb_1331_11eb), (31, 1)] {
        bits = (bits ^ (bits >> shift)).wrapping_mul(factor);
    }
    (bits >> 11) as f64 / (1u64 << 53) as f64
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    entries.map(|entry| entry.unwrap().path()).collect()
}

fn name(path: &Path) -> &str {
    path.file_name().unwrap().to_str().unwrap()
}

/// Temporary files in a run's folder and among its checkpoints.
fn temporary(folder: &Path) -> BTreeSet<PathBuf> {
    let all = files(folder).into_iter().chain(files(&folder.join("checkpoints")));
    all.filter(|path| name(path).starts_with('.') && name(path) != ".lock").collect()
}

/// Kills a run at a moment, and finds what it left whole.
fn kill(place: &Place, run: &str, words: &str, moment: Duration, counts: &mut Counts) {
    let folder = place.path(run);
    let before = temporary(&folder);
    let mut child = place.command(words).stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    std::thread::sleep(moment);
    counts.kills += 1;
    let over = child.try_wait().unwrap().is_some();
    child.kill().unwrap();
    let ended = child.wait_with_output().unwrap();
    assert_eq!(String::from_utf8_lossy(&ended.stderr), "", "{words}");
    assert!(ended.status.success() || !over, "it ended by itself with {}\n{words}", ended.status);
    let checkpoints: Vec<PathBuf> =
        files(&folder.join("checkpoints")).into_iter().filter(|path| !name(path).starts_with('.')).collect();
    for path in &checkpoints {
        Checkpoint::read(path).unwrap_or_else(|error| panic!("after {words}: {error}"));
    }
    counts.after_the_end += u32::from(over);
    counts.before_a_checkpoint += u32::from(checkpoints.is_empty());
    counts.during_a_save += u32::from(!temporary(&folder).is_subset(&before));
    let last = checkpoints.iter().max();
    counts.inside_a_window += u32::from(last.is_some_and(|path| !name(path).ends_with("-row-0000000000.safetensors")));
}

/// Files of a run and their bytes, where they are there.
type Files = Vec<(&'static str, Option<Vec<u8>>)>;

/// What the run is to leave; of its metrics, where another micro-batch may have gone on, all lines but those about the machine.
fn left(place: &Place, run: &str, kind: &Kind) -> Files {
    let bytes = |file| place.path(&format!("{run}/{file}")).exists().then(|| place.bytes(&format!("{run}/{file}")));
    let metrics = match kind.changes.len() {
        1 => place.text(&format!("{run}/metrics.jsonl")),
        _ => place
            .metrics(run)
            .into_iter()
            .filter(|line| line["kind"] != "run")
            .map(|line| format!("{line}\n"))
            .collect(),
    };
    vec![
        ("model.safetensors", bytes("model.safetensors")),
        ("best.safetensors", bytes("best.safetensors")),
        ("metrics.jsonl", Some(metrics.into_bytes())),
    ]
}

fn trial(place: &Place, at: u64, kind: &Kind, whole: &(Files, Duration), counts: &mut Counts) {
    let run = format!("trial-{at}");
    let mut numbers = at;
    let kills = 1 + usize::from(draw(&mut numbers) < 0.5);
    for start in 0..kills {
        kill(place, &run, &kind.words(start, &run), whole.1.mul_f64(draw(&mut numbers)), counts);
    }
    let words = kind.words(kills, &run);
    let ended = Ended::of(place.command(&words), &words);
    assert_eq!((ended.code, ended.err.as_str()), (0, ""), "trial {at}: accrue {words}");
    for ((file, one), (_, other)) in whole.0.iter().zip(left(place, &run, kind)) {
        assert!(*one == other, "{file} of trial {at} is not that of the whole run: {words}");
    }
    assert_eq!(temporary(&place.path(&run)), BTreeSet::new(), "trial {at} leaves nothing behind");
    std::fs::remove_dir_all(place.path(&run)).unwrap();
}

#[test]
fn a_run_that_is_killed_at_any_moment_goes_on_with_the_same_bytes() {
    let place = Place::new("kills");
    let whole = KINDS.map(|ref kind| {
        let begun = Instant::now();
        place.ok(&kind.words(0, kind.name));
        let time = begun.elapsed();
        (left(&place, kind.name, kind), time)
    });
    let trials = match variable("ACCRUE_KILL") {
        Some(one) => one..one + 1,
        None => 0..variable("ACCRUE_KILLS").unwrap_or(TRIALS),
    };
    let count = trials.end - trials.start;
    let mut counts = Counts::default();
    for at in trials {
        let kind = (at % KINDS.len() as u64) as usize;
        trial(&place, at, &KINDS[kind], &whole[kind], &mut counts);
    }
    // Of one trial alone it may be so.
    assert!(count == 1 || counts.after_the_end < counts.kills, "no run was killed while it went on: {counts:?}");
    println!("{count} of {count} trials end with the same bytes; {counts:?}");
}
