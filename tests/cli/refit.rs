//! `train.refit`: training again on all rows once the best epoch is known; and `train.stop_after`.

use serde_json::Value;

use crate::place::{Place, classes};

/// Overfits soon, so that the best epoch is not the last one; the schedule knows how long a training is.
const NOISY: &str = r#"
[data]
path = "noisy.csv"
target = "side"
validation = 0.4
[model]
layers = [64, "relu", 64, "relu"]
loss = "cross_entropy"
[train]
epochs = 30
batch = 8
[optimizer]
type = "adam"
lr = 0.02
schedule = "cosine"
"#;

fn place(name: &str) -> Place {
    let place = Place::new(name);
    // The last column says nothing, and every fourth class is wrong.
    let rows = classes(0..60);
    let mut lines = rows.lines();
    let mut csv = format!("z,{}\n", lines.next().unwrap());
    for (at, line) in lines.enumerate() {
        let (cells, side) = line.rsplit_once(',').unwrap();
        let side = if at % 4 == 0 { "left" } else { side };
        csv += &format!("{},{cells},{side}\n", at * 37 % 61);
    }
    place.write("noisy.csv", csv);
    place.write("noisy.toml", NOISY);
    place
}

const REFIT: &str = "train noisy.toml --set train.refit=true";

#[test]
fn a_refit_is_the_training_on_all_rows_for_as_many_epochs_as_the_best_one_had() {
    let place = place("refit");
    let page: Value = serde_json::from_str(&place.ok(&format!("{REFIT} --out r --json"))).unwrap();
    let best = page["best"]["epoch"].as_u64().unwrap();
    assert!((2..30).contains(&best), "{page}");
    assert_eq!(page["refit"]["epochs"], best);
    assert_eq!((&page["refit"]["rows"], &page["outcome"]), (&60.into(), &"done".into()));

    place.ok("train noisy.toml --out first");
    for file in ["model.safetensors", "best.safetensors", "metrics.jsonl"] {
        assert!(place.bytes(&format!("r/{file}")) == place.bytes(&format!("first/{file}")), "{file} is of the first");
    }
    place.ok(&format!("train noisy.toml --out all --set data.validation=0 --set train.stop_after={best}"));
    let refit = place.bytes("r/refit/model.safetensors");
    assert!(refit == place.bytes("all/model.safetensors"));
    place.ok(&format!("train noisy.toml --out short --set data.validation=0 --set train.epochs={best}"));
    assert!(refit != place.bytes("short/model.safetensors"), "the schedule is that of all epochs");
    for rows in [1, 5, 8] {
        place.ok(&format!("{REFIT} --out cut{rows} --set train.micro_batch={rows}"));
        assert!(refit == place.bytes(&format!("cut{rows}/refit/model.safetensors")), "{rows} rows at once");
    }

    let told = |words: &str| place.run(words).err;
    assert_eq!(told("eval r --data noisy.csv"), "model: r/refit/model.safetensors\n");
    assert_eq!(told("eval r --last --data noisy.csv"), "model: r/model.safetensors\n");
    let shown = place.ok("inspect r");
    assert!(shown.contains(&format!("\nbest      epoch {best}, ")), "{shown}");
    assert!(shown.contains(&format!(" updates in {best} epochs on all rows: train_loss ")), "{shown}");
    assert!(place.text("r/report.html").contains(&format!("{best} epochs of training on all rows")));
    place.fails("predict r --data noisy.csv --out r/refit/model.safetensors", 3, &["--out: ", "the run's own"]);

    // It is over, and the same command says so again.
    let again = place.ok(&format!("{REFIT} --out r"));
    assert!(again.contains(&format!("\nrefit     {best} epochs on all 60 rows\n")), "{again}");
    assert!(refit == place.bytes("r/refit/model.safetensors"));
    // A new run has no model of the old one's, even before it ends.
    place.ok("train noisy.toml --out r --fresh");
    assert_eq!(told("eval r --data noisy.csv"), format!("model: r/best.safetensors (epoch {best})\n"));
}

#[test]
fn a_refit_that_was_killed_goes_on_with_the_same_bytes() {
    let place = place("refit-killed");
    let words = format!("{REFIT} --set train.checkpoint=3 --set train.epochs=100");
    place.ok(&format!("{words} --out whole"));
    let mut kills = 0;
    for size in [400, 1000, 2000] {
        let mut child = place.command(&format!("{words} --out r -q")).spawn().unwrap();
        let metrics = place.path("r/refit/metrics.jsonl");
        while std::fs::metadata(&metrics).map_or(0, |file| file.len()) < size && child.try_wait().unwrap().is_none() {
            std::thread::sleep(std::time::Duration::from_millis(1));
        }
        kills += u32::from(child.try_wait().unwrap().is_none());
        let _ = child.kill();
        child.wait().unwrap();
    }
    assert!(kills > 0, "it was never killed in the second training");
    place.ok(&format!("{words} --out r"));
    for file in ["model.safetensors", "best.safetensors", "refit/model.safetensors", "refit/metrics.jsonl"] {
        assert!(place.bytes(&format!("whole/{file}")) == place.bytes(&format!("r/{file}")), "{file}");
    }
}

#[test]
fn a_refit_that_was_interrupted_or_is_out_of_date_is_not_taken() {
    let place = place("refit-part");
    // It learns slowly, so that the best epoch is a late one.
    let words = format!("{REFIT} --set train.epochs=400 --set train.checkpoint=50 --set optimizer.lr=0.0001");
    let metrics = place.path("r/refit/metrics.jsonl");
    let begun = || std::fs::metadata(&metrics).is_ok_and(|file| file.len() > 300);
    let code = place.stopped(&format!("{words} --out r -q"), "-INT", begun);
    assert_eq!(code, Some(130), "it was interrupted while it trained again");
    let told = |run: &str| place.run(&format!("eval {run} --data noisy.csv")).err;
    assert!(told("r").starts_with("model: r/best.safetensors"), "{}", told("r"));
    place.ok(&format!("{words} --out r"));
    place.ok(&format!("{words} --out whole"));
    let refit = |run: &str| place.bytes(&format!("{run}/refit/model.safetensors"));
    assert!(refit("r") == refit("whole"));

    // A run that goes on may find a better epoch.
    let constant = format!("{REFIT} --set optimizer.schedule=constant --out s");
    place.ok(&format!("{constant} --set train.epochs=1"));
    assert_eq!(told("s"), "model: s/refit/model.safetensors\n");
    place.ok(&format!("{constant} --set train.epochs=9 --set train.refit=false --resume-with-changes"));
    assert!(told("s").starts_with("model: s/best.safetensors"), "{}", told("s"));
    place.ok(&format!("{constant} --set train.epochs=9 --resume-with-changes"));
    place.ok(&format!("{REFIT} --set optimizer.schedule=constant --out t --set train.epochs=9"));
    assert!(refit("s") == refit("t"), "it is trained on, or again");
}

#[test]
fn a_training_that_starts_from_a_run_takes_no_model_that_saw_the_rows_held_back() {
    let place = place("refit-start");
    place.ok(&format!("{REFIT} --out r"));
    let start = "train noisy.toml --set train.epochs=1 --set optimizer.lr=1e-30 -q --out";
    place.ok(&format!("{start} a --set model.init=r"));
    place.ok(&format!("{start} b --set model.init=r/best.safetensors"));
    assert!(place.bytes("a/model.safetensors") == place.bytes("b/model.safetensors"));
}

#[test]
fn a_training_that_stops_before_its_end_has_the_epochs_of_the_whole_one() {
    let place = place("stop-after");
    place.ok("train noisy.toml --out whole");
    place.ok("train noisy.toml --out part --set train.stop_after=7");
    let (whole, part) = (place.metrics("whole"), place.metrics("part"));
    assert_eq!(part.last().unwrap()["epoch"], 7);
    assert_eq!(part[1..], whole[1..part.len()]);
    // It goes on to the end, with the same bits.
    place.fails("train noisy.toml --out part", 3, &["train.stop_after = 7 (now unset); --resume-with-changes"]);
    place.ok("train noisy.toml --out part --resume-with-changes");
    assert!(place.bytes("part/model.safetensors") == place.bytes("whole/model.safetensors"));
    place.fails("train noisy.toml --out x --set train.stop_after=31", 3, &["31 is more than the 30 of train.epochs"]);
    place.fails("train noisy.toml --out x --set train.stop_after=0", 3, &["train.stop_after: 0 is not a whole"]);
}

#[test]
fn a_refit_needs_rows_that_were_held_back() {
    let place = place("refit-none");
    let none = ["train.refit: there are no rows to validate on"];
    place.fails(&format!("{REFIT} --out x --set data.validation=0"), 3, &none);
    let file = ["train.refit: ", "data.validation is a file of its own; give a share"];
    place.fails("train c.toml --out x --set train.refit=true", 3, &file);
}
