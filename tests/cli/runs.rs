//! What a run prints, and what its folder holds.

use serde_json::Value;

use crate::place::{Ended, Place};

#[test]
fn a_run_leaves_model_configuration_metrics_and_report() {
    let place = Place::new("folder");
    place.ok("train c.toml --out runs/deep/r");
    let mut names: Vec<_> = std::fs::read_dir(place.path("runs/deep/r"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    let wanted = "best.safetensors checkpoints config.toml metrics.jsonl model.safetensors report.html";
    assert_eq!(names.iter().filter(|name| *name != ".lock").map(String::as_str).collect::<Vec<_>>().join(" "), wanted);
    place.ok("eval runs/deep/r/best.safetensors --data held.csv");
    let report = place.text("runs/deep/r/report.html");
    let links = report.matches("href=").count();
    assert_eq!(links, report.matches("href=\"data:").count(), "no network");
    assert!(report.contains("<svg") && !report.contains("src=") && !report.contains("http"), "one file");
}

#[test]
fn init_says_what_comes_next_unless_the_file_itself_is_printed() {
    let place = Place::new("init-says");
    assert!(place.ok("init start.toml").ends_with("  accrue train start.toml --out runs/start\n"));
    assert_eq!(place.ok("init -"), place.text("start.toml"));
}

#[test]
fn quiet_prints_nothing_when_all_is_well() {
    let place = Place::new("quiet");
    assert_eq!(place.ok("train c.toml --out r --quiet"), "");
    assert_eq!(place.ok("predict r --data held.csv --out p.csv -q"), "");
    assert!(place.ok("eval r --data held.csv -q").starts_with("rows 20\nloss "), "what was asked for is printed");
}

#[test]
fn a_pipe_gets_plain_lines() {
    let place = Place::new("pipe");
    for words in ["train c.toml --out r", "eval r --data held.csv", "devices", "--help", "train --help", "init -"] {
        let out = place.ok(words);
        assert!(out.ends_with('\n') && !out.contains(['\u{1b}', '\r']), "accrue {words}\n{out}");
        let mut command = place.command(words);
        command.env("NO_COLOR", "1");
        let plain = Ended::of(command, words);
        assert!(!plain.out.contains('\u{1b}') && plain.code == 0);
    }
    let out = place.ok("train c.toml --out r --fresh");
    for part in ["40 rows to train on, 20 to validate; 2 features, 3 classes", "2-8-relu-3", "\nepoch 1/3  train_loss "]
    {
        assert!(out.contains(part), "{out}");
    }
    let many = place.ok("train c.toml --out many --set train.epochs=200");
    assert!(many.lines().count() < 80, "not a line for each of 200 epochs");
    assert!(many.contains("\nepoch   1/200 ") && many.contains("\nepoch 200/200 "));
}

#[test]
fn a_reader_that_goes_away_does_not_end_a_run() {
    let place = Place::new("reader");
    let mut command = place.command("train c.toml --out r");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
    assert!(place.path("r/report.html").exists());
}

#[test]
fn the_metrics_have_a_line_for_the_run_each_update_and_each_epoch() {
    let place = Place::new("metrics");
    place.ok("train c.toml --out r");
    let lines = place.metrics("r");
    let keys = |line: &Value| line.as_object().unwrap().keys().cloned().collect::<Vec<_>>().join(" ");
    assert_eq!(lines[0]["schema_version"], 1);
    for key in ["kind", "adapter", "driver"] {
        assert!(!lines[0][key].as_str().unwrap().is_empty(), "{key}");
    }
    let updates: Vec<_> = lines.iter().filter(|line| line["kind"] == "update").collect();
    let epochs: Vec<_> = lines.iter().filter(|line| line["kind"] == "epoch").collect();
    assert_eq!((updates.len(), epochs.len(), lines.len()), (9, 3, 13));
    for (at, update) in updates.iter().enumerate() {
        assert_eq!(keys(update), "epoch kind loss lr samples update");
        assert_eq!((&update["update"], &update["epoch"]), (&(at + 1).into(), &(at / 3 + 1).into()));
        assert_eq!(update["samples"], [16, 16, 8][at % 3]);
        assert!(update["loss"].as_f64().unwrap() > 0.0 && update["lr"] == 0.1);
    }
    for (at, epoch) in epochs.iter().enumerate() {
        assert_eq!(
            keys(epoch),
            "epoch kind train_loss update val_accuracy val_auc val_balanced_accuracy val_f1 val_log_loss val_loss"
        );
        assert_eq!(epoch["epoch"], at + 1);
        let of_epoch = &updates[3 * at..3 * at + 3];
        let sum: f64 = of_epoch.iter().map(|u| u["samples"].as_f64().unwrap() * u["loss"].as_f64().unwrap()).sum();
        assert!((epoch["train_loss"].as_f64().unwrap() - sum / 40.0).abs() < 1e-12, "weighted by samples");
    }
    place.ok("train n.toml --out n");
    assert_eq!(
        keys(place.metrics("n").last().unwrap()),
        "epoch kind train_loss update val_loss val_mae val_r2 val_rmse"
    );
}

#[test]
fn a_saved_model_has_pytorchs_keys_and_shapes_and_says_how_to_use_it() {
    let place = Place::new("saved");
    place.ok("train c.toml --out r");
    let bytes = place.bytes("r/model.safetensors");
    let (_, header) = safetensors::SafeTensors::read_metadata(&bytes).unwrap();
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut shapes: Vec<_> = tensors.tensors().into_iter().map(|(name, view)| (name, view.shape().to_vec())).collect();
    shapes.sort();
    let wanted = [("0.bias", vec![8]), ("0.weight", vec![8, 2]), ("2.bias", vec![3]), ("2.weight", vec![3, 8])];
    assert_eq!(shapes, wanted.map(|(name, shape)| (name.to_owned(), shape)));
    let text = &header.metadata().as_ref().unwrap()["accrue"];
    let about: Value = serde_json::from_str(text).unwrap();
    assert_eq!(about["features"], serde_json::json!(["x", "y"]));
    assert_eq!(about["target"]["classes"]["name"], "side");
    assert_eq!(about["target"]["classes"]["classes"], serde_json::json!(["above", "below", "left"]));
    let rows: Vec<f64> =
        place.text("classes.csv").lines().skip(1).map(|l| l.split(',').nth(1).unwrap().parse().unwrap()).collect();
    let mean = rows.iter().sum::<f64>() / rows.len() as f64;
    let saved = about["preparation"]["columns"][1]["encoding"]["number"]["scale"]["center"].as_f64().unwrap();
    assert!((saved - mean).abs() < 1e-4, "{saved} is the mean {mean} of the training rows");
}

#[test]
fn eval_gives_the_last_epochs_numbers_and_predict_agrees() {
    let place = Place::new("eval");
    place.ok("train c.toml --out r --set train.epochs=20");
    let metrics = place.metrics("r");
    let last = metrics.last().unwrap();
    let (loss, accuracy) = (last["val_loss"].as_f64().unwrap(), last["val_accuracy"].as_f64().unwrap());
    let wanted = format!("rows 20\nloss {loss:.6}\naccuracy {:.2} %\n", 100.0 * accuracy);
    assert!(place.ok("eval r --last --data held.csv").starts_with(&wanted));

    let out = place.ok("predict r --last --data held.csv --out p.csv");
    assert_eq!(out, "20 predictions in p.csv\n");
    let (held, predicted) = (place.text("held.csv"), place.text("p.csv"));
    let pairs = held.lines().zip(predicted.lines()).skip(1);
    let right = pairs.filter(|(row, prediction)| row.rsplit(',').next() == prediction.split(',').next()).count();
    assert_eq!(right as f64 / 20.0, accuracy);
    assert_eq!((held.lines().count(), predicted.lines().count()), (21, 21));
    for line in predicted.lines().skip(1) {
        let shares: Vec<f64> = line.split(',').skip(1).map(|share| share.parse().unwrap()).collect();
        assert!((shares.iter().sum::<f64>() - 1.0).abs() < 1e-6, "{line}");
    }
}

#[test]
fn a_regression_answers_in_the_targets_own_unit() {
    let place = Place::new("unit");
    place.ok("train n.toml --out r --set train.epochs=60 --set data.validation=numbers.csv");
    let metrics = place.metrics("r");
    let last = metrics.last().unwrap();
    let number = |name: &str| last[name].as_f64().unwrap();
    let (loss, rmse, r2) = (number("val_loss"), number("val_rmse"), number("val_r2"));
    let eval = place.ok("eval r --last --data numbers.csv");
    let mae = number("val_mae");
    let wanted = format!("rows 50\nloss {loss:.6}\nrmse {rmse:.4}\nmae {mae:.4}\nr2 {r2:.4}\noutput ");
    assert!(eval.starts_with(&wanted), "{eval}");
    assert!(r2 > 0.5, "{eval}");

    place.ok("predict r --last --data numbers.csv --out p.csv");
    let columns = |name: &str, from: usize| -> Vec<[f64; 2]> {
        let rows = place.text(name);
        let cells = |line: &str| line.split(',').skip(from).map(|c| c.parse().unwrap()).collect::<Vec<f64>>();
        rows.lines().skip(1).map(|line| cells(line).try_into().unwrap()).collect()
    };
    assert!(place.text("p.csv").starts_with("sum,product\n"));
    let (truth, predicted) = (columns("numbers.csv", 2), columns("p.csv", 0));
    let squares = truth.iter().zip(&predicted).flat_map(|(t, p)| (0..2).map(|i| (t[i] - p[i]).powi(2)));
    let own = (squares.sum::<f64>() / 100.0).sqrt();
    assert!((own / rmse - 1.0).abs() < 1e-4, "{own} from the predictions, {rmse} from the run");
}

#[test]
fn the_start_that_init_writes_trains() {
    let place = Place::new("init");
    place.ok("init");
    assert_eq!(place.text("config.toml"), place.ok("init -"));
    place.write("data.csv", place.text("classes.csv").replace("side", "label"));
    place.ok("train config.toml --out r --quiet");
}
