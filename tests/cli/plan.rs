//! `accrue plan` shows what training would do, and training does just that.

use serde_json::Value;

use crate::place::Place;

fn plan(place: &Place, more: &str) -> Value {
    serde_json::from_str(&place.ok(&format!("plan c.toml --json {more}"))).unwrap()
}

#[test]
fn a_run_makes_the_updates_and_learning_rates_that_its_plan_shows() {
    let place = Place::new("plan-updates");
    let schedule = "--set optimizer.schedule=cosine --set optimizer.warmup=2 --set optimizer.lr_scaling=linear";
    for (at, tail) in ["flush", "drop", "carry"].into_iter().enumerate() {
        let more = format!("{schedule} --set train.tail={tail} --set train.batch=[[0,6],[3,14]] --set train.epochs=4");
        let more = format!("{more} --set train.micro_batch=auto");
        let planned = plan(&place, &more);
        place.ok(&format!("train c.toml --out r{at} {more}"));
        let updates: Vec<Value> =
            place.metrics(&format!("r{at}")).into_iter().filter(|line| line["kind"] == "update").collect();
        let windows = &planned["windows"];
        assert_eq!(windows["updates"], updates.len(), "{tail}");
        let first = updates.iter().filter(|update| update["epoch"] == 1).count();
        assert_eq!(windows["updates_in_first_epoch"], first, "{tail}");
        let seen: u64 = updates.iter().map(|update| update["samples"].as_u64().unwrap()).sum();
        assert_eq!(windows["samples_left_out"], 4 * windows["samples_per_epoch"].as_u64().unwrap() - seen, "{tail}");
        let rates = planned["learning_rates"].as_array().unwrap();
        assert!(rates.len() > 2, "{tail}: {rates:?}");
        for rate in rates {
            let update = &updates[rate["update"].as_u64().unwrap() as usize - 1];
            assert_eq!(update["lr"], rate["lr"], "{tail}: {rate}");
        }
    }
}

#[test]
fn a_plan_lists_all_its_memory_and_writes_nothing() {
    let place = Place::new("plan-memory");
    let planned = plan(&place, "--sweep");
    let buffers = planned["memory"]["buffers"].as_array().unwrap();
    let sum: u64 = buffers.iter().map(|buffer| buffer["bytes"].as_u64().unwrap()).sum();
    assert_eq!(planned["memory"]["bytes"], sum);
    let sweep = planned["sweep"].as_array().unwrap();
    let bytes: Vec<u64> = sweep.iter().map(|swept| swept["bytes"].as_u64().unwrap()).collect();
    assert!(bytes.len() > 3 && bytes.first() < bytes.last(), "{bytes:?}");
    let ways = [("ops", "0 linear forward"), ("fused", "fused.relu.cross_entropy"), ("windows", "whole windows")];
    for (kernels, step) in ways {
        let text = place.ok(&format!("plan c.toml --sweep --set train.kernels={kernels}"));
        for part in ["window    batch 16 in 2 micro-batches of 8", step, "open blocks", "sweep"] {
            assert!(text.contains(part), "{part:?} in {text}");
        }
    }
    assert!(!place.path("metrics.jsonl").exists());
}

#[test]
fn a_budget_that_one_row_exceeds_is_refused_with_one_that_works() {
    let place = Place::new("plan-budget");
    let auto = "--set train.micro_batch=auto --set train.memory";
    let ended = place.run(&format!("plan c.toml {auto}=1KiB"));
    ended.failed(7, &["at a time need", "train.memory = \""]);
    let wanted = ended.err.rsplit('"').nth(1).unwrap().to_owned();
    place.ok(&format!("train c.toml --out r {auto}={wanted}"));
}

#[test]
fn a_window_may_take_more_than_an_epoch() {
    let place = Place::new("plan-carry");
    let more = "--set train.tail=carry --set train.batch=90 --set train.epochs=5";
    place.ok(&format!("train c.toml --out whole {more} --set train.micro_batch=90"));
    for micro in ["auto", "fastest", "41"] {
        place.ok(&format!("train c.toml --out {micro} {more} --set train.micro_batch={micro}"));
        assert_eq!(
            place.bytes(&format!("{micro}/model.safetensors")),
            place.bytes("whole/model.safetensors"),
            "{micro}"
        );
    }
}
