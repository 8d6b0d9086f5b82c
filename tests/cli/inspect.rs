//! `accrue inspect`: what a run holds, without a GPU.

use serde_json::Value;

use crate::place::Place;

#[test]
fn a_run_shows_its_layers_columns_and_metrics_and_a_model_file_all_but_the_metrics() {
    let place = Place::new("inspect");
    let rows: String = (0..40).map(|row| format!("{row},{},{}\n", row % 7, row % 2)).collect();
    place.write("d.csv", format!("a,b,label\n{rows}"));
    let config = "[data]\npath = 'd.csv'\ntarget = 'label'\n[model]\nlayers = [5, 'layer_norm', 'relu']\nloss = 'cross_entropy'\n\
                  [train]\nbatch = 8\nepochs = 3\n[optimizer]\ntype = 'lion'\nlr = 0.01\n";
    place.write("c.toml", config);
    place.ok("train c.toml --out run -q");

    let text = place.ok("inspect run");
    for line in
        ["loss      cross_entropy", "0 linear", "1 layer_norm", "features  2", "target    label, 2 classes: 0, 1"]
    {
        assert!(text.lines().any(|shown| shown.starts_with(line)), "{line}: {text}");
    }
    assert!(text.contains("trained   12 updates in 3 epochs"), "{text}");

    let report: Value = serde_json::from_str(&place.ok("inspect run --json")).unwrap();
    let counts: Vec<u64> =
        report["layers"].as_array().unwrap().iter().map(|l| l["parameters"].as_u64().unwrap()).collect();
    assert_eq!(counts, [15, 10, 0, 12]);
    assert_eq!((report["parameters"].as_u64(), report["bytes"].as_u64()), (Some(37), Some(148)));
    assert_eq!(report["features"][1]["name"], "b");
    assert_eq!(report["columns"][1]["kind"], "number");
    assert!(report["columns"][1]["becomes"].as_str().unwrap().starts_with("(x "), "{}", report["columns"]);
    assert_eq!(report["metrics"]["last"]["update"], 12);
    assert!(report["metrics"]["best"]["val_loss"].as_f64().is_some());

    let file: Value = serde_json::from_str(&place.ok("inspect run/best.safetensors --json")).unwrap();
    assert_eq!((&file["layers"], &file["metrics"]), (&report["layers"], &Value::Null));
}

#[test]
fn what_is_no_run_is_one_line() {
    let place = Place::new("inspect-nothing");
    place.fails("inspect nowhere", 9, &["nowhere"]);
}
