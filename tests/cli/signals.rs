//! Ctrl-C.

use std::io::{BufRead, BufReader, Lines, Read};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::Place;

/// A run that goes on for long, and the lines that it prints after its first epoch.
fn training(mut command: Command) -> (Child, Lines<BufReader<ChildStdout>>) {
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("epoch       1/1000000 ")), "it trains");
    (child, lines)
}

fn send(child: &Child, signal: &str) {
    assert!(Command::new("kill").args([signal, &child.id().to_string()]).status().unwrap().success());
}

#[test]
fn an_interrupted_run_ends_soon_with_130_and_keeps_what_it_reached() {
    let place = Place::new("interrupted");
    let (mut child, lines) = training(place.command("train c.toml --out r --set train.epochs=1000000"));
    send(&child, "-INT");
    let start = Instant::now();
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    let code = child.wait().unwrap().code();
    assert!(start.elapsed() < Duration::from_secs(10), "it stops soon");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert_eq!(code, Some(130), "{err}");
    let told: Vec<&str> = err.lines().collect();
    assert!(
        matches!(told[..], [first, last] if first.starts_with("stopping; ")
        && last.starts_with("interrupted: after update ") && last.ends_with("the run is saved, and the same command goes on with it")),
        "{err}"
    );
    assert!(rest.iter().any(|line| line.starts_with("saved ")), "{rest:?}");

    let metrics = place.metrics("r");
    let updates = metrics.iter().filter(|line| line["kind"] == "update").count();
    assert!(updates >= 3 && err.contains(&format!("after update {updates} of ")), "{updates} updates; {err}");
    assert!(place.ok("eval r --data held.csv").starts_with("rows 20\n"));
    assert!(place.text("r/report.html").contains("Interrupted after update "));
    place.ok("train c.toml --out s --set train.epochs=1 --set model.init=r/model.safetensors");
}

#[test]
fn a_signal_that_arrives_several_times_is_one_press_of_ctrl_c() {
    let place = Place::new("interrupted-twice");
    let (mut child, lines) = training(place.command("train c.toml --out r --set train.epochs=1000000"));
    for signal in ["-INT", "-INT", "-TERM"] {
        send(&child, signal);
    }
    assert!(lines.map(Result::unwrap).any(|line| line.starts_with("saved ")), "the run is saved");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.path("r/model.safetensors").exists());
}

#[test]
fn a_run_that_nobody_listens_to_is_saved_too() {
    let place = Place::new("interrupted-unheard");
    let (mut child, lines) = training(place.command("train c.toml --out r --set train.epochs=1000000"));
    drop((child.stderr.take(), lines));
    send(&child, "-INT");
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(place.path("r/model.safetensors").exists() && place.path("r/report.html").exists());
}

#[test]
fn nohup_keeps_a_run_going_when_its_terminal_is_closed() {
    let place = Place::new("nohup");
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' HUP; exec \"$0\" train c.toml --out r --set train.epochs=1000000"]);
    command.arg(env!("CARGO_BIN_EXE_accrue")).current_dir(place.path("")).env("ACCRUE_CACHE", place.path("cache"));
    let (mut child, lines) = training(command);
    send(&child, "-HUP");
    let updates = || place.bytes("r/metrics.jsonl").len();
    let (before, begun) = (updates(), Instant::now());
    while updates() < before + 200_000 {
        assert!(begun.elapsed() < Duration::from_secs(60) && child.try_wait().unwrap().is_none(), "it goes on");
        std::thread::sleep(Duration::from_millis(10));
    }
    send(&child, "-TERM");
    assert!(lines.map(Result::unwrap).any(|line| line.starts_with("saved ")));
    assert_eq!(child.wait().unwrap().code(), Some(130));
}
