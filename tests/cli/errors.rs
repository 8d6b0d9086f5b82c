//! Every exit code that can be provoked from outside, each with one line that says what to do.

use crate::place::{Ended, NUMBERS, Place};

#[test]
fn wrong_usage_ends_with_2() {
    let place = Place::new("wrong_usage");
    place.fails("train c.toml", 2, &["--out <DIR>", "`accrue train --help`"]);
    place.fails("train c.toml --out r --frehs", 2, &["'--frehs'", "'--fresh'"]);
    place.fails("trian", 2, &["'trian'", "'train'"]);
    place.fails("eval", 2, &["<RUN>"]);
    place.fails("devices now", 2, &["'now'"]);
    assert_eq!(place.run("").code, 2, "nothing at all shows the help");
}

#[test]
fn an_unknown_key_ends_with_3_and_names_the_nearest() {
    let place = Place::new("unknown_key");
    place.fails("train c.toml --out r --set train.micro_bacth=4", 3, &["train.micro_bacth", "train.micro_batch?"]);
    place.fails("train c.toml --out r --set train.lr=1", 3, &["optimizer.lr?"]);
    place.write("d.toml", NUMBERS.replace("epochs", "epoch"));
    place.fails("train d.toml --out r", 3, &["train.epoch:", "train.epochs?", "(d.toml:9)"]);
    place.write("e.toml", "[data\n");
    place.fails("train e.toml --out r", 3, &["e.toml:1:"]);
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn contradictions_of_the_partition_end_with_3_and_the_numbers() {
    let place = Place::new("partition");
    let words = "train c.toml --out r --set train.accumulation_steps=3 --set train.batch=16 --set train.micro_batch=8";
    place.fails(words, 3, &["3 contradicts batch = 16 and micro_batch = 8, which make 2"]);
    place.fails("train c.toml --out r --set train.micro_batch=17", 3, &["17 is more than train.batch = 16"]);
    place.fails("train c.toml --out r --set train.batch=41 --set train.tail=drop", 3, &["40", "41"]);
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn the_folder_of_another_run_is_replaced_only_by_fresh() {
    let place = Place::new("another_run");
    place.ok("train c.toml --out r");
    let before = place.bytes("r/model.safetensors");
    place.fails("train n.toml --out r", 3, &["--out: r has a run that was saved with data.target = ", "--fresh"]);
    std::fs::remove_dir_all(place.path("r/checkpoints")).unwrap();
    place.fails("train n.toml --out r", 3, &["--out: r holds a run with another configuration", "--fresh"]);
    assert_eq!(place.bytes("r/model.safetensors"), before);
    place.ok("train c.toml --out r");
    place.ok("train n.toml --out r --fresh");
    assert_ne!(place.bytes("r/model.safetensors"), before);
}

#[test]
fn a_loss_that_does_not_fit_the_data_ends_with_3() {
    let place = Place::new("loss");
    place.fails("train c.toml --out r --set model.loss=bce", 3, &["side has 3"]);
    place.fails("train n.toml --out r --set model.loss=cross_entropy", 3, &["2 columns"]);
    place.fails("train c.toml --out r --set model.init=n.toml", 4, &["n.toml"]);
}

#[test]
fn without_an_adapter_it_ends_with_5_and_the_remedy() {
    let place = Place::new("no_adapter");
    for words in ["devices", "train c.toml --out r"] {
        let mut command = place.command(words);
        command.env("VK_DRIVER_FILES", "/dev/null").env("VK_ICD_FILENAMES", "/dev/null").env("WGPU_BACKEND", "vulkan");
        if cfg!(target_os = "linux") {
            Ended::of(command, words).failed(5, &["no GPU adapter", "apt install mesa-vulkan-drivers"]);
        }
        let mut command = place.command(words);
        command.env("WGPU_BACKEND", if cfg!(target_os = "macos") { "dx12" } else { "metal" });
        Ended::of(command, words).failed(5, &["no GPU adapter for WGPU_BACKEND="]);
    }
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn an_adapter_that_is_not_there_ends_with_5_and_a_list_of_what_is() {
    let place = Place::new("adapter_name");
    let devices = place.ok("devices");
    let first = devices.lines().find_map(|line| line.strip_prefix("* ")).unwrap();
    let name = first.split(" (").next().unwrap();
    place.fails("train c.toml --out r --adapter abacus", 5, &["\"abacus\" (--adapter); there is: \"", name]);
    let mut command = place.command("devices");
    command.env("WGPU_ADAPTER_NAME", "abacus");
    Ended::of(command, "devices").failed(5, &["(WGPU_ADAPTER_NAME)", name]);
    let mut command = place.command("train c.toml --out r --quiet --adapter");
    command.arg(name.to_uppercase()).env("WGPU_ADAPTER_NAME", "abacus");
    assert_eq!(Ended::of(command, "train").code, 0, "--adapter goes first, in any letter case");
}

#[test]
fn a_layer_too_large_for_any_adapter_ends_with_7_before_it_is_made() {
    let place = Place::new("memory");
    for layers in ["[65536,65536]", "[65536,'relu',32768]"] {
        let start = std::time::Instant::now();
        place.fails(&format!("train c.toml --out r --set model.layers={layers}"), 7, &["make model.layers narrower"]);
        assert!(start.elapsed().as_secs() < 5, "{layers} is found out before memory is asked for");
    }
    assert!(!place.path("r").exists(), "nothing is written");
}

#[test]
fn a_loss_that_is_not_finite_ends_with_8_and_leaves_no_model() {
    let place = Place::new("diverged");
    place.fails(
        "train n.toml --out r --set optimizer.lr=1e9 --set train.epochs=50",
        8,
        &["the loss of update ", "lower"],
    );
    assert!(!place.path("r/model.safetensors").exists());
    let metrics = place.metrics("r");
    let updates: Vec<_> = metrics.iter().filter(|line| line["kind"] == "update").collect();
    assert!(!updates.is_empty() && updates.iter().all(|line| line["loss"].is_f64()), "{metrics:?}");
}

#[test]
fn a_row_that_is_too_large_is_named_or_skipped() {
    let place = Place::new("too_large");
    place.write("numbers.csv", place.text("numbers.csv") + "0.5,0.5,1e30,1\n");
    let words = "train n.toml --out r --set data.standardize=false --set data.validation=0.0 --set train.shuffle=false \
                 --set train.checkpoint=2";
    let parts = &[
        "the loss of update 4 is not finite, first in rows 0 to 2 of its window",
        "row 50 of the training data",
        "; row 50 is row 51 of numbers.csv, counted from 1 below its header",
    ];
    place.fails(words, 8, parts);
    // The checkpoint from before it is kept; the same command comes to the same end.
    place.fails(
        words,
        8,
        &[
            parts[0],
            "; the checkpoint after update 2 is kept; with --resume-with-changes a run that skips goes on from it",
        ],
    );
    let shared = words.replace("validation=0.0", "validation=0.2").replace("--out r", "--out shared");
    place.fails(&shared, 8, &["row 40 of the training data", "; row 40 is row 51 of numbers.csv, "]);
    let out = place.ok(&format!("{words} --set train.on_nonfinite=skip --resume-with-changes"));
    assert!(
        out.contains("\nupdate 4 is left out: its loss or gradient is not finite (metrics.jsonl lists them all)\n"),
        "{out}"
    );
    assert!(out.contains("\nleft out  3 of ") && out.contains(" updates not finite"), "{out}");
    let reasons: Vec<_> = place.metrics("r").into_iter().filter_map(|line| line.get("left_out").cloned()).collect();
    assert_eq!(reasons, ["loss"; 3]);
    place.ok(&format!("{words} --set train.on_nonfinite=skip --fresh --quiet").replace("--out r", "--out s"));
    assert!(place.bytes("r/model.safetensors") == place.bytes("s/model.safetensors"));
}

#[test]
fn the_best_model_is_kept_when_a_later_epoch_diverges() {
    let place = Place::new("best_before");
    let words = "train n.toml --out r --set optimizer.lr=100 --set train.epochs=50 --set train.checkpoint=end";
    place.fails(words, 8, &["is not finite"]);
    let losses: Vec<f64> = place.metrics("r").iter().filter_map(|line| line["val_loss"].as_f64()).collect();
    assert!(!losses.is_empty() && !place.path("r/model.safetensors").exists(), "an epoch is whole, the run is not");
    place.ok("predict r/best.safetensors --data numbers.csv --out p.csv");
    assert_eq!(place.text("p.csv").lines().count(), 51);
}

#[test]
fn what_the_file_system_refuses_ends_with_9() {
    let place = Place::new("file_system");
    place.fails("train c.toml --out c.toml/r", 9, &["c.toml/r: "]);
    place.fails("train nowhere.toml --out r", 9, &["nowhere.toml: "]);
    place.fails("train . --out r", 9, &[".: "]);
    place.fails("train c.toml --out r --set data.path=nowhere.csv", 9, &["nowhere.csv: "]);
    place.fails("eval nowhere --data held.csv", 9, &["nowhere/model.safetensors: "]);
    place.fails("init c.toml", 9, &["c.toml: exists; --force overwrites it"]);
    place.ok("train c.toml --out r --quiet");
    place.fails("predict r --data held.csv --out nowhere/p.csv", 9, &["nowhere/p.csv"]);
    if cfg!(target_os = "linux") {
        let full = || std::fs::File::options().write(true).open("/dev/full").unwrap();
        for words in ["devices", "eval r --data held.csv", "init -"] {
            let mut command = place.command(words);
            let output = command.stdout(full()).stderr(std::process::Stdio::piped()).spawn().unwrap();
            let output = output.wait_with_output().unwrap();
            assert_eq!(output.status.code(), Some(9), "{words}: a result that cannot be printed");
            assert!(output.stderr.starts_with(b"error: standard output: "), "{words}");
        }
    }
}

#[cfg(unix)]
#[test]
fn a_folder_that_may_not_be_written_ends_with_9() {
    use std::os::unix::fs::PermissionsExt;
    let place = Place::new("read_only");
    std::fs::create_dir(place.path("r")).unwrap();
    std::fs::set_permissions(place.path("r"), PermissionsExt::from_mode(0o555)).unwrap();
    if std::fs::write(place.path("r/probe"), "").is_ok() {
        crate::skip::skip("read-only folder", "to root everything may be written");
    } else {
        place.fails("train c.toml --out r", 9, &["r/.lock"]);
    }
    std::fs::set_permissions(place.path("r"), PermissionsExt::from_mode(0o755)).unwrap();
}
