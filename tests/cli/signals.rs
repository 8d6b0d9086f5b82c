//! Ctrl-C.

use std::io::{BufRead, BufReader, Read};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use crate::place::Place;

#[test]
fn an_interrupted_run_ends_soon_with_130_and_keeps_what_it_reached() {
    let place = Place::new("interrupted");
    let mut command = place.command("train c.toml --out r --set train.epochs=1000000");
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    assert!(lines.any(|line| line.starts_with("epoch       1/1000000 ")), "it trains");
    assert!(Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    let start = Instant::now();
    let rest: Vec<String> = lines.collect();
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
