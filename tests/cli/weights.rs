//! `data.weight`: rows that count more, less or not at all.

use crate::place::Place;

/// `classes.csv` with a weight of each row in its first column, and rows of weight 0 behind it.
fn weighted(place: &Place, weight: impl Fn(usize) -> f64, more: &str) -> String {
    let rows = place.text("classes.csv");
    let rows = rows.lines().skip(1).enumerate().map(|(at, line)| format!("{},{line}\n", weight(at)));
    format!("w,x,y,side\n{}{more}", rows.collect::<String>())
}

/// Trains on a whole file as one window, in its order, and returns the model's numbers and its bytes.
fn train(place: &Place, run: &str, batch: usize, more: &str) -> (Vec<f32>, Vec<u8>) {
    let settings = format!("--set train.batch={batch} --set train.shuffle=false --set data.validation=0");
    place.ok(&format!("train c.toml --out {run} --quiet {settings} --set train.epochs=20 {more}"));
    let bytes = place.bytes(&format!("{run}/model.safetensors"));
    let tensors = safetensors::SafeTensors::deserialize(&bytes).unwrap();
    let mut all: Vec<_> = tensors.tensors().into_iter().collect();
    all.sort_by(|a, b| a.0.cmp(&b.0));
    let float = |cell: &[u8]| f32::from_le_bytes(cell.try_into().unwrap());
    (all.iter().flat_map(|(_, view)| view.data().chunks(4).map(float).collect::<Vec<_>>()).collect(), bytes)
}

const WEIGHT: &str = "--set data.weight=w";

#[test]
fn rows_of_weight_0_leave_no_trace_and_the_weight_is_no_feature() {
    let place = Place::new("weight_0");
    let plain = train(&place, "plain", 40, "");
    place.write("w.csv", weighted(&place, |_| 2.0, &"0,1e30,-1e30,left\n".repeat(10)));
    let without = train(&place, "weighted", 50, &format!("{WEIGHT} --set data.path=w.csv"));
    assert_eq!(plain.1, without.1, "features, scales and weights of the model alike");
    assert!(String::from_utf8_lossy(&without.1).contains(r#"\"features\":[\"x\",\"y\"]"#));
}

#[test]
fn a_row_of_weight_2_is_two_rows() {
    let place = Place::new("weight_2");
    let weight = |at: usize| if at.is_multiple_of(3) { 2.0 } else { 1.0 };
    let rows = place.text("classes.csv");
    let twice = |(at, line): (usize, &str)| format!("{line}\n").repeat(weight(at) as usize);
    let doubled: String = rows.lines().skip(1).enumerate().map(twice).collect();
    place.write("doubled.csv", format!("x,y,side\n{doubled}"));
    place.write("w.csv", weighted(&place, weight, ""));
    let doubled = train(&place, "doubled", 100, "--set data.path=doubled.csv");
    let weighted = train(&place, "weighted", 100, &format!("{WEIGHT} --set data.path=w.csv"));
    assert!(doubled.0.len() == weighted.0.len() && !doubled.0.is_empty());
    let apart = doubled.0.iter().zip(&weighted.0).map(|(a, b)| (a - b).abs()).max_by(f32::total_cmp).unwrap();
    assert!(apart < 2e-5, "{apart:e} away");
    let plain = train(&place, "plain", 100, "");
    assert!(plain.0.iter().zip(&weighted.0).any(|(a, b)| (a - b).abs() > 1e-3), "the weights do something");
}

#[test]
fn weights_give_the_same_bytes_for_every_micro_batch_and_a_window_without_any_is_told() {
    let place = Place::new("weight_window");
    // The second of five windows has no weight.
    place.write("w.csv", weighted(&place, |at| if at / 8 == 1 { 0.0 } else { 0.5 + (at % 4) as f64 }, ""));
    let run = |micro: &str| {
        let more = format!("{WEIGHT} --set data.path=w.csv --set train.micro_batch={micro}");
        let model = train(&place, micro, 8, &more).1;
        (model, place.bytes(&format!("{micro}/metrics.jsonl")))
    };
    let whole = run("8");
    for micro in ["1", "3", "auto"] {
        assert_eq!(whole, run(micro), "micro-batches of {micro}");
    }
    let updates: Vec<_> = place.metrics("8").into_iter().filter(|line| line["kind"] == "update").collect();
    assert_eq!(updates.len(), 100);
    for (at, update) in updates.iter().enumerate() {
        assert_eq!(update["loss"].is_null(), at % 5 == 1, "{update}");
        assert_eq!(update.get("made").is_some(), at % 5 == 1, "{update}");
    }
    assert!(!place.text("8/report.html").contains("NaN"));
    let more = "--set train.batch=8 --set train.shuffle=false --set data.validation=0";
    let told = place.ok(&format!("train c.toml --out told {WEIGHT} --set data.path=w.csv {more}"));
    assert_eq!(told.matches("is left out: its window has no weight").count(), 1, "{told}");
}

#[test]
fn eval_counts_rows_alike_unless_it_is_told_the_weight() {
    let place = Place::new("weight_eval");
    place.write("w.csv", weighted(&place, |at| (at % 3) as f64, ""));
    place.ok(&format!("train c.toml --out r {WEIGHT} --set data.path=w.csv --set data.validation=w.csv"));
    let metrics = place.metrics("r");
    let last = metrics.last().unwrap();
    let (loss, accuracy) = (last["val_loss"].as_f64().unwrap(), last["val_accuracy"].as_f64().unwrap());
    let wanted = format!("rows 40\nloss {loss:.6}\naccuracy {:.2} %\n", 100.0 * accuracy);
    assert!(place.ok("eval r --last --data w.csv --weight w").starts_with(&wanted), "what training measured");
    let alike = place.ok("eval r --last --data w.csv");
    assert!(!alike.starts_with(&wanted));
    assert_eq!(place.ok("eval r --last --data classes.csv"), alike, "the column is not needed");
    place.fails("eval r --data classes.csv --weight w", 4, &["\"w\""]);
}

#[test]
fn weights_that_leave_nothing_to_do_are_refused() {
    let place = Place::new("weight_none");
    let train = |more: &str| format!("train c.toml --out r {WEIGHT} --set data.path=w.csv {more}");
    place.write("w.csv", weighted(&place, |_| 0.0, ""));
    place.fails(&train(""), 4, &["w.csv", "\"w\"", "every weight is 0"]);
    place.write("w.csv", weighted(&place, |at| f64::from(u8::from(at == 7)), ""));
    place.fails(&train("--set data.validation=0.5"), 4, &["w.csv", "\"w\"", "all 20 rows to ", "have weight 0"]);
    place.write("w.csv", weighted(&place, |at| 1.0 - at as f64, ""));
    place.fails(&train(""), 4, &["w.csv", "-1", "0 or more"]);
    place.fails("train c.toml --out r --set data.weight=side", 3, &["data.weight"]);
    assert!(!place.path("r").exists(), "nothing is written");
}
