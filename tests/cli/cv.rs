//! `accrue cv`: each fold in turn measures a model that the others train.

use serde_json::Value;

use crate::place::Place;

fn json(text: &str) -> Value {
    assert_eq!(text.matches('\n').count(), 1, "one line: {text}");
    serde_json::from_str(text).unwrap()
}

const SHARE: &str = "--set data.validation=0.2 --set train.epochs=6";

/// The numbers of a metric in each fold.
fn each(page: &Value, metric: &str) -> Vec<f64> {
    let folds = page["folds"].as_array().unwrap();
    folds.iter().map(|fold| fold["metrics"][metric].as_f64().unwrap()).collect()
}

#[test]
fn folds_are_told_with_mean_and_deviation_and_nothing_is_written() {
    let place = Place::new("cv");
    let before = std::fs::read_dir(place.path("")).unwrap().count();
    let words = format!("cv c.toml --folds 4 {SHARE} --set train.best=accuracy --set train.patience=3");
    let page = json(&place.ok(&format!("{words} --json")));
    let out = place.ok(&words);
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), before, "nothing is written");

    let accuracies = each(&page, "accuracy");
    assert_eq!(accuracies.len(), 4);
    let mean = accuracies.iter().sum::<f64>() / 4.0;
    let std = (accuracies.iter().map(|value| (value - mean).powi(2)).sum::<f64>() / 3.0).sqrt();
    let spread = &page["metrics"]["accuracy"];
    assert!((spread["mean"].as_f64().unwrap() - mean).abs() < 1e-12, "{page}");
    assert!((spread["std"].as_f64().unwrap() - std).abs() < 1e-12 && spread["folds"] == 4, "{page}");
    assert_eq!(page["best_by"], "accuracy");
    for (at, fold) in page["folds"].as_array().unwrap().iter().enumerate() {
        assert_eq!((&fold["fold"], &fold["rows"]["validation"]), (&(at + 1).into(), &10.into()));
        assert_eq!(fold["rows"]["train"], 30);
        assert_eq!(fold["best"]["value"], fold["metrics"]["accuracy"], "the metrics are those of the best epoch");
        let (best, made) = (fold["best"]["epoch"].as_u64().unwrap(), fold["epochs"].as_u64().unwrap());
        assert!(made == (best + 3).min(6), "patience ends a fold: {fold}");
        let line = out.lines().find(|line| line.starts_with(&format!("{}/4 ", at + 1))).expect(&out);
        assert!(line.contains(&format!("{:.2} %", 100.0 * accuracies[at])), "{line}");
    }
    let last: Vec<&str> = out.lines().rev().take(2).collect();
    assert!(last[1].starts_with("mean ") && last[1].contains(&format!("{:.2} %", 100.0 * mean)), "{out}");
    assert!(last[0].starts_with("std ") && last[0].contains(&format!("{:.2} %", 100.0 * std)), "{out}");
    let quiet = place.ok(&format!("{words} -q"));
    assert_eq!(quiet.lines().skip(1).collect::<Vec<_>>(), [last[1], last[0]]);
}

/// The rows that are held back are those of `folds`; here the training on the others is repeated with files.
#[test]
fn a_fold_is_a_training_with_its_rows_in_a_file_of_their_own() {
    let place = Place::new("cv-fold");
    // Each group is a file of its own, and as large: fold and file are found by the rows' loss.
    let rows: Vec<String> = place.text("classes.csv").lines().skip(1).map(str::to_owned).collect();
    let group = |at: usize| if at < 20 { "a" } else { "b" };
    let grouped: String = rows.iter().enumerate().map(|(at, row)| format!("{},{row}\n", group(at))).collect();
    place.write("g.csv", format!("who,x,y,side\n{grouped}"));
    let page =
        json(&place.ok(&format!("cv c.toml --folds 2 {SHARE} --set data.path=g.csv --set data.group=who --json")));
    let head = "x,y,side\n".to_owned();
    let mut trained: Vec<f64> = [0..20, 20..40]
        .map(|held: std::ops::Range<usize>| {
            let part = |wanted: bool| -> String {
                let rows = rows.iter().enumerate().filter(|(at, _)| held.contains(at) == wanted);
                rows.map(|(_, row)| format!("{row}\n")).collect()
            };
            place.write("train.csv", head.clone() + &part(false));
            place.write("other.csv", head.clone() + &part(true));
            let files = "--set data.path=train.csv --set data.validation=other.csv --set train.epochs=6";
            place.ok(&format!("train c.toml --out r --fresh {files}"));
            let epochs = place.metrics("r").into_iter().filter(|line| line["kind"] == "epoch");
            epochs.map(|line| line["val_loss"].as_f64().unwrap()).fold(f64::INFINITY, f64::min)
        })
        .to_vec();
    let folds = page["folds"].as_array().unwrap();
    let mut losses: Vec<f64> = folds.iter().map(|fold| fold["loss"].as_f64().unwrap()).collect();
    trained.sort_by(f64::total_cmp);
    losses.sort_by(f64::total_cmp);
    assert_eq!(losses, trained, "bit for bit");
}

#[test]
fn numbers_have_folds_too() {
    let place = Place::new("cv-numbers");
    let page = json(&place.ok("cv n.toml --folds 3 --json"));
    assert_eq!(each(&page, "rmse").len(), 3);
    let held: Vec<&Value> = page["folds"].as_array().unwrap().iter().map(|fold| &fold["rows"]["validation"]).collect();
    assert_eq!(held, [17, 17, 16]);
    assert!(page["metrics"].get("accuracy").is_none() && page["metrics"]["r2"]["std"].as_f64().unwrap() > 0.0);
}

#[test]
fn what_has_no_folds_is_refused_in_a_line() {
    let place = Place::new("cv-refused");
    place.fails("cv c.toml", 3, &["data.validation: is a file, but the folds are parts of data.path"]);
    let last = format!("cv c.toml {SHARE} --set data.split=last");
    place.fails(&last, 3, &["data.split: \"last\" holds only the last rows back"]);
    place.fails(&format!("cv c.toml {SHARE} --folds 41"), 3, &["--folds: 41 is more than the 40 rows"]);
    assert_eq!(place.run(&format!("cv c.toml {SHARE} --folds 1")).code, 2);
    place.fails("cv n.toml --folds 3 --set optimizer.lr=1e30", 8, &["is not finite", "; this was fold 1 of 3"]);
}

#[cfg(unix)]
#[test]
fn an_interrupted_cross_validation_ends_soon_with_130() {
    use std::io::{BufRead, BufReader, Read};
    let place = Place::new("cv-interrupted");
    let words = format!("cv c.toml {SHARE} --set train.epochs=1000000 --set train.patience=100000");
    let mut command = place.command(&words);
    let mut child = command.stdout(std::process::Stdio::piped()).stderr(std::process::Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().starts_with("fold ")), "it trains");
    let start = std::time::Instant::now();
    assert!(std::process::Command::new("kill").args(["-INT", &child.id().to_string()]).status().unwrap().success());
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert!(start.elapsed() < std::time::Duration::from_secs(10), "it stops soon");
    let mut err = String::new();
    child.stderr.take().unwrap().read_to_string(&mut err).unwrap();
    assert!(err.ends_with("interrupted: in fold 1 of 5; nothing is saved\n"), "{err}");
}
