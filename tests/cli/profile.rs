//! `accrue train --profile` says where the time went.

use serde_json::Value;

use crate::place::Place;

fn json(place: &Place, name: &str) -> Value {
    serde_json::from_str(&place.text(name)).unwrap()
}

#[test]
fn a_profile_adds_up_and_changes_no_byte() {
    let place = Place::new("profile");
    place.ok("train c.toml --out plain");
    let ops = "--set train.kernels=ops";
    let out =
        place.ok(&format!("train c.toml --out timed {ops} --profile --profile-json p.json --profile-trace t.json"));
    for file in ["model.safetensors", "metrics.jsonl"] {
        assert_eq!(place.bytes(&format!("plain/{file}")), place.bytes(&format!("timed/{file}")), "{file}");
    }
    for part in ["GFLOP/s", "backward_weight", "\nkernels ", "\ngaps ", "\nwall ", "p.json", "t.json: the first "] {
        assert!(out.contains(part), "{part:?} in {out}");
    }
    let profile = json(&place, "p.json");
    let number = |name: &str| profile[name].as_f64().unwrap();
    let kernels = profile["kernels"].as_array().unwrap();
    let sum = |name: &str| kernels.iter().map(|kernel| kernel[name].as_f64().unwrap()).sum::<f64>();
    assert!((sum("share") - 1.0).abs() < 1e-9 && (sum("ms") - number("kernels_ms")).abs() < 1e-6, "{profile}");
    let gaps = &profile["gaps_ms"];
    let gaps = gaps["dispatches"].as_f64().unwrap() + gaps["submissions"].as_f64().unwrap();
    let whole = number("kernels_ms") + gaps + number("rest_ms");
    assert!((whole - number("wall_ms")).abs() < 1e-6 && number("rest_ms") > 0.0, "{profile}");
    assert!(number("validation_ms") > 0.0 && number("clock_us") >= 0.0);
    assert_eq!(profile["dispatches"]["left_out"], 0);
    assert_eq!(sum("calls"), profile["dispatches"]["timed"].as_f64().unwrap());
    let update = kernels.iter().find(|kernel| kernel["kernel"] == "momentum.update").unwrap();
    assert!(update["calls"] == 9 && update["gflops_per_s"].is_null(), "{update}");
}

#[test]
fn a_trace_has_a_track_for_the_gpu_and_one_for_the_host() {
    let place = Place::new("trace");
    assert_eq!(place.ok("train c.toml --out r --set train.kernels=ops --quiet --profile-trace t.json"), "");
    let trace = json(&place, "t.json");
    let events = trace["traceEvents"].as_array().unwrap();
    assert_eq!(events.iter().filter(|event| event["ph"] == "M").count(), 2, "the tracks' names");
    let track = |track: u32| -> Vec<(f64, f64)> {
        let of_track = events.iter().filter(|event| event["ph"] == "X" && event["tid"] == track);
        of_track.map(|event| (event["ts"].as_f64().unwrap(), event["dur"].as_f64().unwrap())).collect()
    };
    let (kernels, host) = (track(1), track(2));
    // Micro-batches of 3 epochs: 5 of 8 rows each, in 8 dispatches; and an update for each of 9 windows, in 2.
    assert_eq!(kernels.len(), 3 * 5 * 8 + 9 * 2);
    assert!(kernels.iter().chain(&host).all(|&(begin, took)| begin >= 0.0 && took >= 0.0));
    assert!(kernels.windows(2).all(|two| two[1].0 >= two[0].0 + two[0].1 - 1e-3), "one after the other");
    assert!(kernels[0].0 >= host[0].0 + host[0].1, "no kernel runs before it is encoded");
}
