//! `accrue lr-find`: the learning rate grows, and the loss says which one is meant.

use serde_json::Value;

use crate::place::Place;

#[test]
fn a_rate_is_proposed_that_trains_and_no_run_is_written() {
    let place = Place::new("lr-find");
    let before = std::fs::read_dir(place.path("")).unwrap().count();
    let out = place.ok("lr-find c.toml");
    let page: Value = serde_json::from_str(&place.ok("lr-find c.toml --json")).unwrap();
    assert_eq!(std::fs::read_dir(place.path("")).unwrap().count(), before, "nothing is written");
    let set = page["set"].as_str().unwrap();
    assert_eq!(out.lines().last(), Some(format!("proposed  --set {set}").as_str()), "{out}");
    assert_eq!(place.ok("lr-find c.toml -q"), format!("--set {set}\n"));
    for part in ["\nrange     lr 1e-6 to 10 in 100 updates\n", " |*", " +-", "\n        lr  1e-6", "\nleast "] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
    let picture: Vec<&str> = out.lines().filter(|line| line.starts_with("  ")).collect();
    assert!(picture.len() == 14 && picture.iter().all(|line| line.is_ascii() && line.len() < 80), "{out}");

    let number = |name: &str| page[name].as_f64().unwrap();
    assert!(number("steepest") < number("minimum") && number("steepest") == number("proposed"), "{page}");
    let points = page["points"].as_array().unwrap();
    assert!((points[0]["lr"].as_f64().unwrap() / 1e-6 - 1.0).abs() < 1e-9);
    let lr = |at: usize| points[at]["lr"].as_f64().unwrap();
    assert!((1..points.len()).all(|at| lr(at) > lr(at - 1)));
    let loss = |more: &str| {
        place.ok(&format!("train c.toml --out r --fresh --set train.epochs=20 {more}"));
        let last = place.metrics("r").pop().unwrap();
        last["val_loss"].as_f64().unwrap()
    };
    assert!(loss(&format!("--set {set}")) < 0.7 * loss("--set optimizer.lr=1e-6"));
}

#[test]
fn the_losses_are_those_of_a_training_whose_rate_grows_and_schedules_do_not_count() {
    let place = Place::new("lr-find-losses");
    let points = |more: &str| {
        let page: Value = serde_json::from_str(&place.ok(&format!("lr-find c.toml --json {more}"))).unwrap();
        page["points"].as_array().unwrap().clone()
    };
    let found = points("--from 0.001 --to 1 --updates 31");
    let grows = "--set optimizer.lr=0.001 --set optimizer.schedule=step --set optimizer.step_every=1 \
                 --set optimizer.step_factor=1.2589254117941673";
    place.ok(&format!("train c.toml --out r --set train.epochs=11 {grows}"));
    let metrics = place.metrics("r");
    let updates = metrics.iter().filter(|line| line["kind"] == "update");
    let trained: Vec<f64> = updates.map(|line| line["loss"].as_f64().unwrap()).collect();
    let losses: Vec<f64> = found.iter().map(|point| point["loss"].as_f64().unwrap()).collect();
    assert_eq!(losses.len(), 31);
    assert_eq!(losses[..], trained[..31], "bit for bit");
    let schedule = "--set optimizer.lr=7 --set optimizer.schedule=coslog4 --set optimizer.warmup=9";
    assert_eq!(points(&format!("--from 0.001 --to 1 --updates 31 {schedule}")), found);
    assert_eq!(points("--from 0.001 --to 1 --updates 31 --set train.micro_batch=3"), found);
}

#[test]
fn a_range_that_tells_nothing_is_an_error_of_one_line() {
    let place = Place::new("lr-find-nothing");
    place.fails("lr-find c.toml --from 0", 3, &["--from: 0; give a number above 0"]);
    place.fails("lr-find c.toml --from 1 --to 0.5", 3, &["--to: 0.5; give a finite number above --from, 1"]);
    place.fails("lr-find c.toml --updates 3", 3, &["--updates: 3 are too few; give 20 or more"]);
    let frozen = "lr-find n.toml -q --from 1e-30 --to 1e-20 --set train.batch=40 --set train.micro_batch=40";
    place.fails(frozen, 3, &["--from: the loss does not fall between", "so no rate is proposed"]);
    assert_eq!(place.run("lr-find c.toml --updates many").code, 2);
}
