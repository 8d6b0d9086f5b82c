//! Files of strangers: every file of `fuzz/corpus` and some thousand mutations of each, through the functions that `make fuzz`
//! runs for longer.

mod targets;

use std::path::Path;

use accrue::random::{Purpose, stream};
use rand::Rng;

/// Mutations of each file: some thousand, or as many as `ACCRUE_CASES` says.
fn mutations() -> u64 {
    std::env::var("ACCRUE_CASES").map_or(2000, |cases| cases.parse().expect("ACCRUE_CASES is a number"))
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()));
    let mut files: Vec<_> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    files.into_iter().map(|path| (path.display().to_string(), std::fs::read(&path).unwrap())).collect()
}

/// Bits flipped, bytes replaced by telling ones, pieces left out, doubled or moved.
fn mutated(bytes: &[u8], random: &mut impl Rng) -> Vec<u8> {
    let mut bytes = bytes.to_vec();
    for _ in 0..1 + random.next_u32() % 4 {
        let mut below = |n: usize| random.next_u32() as usize % n.max(1);
        let (at, len) = (below(bytes.len()), 1 + below(16));
        let end = (at + len).min(bytes.len());
        match below(6) {
            _ if bytes.is_empty() => bytes.push(b'{'),
            0 => bytes[at] ^= 1 << below(8),
            1 => bytes[at] = b"\0\n\r,\"'[]{}09-e. #=\xff\x1b"[below(20)],
            2 => drop(bytes.drain(at..end)),
            3 => drop(bytes.splice(at..at, bytes[at..end].to_vec())),
            4 => drop(bytes.splice(at..end, *b"99999999999999999999")),
            _ => {
                let piece: Vec<u8> = bytes.drain(at..end).collect();
                let to = below(bytes.len() + 1);
                drop(bytes.splice(to..to, piece));
            }
        }
    }
    bytes
}

fn run(target: &str) {
    let (_, check) = targets::TARGETS.iter().find(|(name, _)| *name == target).unwrap();
    let files = corpus(target);
    // Of bytes that are all refused at once, no more than the refusal would be tried.
    let good = files.iter().filter(|(_, bytes)| check(bytes)).count();
    assert!(files.len() > 1 && good > 0, "{good} of {} files of {target} are good", files.len());
    let (mut taken, mut refused) = (0, 0);
    for (name, bytes) in files {
        for case in 0..mutations() {
            let mutation = mutated(&bytes, &mut stream(case, Purpose::Shuffle, 0));
            match std::panic::catch_unwind(|| check(&mutation)) {
                Ok(true) => taken += 1,
                Ok(false) => refused += 1,
                Err(_) => panic!("mutation {case} of {name}: {:?}", String::from_utf8_lossy(&mutation)),
            }
        }
    }
    println!("{target}: {taken} mutations were taken, {refused} refused");
    assert!(refused > 0, "{target}: all {taken} mutations were taken");
}

#[test]
fn checkpoints_of_strangers_do_no_harm() {
    run("checkpoint");
}

#[test]
fn configurations_of_strangers_do_no_harm() {
    run("config");
}

#[test]
fn data_of_strangers_does_no_harm() {
    run("csv");
}

#[test]
fn objects_of_strangers_do_no_harm() {
    run("json_lines");
}

#[test]
fn models_of_strangers_do_no_harm() {
    run("model");
}

#[test]
fn arrays_of_strangers_do_no_harm() {
    run("npz");
}

#[test]
fn idx_files_of_strangers_do_no_harm() {
    run("idx");
}

#[cfg(feature = "parquet")]
#[test]
fn parquet_of_strangers_does_no_harm() {
    run("parquet");
}

#[test]
fn tables_of_strangers_do_no_harm() {
    run("table");
}

#[test]
fn weights_of_strangers_do_no_harm() {
    run("weights");
}

#[test]
fn every_target_is_fuzzed() {
    let manifest = include_str!("../../fuzz/Cargo.toml");
    for (name, _) in targets::TARGETS {
        assert!(manifest.contains(&format!("path = \"fuzz_targets/{name}.rs\"")), "{name}");
    }
    // Without the feature, there is one less than in the manifest.
    let absent = usize::from(!cfg!(feature = "parquet"));
    assert_eq!(manifest.matches("[[bin]]").count(), targets::TARGETS.len() + absent);
}
