//! What the chapters of `CONTRIBUTING.md` add, inside the crate and in a crate of its own: held against its references, and trained
//! with. This is a test of the copy that `main.rs` makes.

mod own;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::sync::{Arc, OnceLock};

use accrue::doctor::{Event, check_ops, check_optimizers};
use accrue::gpu::{Choice, Gpu};
use accrue::graph::Op;
use accrue::ops::Samples;
use accrue::optim::{Clip, Kind, Optimizer};
use accrue::{ops, optim};

fn gpu() -> &'static Gpu {
    static GPU: OnceLock<Gpu> = OnceLock::new();
    GPU.get_or_init(|| Gpu::new(&Choice::default()).unwrap())
}

/// Holds an op against its reference; every kernel of its has to be right.
fn check(samples: impl Fn(usize) -> Vec<Arc<dyn Op>>) {
    let shader = samples(1)[0].shader().name;
    let mut found = 0;
    let watch = |event| {
        if let Event::Found(finding) = event {
            assert_eq!(finding.wrong, None, "{finding}");
            found += usize::from(finding.name.starts_with(shader));
        }
    };
    check_ops(gpu(), [samples], watch).unwrap();
    assert!(found > 0, "{shader} took no part");
}

fn check_optimizer(kind: &Kind) {
    let cases = (kind.cases)();
    let clip = Clip { norm: Some(0.2), value: None };
    let all: Vec<(&dyn Optimizer, Clip)> =
        cases.iter().flat_map(|one| [Clip::default(), clip].map(|clip| (&**one, clip))).collect();
    let mut found = 0;
    let watch = |event| {
        if let Event::Found(finding) = event {
            assert_eq!(finding.wrong, None, "{finding}");
            found += usize::from(finding.name.starts_with(kind.name));
        }
    };
    check_optimizers(gpu(), &all, watch).unwrap();
    assert!(found > 0, "{} took no part", kind.name);
}

/// The line of a list by the name of its op.
fn listed(name: &str) -> Samples {
    *ops::ALL.iter().find(|samples| samples(1)[0].name() == name).unwrap_or_else(|| panic!("{name} is not listed"))
}

#[test]
fn the_ops_do_what_their_references_do() {
    ["softplus", "shift", "log_cosh"].into_iter().for_each(|name| check(listed(name)));
}

#[test]
fn the_same_files_are_ops_in_a_crate_of_their_own() {
    let all: [Samples; 3] = [own::softplus::samples, own::shift::samples, own::log_cosh::samples];
    all.into_iter().for_each(check);
}

#[test]
fn the_optimizer_does_what_its_reference_does_inside_and_outside() {
    check_optimizer(optim::find("signum").unwrap());
    check_optimizer(&own::signum::SIGNUM);
}

/// Runs the command in a folder of its own and returns what it prints.
fn accrue(folder: &Path, arguments: &[&str]) -> String {
    let done = Command::new(env!("CARGO_BIN_EXE_accrue-contributing")).args(arguments).current_dir(folder).output();
    let done = done.unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap()
}

#[test]
fn the_command_lists_what_was_added_and_a_configuration_trains_with_it() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("added");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).unwrap();
    let listed = accrue(&folder, &["names"]);
    for name in ["softplus", "shift", "log_cosh", "signum"] {
        assert!(listed.contains(name), "{name}: {listed}");
    }
    assert!(accrue(&folder, &["--help"]).contains("names"));

    let row = |at: u32| (f64::from(at % 17) / 8.0 - 1.0, f64::from(at % 23) / 11.0 - 1.0);
    let rows: String = (0..256).map(row).map(|(a, b)| format!("{a} {b} {}\n", a - b)).collect();
    fs::write(folder.join("rows.dat"), format!("a b difference\n{rows}")).unwrap();
    let config = r#"
        [data]
        path = "rows.dat"
        target = "difference"
        [model]
        layers = [16, "softplus", "shift", 1]
        loss = "log_cosh"
        [train]
        batch = 64
        micro_batch = 16
        epochs = 20
        [optimizer]
        type = "signum"
        lr = 0.01
    "#;
    fs::write(folder.join("config.toml"), config).unwrap();
    accrue(&folder, &["train", "config.toml", "--out", "run"]);
    let metrics = fs::read_to_string(folder.join("run/metrics.jsonl")).unwrap();
    let losses: Vec<f64> = metrics.lines().filter_map(loss).collect();
    assert!(losses.len() > 1 && losses[losses.len() - 1] < 0.5 * losses[0], "{metrics}");
}

/// The training loss of an epoch, if the line of metrics is one.
fn loss(line: &str) -> Option<f64> {
    let event: serde_json::Value = serde_json::from_str(line).ok()?;
    event.get("train_loss")?.as_f64()
}
