//! What a model is worth: metrics, which epoch is the best, when a training ends early, and which model is asked.

use serde_json::Value;

use crate::place::Place;

fn json(text: &str) -> Value {
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// The values of a metric after each epoch.
fn after_epochs(place: &Place, run: &str, metric: &str) -> Vec<f64> {
    let lines = place.metrics(run).into_iter().filter(|line| line["kind"] == "epoch");
    lines.map(|line| line[metric].as_f64().unwrap()).collect()
}

/// The bytes of a run's weights, without what the model file says of the columns.
fn numbers(place: &Place, run: &str) -> Vec<u8> {
    let bytes = place.bytes(&format!("{run}/model.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.tensors().into_iter().collect();
    all.sort_by(|one, other| one.0.cmp(&other.0));
    all.into_iter().flat_map(|(_, view)| view.data().to_vec()).collect()
}

/// Trains until the accuracy has not grown for some epochs.
const PATIENT: &str = "train c.toml --set train.epochs=5000 --set train.best=accuracy --set train.patience";

#[test]
fn a_training_ends_when_no_better_epoch_comes_and_the_best_model_is_taken() {
    let place = Place::new("patience");
    let out = place.ok(&format!("{PATIENT}=5 --out r"));
    let accuracies = after_epochs(&place, "r", "val_accuracy");
    let most = accuracies.iter().copied().fold(0.0, f64::max);
    let best = 1 + accuracies.iter().position(|&accuracy| accuracy == most).unwrap();
    assert_eq!(accuracies.len(), best + 5, "{accuracies:?}");
    let early = format!("after epoch {}: no better val_accuracy for 5 epochs", best + 5);
    assert!(out.contains(&format!("\nstopped   {early}\n")), "{out}");
    assert!(
        out.contains(&format!("\nbest      r/best.safetensors: val_accuracy {most:.4} after epoch {best}\n")),
        "{out}"
    );
    assert!(place.text("r/report.html").contains(&format!("Stopped {early}.")));

    let ended = place.run("eval r --data held.csv");
    assert_eq!(ended.err, format!("model: r/best.safetensors (epoch {best})\n"));
    assert!(ended.out.contains(&format!("\naccuracy {:.2} %\n", 100.0 * most)), "{ended} {}", ended.out);
    let ended = place.run("eval r --last --data held.csv");
    assert_eq!(ended.err, "model: r/model.safetensors\n");
    assert_eq!(place.run("eval r/best.safetensors --data held.csv").err, "", "it was named");
    place.fails("eval r/best.safetensors --last --data held.csv", 3, &["--last: r/best.safetensors is one model"]);
    let shown = place.ok("inspect r");
    assert!(shown.starts_with(&format!("model     r/best.safetensors (epoch {best})\n")), "{shown}");
    assert!(shown.contains(&format!("\nbest      epoch {best}, ")), "{shown}");
    let last = place.ok("inspect r --last");
    assert!(
        last.starts_with("model     r/model.safetensors\n") && last.contains(&format!("\nbest      epoch {best}, "))
    );

    // It is over, and the same command says so again.
    let files =
        || ["model.safetensors", "best.safetensors", "metrics.jsonl"].map(|file| place.bytes(&format!("r/{file}")));
    let before = files();
    assert!(place.ok(&format!("{PATIENT}=5 --out r")).contains(&format!("\nstopped   {early}\n")));
    assert!(files() == before);
    place.fails(&format!("{PATIENT}=9 --out r"), 3, &["train.patience = 5 (now 9); --resume-with-changes goes on"]);
}

#[test]
fn a_killed_run_ends_at_the_same_epoch_with_the_same_bytes() {
    let place = Place::new("patience-killed");
    let words = format!("{PATIENT}=300 --set train.checkpoint=50");
    place.ok(&format!("{words} --out whole"));
    let mut kills = 0;
    for size in [15_000, 60_000, 100_000] {
        let mut child = place.command(&format!("{words} --out r -q")).spawn().unwrap();
        let metrics = place.path("r/metrics.jsonl");
        while std::fs::metadata(&metrics).map_or(0, |file| file.len()) < size && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        kills += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(kills > 1, "it was killed {kills} times");
    place.ok(&format!("{words} --out r"));
    for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("r/{file}")), "{file}");
    }
}

#[test]
fn what_has_no_rows_to_be_measured_on_cannot_be_waited_for() {
    let place = Place::new("patience-none");
    let none = "train c.toml --out r --set data.validation=0";
    place.fails(&format!("{none} --set train.patience=3"), 3, &["train.patience: there are no rows to validate on"]);
    place.fails(&format!("{none} --set train.best=f1"), 3, &["train.best: there are no rows to validate on"]);
    place.fails("train n.toml --out r --set train.best=auc", 3, &["train.best: \"auc\" does not measure numbers"]);
    place.ok(none);
    assert_eq!(place.run("eval r --data held.csv").err, "model: r/model.safetensors\n", "there is no best one");
}

#[test]
fn weights_of_classes_are_weights_of_their_rows() {
    let place = Place::new("class-weight");
    let rows: Vec<String> = place.text("classes.csv").lines().skip(1).map(str::to_owned).collect();
    let class = |row: &str| row.rsplit(',').next().unwrap().to_owned();
    let train = |run: &str, more: &str| {
        let plain = "--set data.standardize=false --set train.shuffle=false";
        place.ok(&format!("train c.toml --out {run} {plain} {more}"));
        numbers(&place, run)
    };
    let own = |weight: &dyn Fn(&str) -> f64| {
        let lines: String = rows.iter().map(|row| format!("{},{row}\n", weight(&class(row)))).collect();
        place.write("w.csv", format!("w,x,y,side\n{lines}"));
        let held = place.text("held.csv").replace("\n", "\n1,").replacen("x,", "w,x,", 1);
        place.write("w-held.csv", held.trim_end_matches("1,"));
        "--set data.path=w.csv --set data.validation=w-held.csv --set data.weight=w"
    };
    let plain = train("plain", "");
    let count = |wanted: &str| rows.iter().filter(|row| class(row) == wanted).count() as f64;
    let by_column = train("column", own(&|class| 40.0 / (3.0 * count(class))));
    let balanced = train("balanced", "--set train.class_weight=balanced");
    assert!(by_column == balanced && balanced != plain);
    let losses = |run: &str| after_epochs(&place, run, "val_loss");
    assert_eq!(losses("column"), losses("balanced"), "validation is not weighted");

    let by_column = train("column2", own(&|class| if class == "left" { 2.5 } else { 1.0 }));
    place.write("t.toml", place.text("c.toml").replace("[optimizer]", "[train.class_weight]\nleft = 2.5\n[optimizer]"));
    place.ok("train t.toml --out table --set data.standardize=false --set train.shuffle=false");
    assert!(numbers(&place, "table") == by_column);
    let config = place.text("table/config.toml");
    assert!(config.contains("[train.class_weight]\nleft = 2.5\n"), "{config}");
    place.ok("train table/config.toml --out again");
    assert!(numbers(&place, "again") == by_column);
    place.fails("train c.toml --out s --set train.class_weight={lift=2}", 3, &["\"lift\" is none of the 3 classes"]);
    place.fails("train n.toml --out s --set train.class_weight=balanced", 3, &["train.class_weight", "no classes"]);
}

#[test]
fn eval_tells_people_and_programs_the_same() {
    let place = Place::new("eval-json");
    place.ok("train c.toml --out r --set train.epochs=8");
    let text = place.ok("eval r --data held.csv");
    let page = json(&place.ok("eval r --data held.csv --json -q"));
    assert_eq!((&page["model"], &page["rows"]), (&"r/best.safetensors".into(), &20.into()));
    for name in ["f1", "auc", "log_loss"] {
        let value = page["metrics"][name].as_f64().unwrap();
        assert!(text.contains(&format!("\n{name} {value:.4}\n")), "{text}");
    }
    let classes = page["classes"].as_array().unwrap();
    for (class, row) in classes.iter().zip(page["confusion"].as_array().unwrap()) {
        let name = class["class"].as_str().unwrap();
        let line = text.lines().find(|line| line.starts_with(name)).unwrap();
        let cells: Vec<f64> = line.split_whitespace().skip(1).map(|cell| cell.parse().unwrap()).collect();
        for (cell, key) in cells.iter().zip(["precision", "recall", "f1", "support"]) {
            assert!((cell - class[key].as_f64().unwrap()).abs() < 1e-4, "{key} of {name}: {text}");
        }
        let sum: f64 = row.as_array().unwrap().iter().map(|cell| cell.as_f64().unwrap()).sum();
        assert_eq!(Some(sum), class["support"].as_f64());
    }
    assert!(text.contains("\ntrue \\ predicted  above  below  left\n"), "{text}");

    place.ok("train n.toml --out n");
    let text = place.ok("eval n --data numbers.csv");
    let page = json(&place.ok("eval n --data numbers.csv --json"));
    let names: Vec<&Value> = page["outputs"].as_array().unwrap().iter().map(|output| &output["output"]).collect();
    assert_eq!(names, ["sum", "product"]);
    let mae = (0..2).map(|at| page["outputs"][at]["mae"].as_f64().unwrap()).sum::<f64>() / 2.0;
    assert!((page["metrics"]["mae"].as_f64().unwrap() - mae).abs() < 1e-12);
    assert!(text.contains(&format!("\nmae {mae:.4}\n")), "{text}");
}

#[test]
fn predictions_on_standard_output_are_alone_there() {
    let place = Place::new("predict-output");
    place.ok("train c.toml --out r");
    place.ok("predict r --data held.csv --out p.csv");
    let csv = place.text("p.csv");
    let outs = if cfg!(unix) { &["-", "/dev/stdout"][..] } else { &["-"] };
    for out in outs {
        let ended = place.run(&format!("predict r --data held.csv --out {out}"));
        assert!(ended.code == 0 && ended.out == csv, "{ended}");
        assert!(ended.err.ends_with(&format!("\n20 predictions in {out}\n")), "{ended}");
        let words = format!("predict r --data held.csv --out {out} --json");
        place.fails(&words, 3, &["--json: the predictions go to standard output"]);
        assert_eq!(place.run(&format!("predict r --data held.csv --out {out} -q")).err, "");
    }
    assert!(!place.path("-").exists());
    let page = json(&place.ok("predict r --data held.csv --out q.csv --json"));
    assert_eq!((&page["rows"], &page["out"]), (&20.into(), &"q.csv".into()));
    assert_eq!(place.text("q.csv"), csv);
    // A reader that goes away, as `head -1` does.
    let mut command = place.command("predict r --data held.csv --out - -q");
    let mut child = command.stdout(std::process::Stdio::piped()).spawn().unwrap();
    drop(child.stdout.take());
    assert_eq!(child.wait().unwrap().code(), Some(0));
}

#[test]
fn predictions_of_large_numbers_differ_where_the_outputs_do() {
    let place = Place::new("predict-large");
    let rows: String = (0..400).map(|at| format!("{at},{}\n", 1_700_000_000 + at)).collect();
    place.write("numbers.csv", format!("a,t\n{rows}"));
    place.ok("train n.toml --out r --set data.target=t");
    place.ok("predict r --data numbers.csv --out p.csv");
    let text = place.text("p.csv");
    let mut predictions: Vec<&str> = text.lines().skip(1).collect();
    assert!(predictions.iter().all(|line| line.len() < 22), "{:?}", &predictions[..3]);
    predictions.sort_unstable();
    predictions.dedup();
    assert!(predictions.len() > 390, "{} different ones", predictions.len());
}

#[test]
fn train_and_devices_speak_to_programs_too() {
    let place = Place::new("train-json");
    let page = json(&place.ok("train c.toml --out r --json"));
    let metrics = place.metrics("r");
    let last = metrics.last().unwrap();
    for key in ["epoch", "train_loss", "val_loss", "val_accuracy", "val_auc"] {
        assert_eq!(page["last"][key], last[key], "{key}");
    }
    assert_eq!((&page["outcome"], &page["updates"]), (&"done".into(), &9.into()));
    let best = page["best"]["epoch"].as_u64().unwrap() as usize;
    assert_eq!(page["best"]["value"], after_epochs(&place, "r", "val_loss")[best - 1]);
    for file in page["files"].as_object().unwrap().values() {
        assert!(place.path(file.as_str().unwrap()).exists(), "{file}");
    }
    let page = json(&place.ok(&format!("{PATIENT}=3 --out e --json")));
    assert_eq!((&page["outcome"], &page["best"]["metric"]), (&"early".into(), &"val_accuracy".into()));
    let page = json(&place.ok("devices --json"));
    let chosen = page["chosen"].as_str().unwrap();
    assert!(page["adapters"].as_array().unwrap().iter().any(|adapter| adapter["description"] == chosen));
}

#[test]
fn a_quiet_plan_prints_nothing_but_what_is_wrong() {
    let place = Place::new("plan-quiet");
    assert_eq!(place.ok("plan c.toml -q"), "");
    assert!(place.ok("plan c.toml -q --json").starts_with('{'), "JSON was asked for");
    place.fails("plan c.toml -q --set train.epochs=0", 3, &["train.epochs"]);
}

#[test]
fn kernels_that_cannot_be_taken_are_said() {
    let place = Place::new("kernels-refused");
    let layers = "--set model.layers=[8,\"layer_norm\",\"relu\"]";
    let ended = place.run(&format!("train c.toml --out r -q --set train.kernels=windows {layers}"));
    let line = "warning: train.kernels = \"windows\" is left out: network, data or adapter cannot use them; \"ops\" are taken\n";
    assert_eq!((ended.code, ended.err.as_str()), (0, line));
    place.ok(&format!("train c.toml --out s -q --set train.kernels=ops {layers}"));
}

#[test]
fn updates_that_were_left_out_before_a_run_went_on_are_counted() {
    let place = Place::new("left-out-before");
    let rows = place.text("classes.csv");
    // The second window of each epoch has no weight.
    let weighted = |(at, line): (usize, &str)| format!("{},{line}\n", u8::from(at / 8 != 1));
    let rows: String = rows.lines().skip(1).enumerate().map(weighted).collect();
    place.write("w.csv", format!("w,x,y,side\n{rows}"));
    let words = "train c.toml --out r --set data.path=w.csv --set data.weight=w --set data.validation=0 --set train.batch=8 \
                 --set train.shuffle=false";
    assert!(place.ok(words).contains("\nleft out  3 of 15 updates without weight\n"));
    let out = place.ok(&format!("{words} --set train.epochs=7 --resume-with-changes"));
    assert!(out.contains("\nleft out  7 of 35 updates without weight\n"), "{out}");
    let page = json(&place.ok(&format!("{words} --set train.epochs=8 --resume-with-changes --json")));
    assert_eq!(page["left_out"]["without_weight"], 8);
}

#[test]
fn a_quantity_is_not_taken_for_classes() {
    let place = Place::new("quantity");
    let rows: String = (0..100).map(|at| format!("{at},{},{}\n", at % 7, 1000 + 3 * at)).collect();
    place.write("classes.csv", format!("x,y,side\n{rows}"));
    let part = "100 different numbers in 100 rows are a quantity, not classes; ";
    place.fails("train c.toml --out r --set data.validation=0.2", 4, &["classes.csv, column \"side\": ", part]);
    place.ok("train c.toml --out r --set data.validation=0.2 --set model.loss=mse");
}
