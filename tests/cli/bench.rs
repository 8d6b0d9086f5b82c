//! `accrue bench` measures, and what it prints agrees with itself. How fast it is, no test says.

use serde_json::Value;

use crate::place::Place;

const SHORT: &str = "--rounds 1 --seconds 0.05";

fn number(value: &Value) -> f64 {
    value.as_f64().filter(|number| number.is_finite()).unwrap_or_else(|| panic!("{value} is no number"))
}

#[test]
fn a_network_of_ones_own_is_measured_alone_and_its_numbers_agree() {
    let place = Place::new("bench-own");
    let words = format!("bench --shape 4-4-1 --rows 64 --micro-batch 8 --steps 2 --json {SHORT}");
    let report: Value = serde_json::from_str(&place.ok(&words)).unwrap();
    let training = report["training"].as_array().unwrap();
    assert_eq!(training.len(), 1);
    assert!(report["matmul"].is_null() && report["accumulation"].as_array().unwrap().is_empty());
    let own = &training[0];
    assert_eq!((&own["shape"], &own["loss"]), (&Value::from("4-4-1"), &Value::from("mse")));
    assert_eq!(own["flop_per_sample"], 2 * (16 + 4) + 2 * (16 + 4) + 2 * 4);

    let (samples, us) = (number(&own["samples_per_s"]["median"]), number(&own["us_per_update"]["median"]));
    assert!((samples * us / 1e6 - 16.0).abs() < 1e-6, "16 samples an update: {samples} {us}");
    assert!((number(&own["gflops"]) * 1e9 / samples - 88.0).abs() < 1e-6);
    let (each, whole) = (number(&own["dispatches_per_micro_batch"]), number(&own["dispatches_per_update"]));
    assert!(whole > 0.0 && whole == 2.0 * each, "{each} {whole}");
    assert!(number(&own["bytes_to_gpu_per_update"]) >= 4.0 * 16.0);
    let cold = number(&own["cold_start_s"]["median"]);
    assert!(cold > 1e-6 * us && cold < 600.0, "{cold}");
    assert_eq!(own["peak_resident_bytes"].is_u64(), cfg!(target_os = "linux"));
}

#[test]
fn what_is_named_is_measured_and_nothing_else() {
    let place = Place::new("bench-named");
    let text = place.ok(&format!("bench w1 {SHORT}"));
    for part in ["adapter ", "samples/s", "W1: 8-16-1 with relu, mse", "cold start"] {
        assert!(text.contains(part), "{part:?} in {text}");
    }
    for part in ["W2", "matmul", "accumulation"] {
        assert!(!text.contains(part), "{part:?} in {text}");
    }
}

#[test]
fn a_network_for_images_is_measured_by_its_name() {
    let place = Place::new("bench-images");
    let report: Value = serde_json::from_str(&place.ok(&format!("bench w7 --json {SHORT}"))).unwrap();
    let [cnn] = report["training"].as_array().unwrap().as_slice() else { panic!("{report}") };
    assert_eq!((&cnn["name"], &cnn["loss"]), (&Value::from("W7"), &Value::from("cross_entropy")));
    assert!(cnn["shape"].as_str().unwrap().starts_with("28×28×1 - conv 16"), "{cnn}");
    let (samples, us) = (number(&cnn["samples_per_s"]["median"]), number(&cnn["us_per_update"]["median"]));
    assert!((samples * us / 1e6 - 256.0).abs() < 1e-6, "256 samples an update: {samples} {us}");
    assert!(number(&cnn["cold_start_s"]["median"]) > 0.0 && number(&cnn["dispatches_per_update"]) > 4.0);
}

#[test]
fn every_loss_can_be_measured() {
    let place = Place::new("bench-losses");
    for loss in ["mse", "huber", "cross_entropy", "bce"] {
        let words = format!("bench --shape 3-5-2 --activation tanh --loss {loss} --rows 40 --micro-batch 7 --steps 3");
        let report: Value = serde_json::from_str(&place.ok(&format!("{words} --json {SHORT}"))).unwrap();
        assert!(number(&report["training"][0]["samples_per_s"]["min"]) > 0.0, "{loss}");
    }
}

#[test]
fn what_cannot_be_measured_ends_with_its_code() {
    let place = Place::new("bench-wrong");
    place.fails("bench W4", 2, &["'W4'", "W1, W2, W3, W7, W8, W9, W10"]);
    place.fails("bench --shape 4-0-1", 2, &["4-0-1", "784-512-256-10"]);
    place.fails("bench --shape 4-1 --loss msa", 2, &["'msa'", "mse"]);
    place.fails("bench --rows 100", 2, &["--shape"]);
    place.fails("bench --shape 4-1 --rows 100", 3, &["--rows", "100 rows, but an update takes 512"]);
    place.fails("bench W1 --adapter abacus", 5, &["\"abacus\" (--adapter)"]);
    place.fails("bench --shape 65536-65536 --rows 8 --micro-batch 1 --steps 1", 7, &["make model.layers narrower"]);
}
