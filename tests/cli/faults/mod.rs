//! What becomes of a run when the disk fails: each call by which files are changed fails once, by a small library in C that
//! is put before the C library's own (`shim.c`). And when the GPU fails: each submission does, by a layer that is put before
//! Vulkan's driver (`layer.c`).
//!
//! `ACCRUE_FAULTS=all` lets every call of the command fail in every way, where a plain `cargo test` takes some of them.

mod app;
mod command;
mod full_disk;
mod gpu;
mod library;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::OnceLock;

/// What happens at one call.
#[derive(Clone, Copy, Debug, PartialEq)]
enum Fault {
    /// Nothing; calls are only written down.
    None,
    /// It fails once: "Input/output error".
    Broken,
    /// It fails once: "No space left on device".
    NoSpace,
    /// Half of what is to be written is written, which is no error.
    Short,
    /// The same, and then there is no space for anything.
    Full,
    /// It and all after it fail: "Input/output error".
    Dead,
}

const FAULTS: [Fault; 5] = [Fault::Broken, Fault::NoSpace, Fault::Short, Fault::Full, Fault::Dead];

/// A call that a process made: its name and the path in the folder that is watched.
type Call = (String, String);

/// Runs a command whose calls on files in a folder are watched; the one at `at`, counted from 1, meets a fault. What
/// the command printed, how it ended, and the calls it made, the one that failed being among them.
fn run(mut command: Command, folder: &Path, at: usize, fault: Fault) -> (std::process::Output, Vec<Call>) {
    let log = folder.with_extension("calls");
    let _ = std::fs::remove_file(&log);
    let (error, half, stays) = match fault {
        Fault::None | Fault::Short => ("0", fault == Fault::Short, false),
        Fault::Broken => ("5", false, false),
        Fault::NoSpace => ("28", false, false),
        Fault::Full => ("28", true, true),
        Fault::Dead => ("5", false, true),
    };
    static SHIM: OnceLock<PathBuf> = OnceLock::new();
    command
        .env("LD_PRELOAD", SHIM.get_or_init(|| library("shim.c")))
        .env("FAULT_FOLDER", folder)
        .env("FAULT_LOG", &log)
        .env("FAULT_ERRNO", error);
    command.env("FAULT_AT", if fault == Fault::None { 0 } else { at }.to_string());
    command.env("FAULT_HALF", u8::from(half).to_string()).env("FAULT_STAYS", u8::from(stays).to_string());
    let output = command.output().unwrap();
    let text = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    let calls = text.lines().map(|line| line.split_once(' ').unwrap_or((line, "")));
    (output, calls.map(|(name, path)| (name.to_owned(), path.to_owned())).collect())
}

/// A library in C that lies beside this file, compiled.
fn library(source: &str) -> PathBuf {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let file = folder.join(format!("{source}-{}.so", std::process::id()));
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/cli/faults").join(source);
    let mut cc = Command::new("cc");
    cc.args(["-shared", "-fPIC", "-O1", "-std=gnu11", "-Wall", "-Wextra", "-Werror"]).arg(path);
    // It counts on, also where the loader lets go of it and loads it again.
    assert!(
        cc.args(["-ldl", "-Wl,-z,nodelete", "-o"]).arg(&file).status().expect("cc, which Rust links with").success()
    );
    let kept = folder.join(format!("{source}.so"));
    std::fs::rename(&file, &kept).unwrap();
    kept
}

/// The folder without links, as the kernel names files in it.
fn real(folder: &Path) -> PathBuf {
    std::fs::canonicalize(folder).unwrap()
}

fn all() -> bool {
    std::env::var("ACCRUE_FAULTS").is_ok_and(|value| value == "all")
}
