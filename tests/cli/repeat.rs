//! The same bits: run again, from elsewhere, and cut otherwise.

use crate::place::Place;

const MODEL: &str = "/model.safetensors";

/// Trains, and returns the bytes of the model and the losses of the updates.
fn train(place: &Place, run: &str, more: &str) -> (Vec<u8>, Vec<String>) {
    place.ok(&format!("train c.toml --out {run} {more}"));
    let updates = place.metrics(run).into_iter().filter(|line| line["kind"] == "update");
    (place.bytes(&format!("{run}{MODEL}")), updates.map(|line| line.to_string()).collect())
}

#[test]
fn the_same_seed_gives_the_same_bytes_and_another_seed_others() {
    let place = Place::new("seed");
    let first = train(&place, "a", "");
    assert_eq!(train(&place, "b", ""), first);
    assert_eq!(train(&place, "a", ""), first, "in the same folder again");
    assert_ne!(train(&place, "c", "--set train.seed=1").0, first.0);
}

#[test]
fn the_micro_batch_changes_no_byte() {
    let place = Place::new("micro_batch");
    for tail in ["flush", "drop", "carry"] {
        let run = |micro: u32| {
            let more = format!("--set train.tail={tail} --set train.batch=37 --set train.micro_batch={micro}");
            train(&place, &format!("{tail}-{micro}"), &more)
        };
        let whole = run(37);
        for micro in [1, 8, 32] {
            assert_eq!(run(micro), whole, "tail {tail}, micro-batches of {micro}");
        }
    }
}

#[test]
fn the_configuration_of_a_run_gives_the_run_again_from_another_folder() {
    let place = Place::new("again");
    train(&place, "a", "--set train.micro_batch=5 --set optimizer.weight_decay=0.01");
    std::fs::create_dir(place.path("elsewhere")).unwrap();
    std::fs::copy(place.path("a/config.toml"), place.path("elsewhere/other.toml")).unwrap();
    place.ok("train elsewhere/other.toml --out b");
    for file in ["config.toml", "model.safetensors", "metrics.jsonl"] {
        assert_eq!(place.bytes(&format!("a/{file}")), place.bytes(&format!("b/{file}")), "{file}");
    }
}

#[test]
fn what_is_carried_past_the_last_epoch_is_flushed() {
    let place = Place::new("carry");
    train(&place, "r", "--set train.tail=carry");
    let metrics = place.metrics("r");
    let samples: Vec<u64> = metrics.iter().filter_map(|line| line["samples"].as_u64()).collect();
    assert_eq!(samples, [16, 16, 16, 16, 16, 16, 16, 8], "3 epochs of 40 rows");
    assert_eq!(metrics.iter().filter(|line| line["kind"] == "epoch").count(), 3);
}
