//! The GPU under an app, in processes of their own: whatever fails, what the library answers is right or an error, also when
//! the app asks again or asks another object on the same device.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::process::Command;

use accrue::data::Batch;
use accrue::gpu::{Choice, Gpu, usage};
use accrue::nn::{Arrays, Model, initial};
use accrue::optim::Sgd;
use accrue::train::{Predictor, Settings, State, Trainer};
use accrue::{Error, Result};

use super::all;
use super::gpu::{KINDS, run};
use crate::place::Place;

const ROWS: usize = 24;

/// Prints what became of something: its bits in short, or that the device is lost.
fn tell<T>(name: &str, result: Result<T>, bits: impl Fn(&T) -> Vec<u32>) -> Option<T> {
    match result {
        Ok(value) => {
            let (mut hasher, bits) = (DefaultHasher::new(), bits(&value));
            bits.hash(&mut hasher);
            // What is only handed over may leave it to others to notice that the device is lost.
            let answer = if bits.is_empty() { "done".to_owned() } else { format!("{:x}", hasher.finish()) };
            println!("\nanswer {name}: {answer}");
            return Some(value);
        }
        Err(Error::DeviceLost(_)) => println!("\nanswer {name}: lost"),
        Err(error) => println!("\nanswer {name}: {error}"),
    }
    None
}

fn of_floats(values: &[f32]) -> Vec<u32> {
    values.iter().map(|value| value.to_bits()).collect()
}

fn of_arrays(arrays: &Arrays) -> Vec<u32> {
    arrays.values().flat_map(|array| of_floats(&array.values)).collect()
}

fn of_state(state: &State) -> Vec<u32> {
    let arrays = [&state.parameters, &state.gradients, &state.open_block].into_iter().chain(&state.moments);
    arrays.flat_map(of_arrays).chain(state.counts.stats.iter().copied()).collect()
}

fn floats(count: usize) -> Vec<f32> {
    (0..count).map(|at| (at as f32).sin()).collect()
}

/// A window of all rows and its update.
fn window(trainer: &mut Trainer) -> Result<Vec<f32>> {
    let rows: Vec<u32> = (0..ROWS as u32).collect();
    trainer.schedule_window(&rows)?;
    Ok(trainer.finish()?.iter().map(|update| update.loss as f32).collect())
}

/// What an app might ask of one trainer.
fn train(gpu: &Gpu, model: &Model, other: &Arrays, round: u32) {
    let name = |what: &str| format!("{what} in round {round}");
    let (x, y) = (floats(4 * ROWS), floats(2 * ROWS));
    let optimizer = Box::new(Sgd { momentum: 0.9, ..Sgd::default() });
    let settings = Settings { micro_batch: 8, open_blocks: true, optimizer, ..Settings::default() };
    let Some(mut trainer) = tell(&name("trainer"), Trainer::new(gpu, model, settings), |_| Vec::new()) else { return };
    tell(&name("attach"), trainer.attach(&Batch::values(&x, &y)), |()| Vec::new());
    tell(&name("window"), window(&mut trainer), |values| of_floats(values));
    tell(&name("from the host"), trainer.micro_step(&Batch::values(&x[..20], &y[..10])), |()| Vec::new());
    // Inside of a window.
    let state = tell(&name("state"), trainer.state(), of_state);
    tell(&name("update"), trainer.update().and_then(|()| trainer.finish().map(drop)), |()| Vec::new());
    tell(&name("parameters"), trainer.parameters(), of_arrays);
    // It has a program of its own, but shares the trainer's parameters.
    let predictor = tell(&name("predictor"), trainer.predictor(5), |_| Vec::new());
    tell(&name("replace"), trainer.set_parameters(other), |()| Vec::new());
    if let Some(predictor) = predictor {
        tell(&name("predict"), predictor.predict(&x), |values| of_floats(values));
    }
    tell(&name("replaced"), trainer.parameters(), of_arrays);
    if let Some(state) = state {
        tell(&name("go back"), trainer.set_state(&state), |()| Vec::new());
    }
    tell(&name("again"), window(&mut trainer), |values| of_floats(values));
    tell(&name("at last"), trainer.parameters(), of_arrays);
}

#[test]
#[ignore = "a process that the test below starts"]
fn a_child_asks() {
    let Some(gpu) = tell("gpu", Gpu::new(&Choice::default()), |_| Vec::new()) else { return };
    let model = Model::new(4, &[8.into(), "tanh".into(), 2.into()], "mse").unwrap();
    let (one, other) = (initial(&model, 1), initial(&model, 2));
    // The second takes the first one's memory, where the driver gives it again.
    for round in 0..2 {
        train(&gpu, &model, &other, round);
    }
    let x = floats(4 * ROWS);
    let make = |(name, weights)| tell(name, Predictor::new(&gpu, &model, weights, 5), |_| Vec::new());
    let predictors = [("one", &one), ("another", &other)].map(make);
    for (name, predictor) in ["one", "another"].iter().zip(&predictors) {
        let Some(predictor) = predictor else { continue };
        tell(&format!("{name} predicts"), predictor.predict(&x), |values| of_floats(values));
        tell(&format!("{name} predicts once more"), predictor.predict(&x), |values| of_floats(values));
    }
    // More than one piece.
    let long = vec![7; 5 << 20];
    if let Some(buffer) = tell("buffer", gpu.buffer("long", long.len() as u64, usage::STORAGE), |_| Vec::new()) {
        let there = gpu.upload(&buffer, &long).and_then(|()| gpu.read(&buffer, long.len() as u64));
        tell("upload", there, |bytes| bytes.iter().map(|&byte| byte.into()).collect());
    }
}

/// The answers of a child in their order, by names that are given once.
fn answers(out: &str) -> Vec<(String, String)> {
    let answer = |line: &str| {
        let (name, answer) = line.strip_prefix("answer ")?.split_once(": ")?;
        Some((name.to_owned(), answer.to_owned()))
    };
    out.lines().filter_map(answer).collect()
}

#[test]
fn whichever_submission_fails_an_app_gets_what_is_right_or_an_error() {
    let place = Place::new("faults-app");
    let child = || {
        let mut command = Command::new(std::env::current_exe().unwrap());
        let test = concat!(module_path!(), "::a_child_asks").split_once("::").unwrap().1;
        command.args(["--ignored", "--exact", test, "--nocapture"]);
        command
    };
    let log = place.path("submissions");
    for kind in KINDS {
        let (clean, made) = run(child(), &log, 0, kind);
        let right: BTreeMap<String, String> = answers(&clean.out).into_iter().collect();
        assert!(right.len() > 30 && right.values().all(|answer| answer != "lost"), "{right:?}");
        let (mut failed, mut asked, mut lost) = (0, 0, 0);
        for at in (1..made).step_by(if all() { 1 } else { 7 }).chain([made]) {
            let (ended, made) = run(child(), &log, at, kind);
            assert_eq!(ended.code, 0, "{ended}");
            if at > made {
                // Work is cut by measured time, so that another time there may be fewer.
                continue;
            }
            let given = answers(&ended.out);
            let mut gone = false;
            for (name, answer) in &given {
                let right = right.get(name);
                assert!(answer == "lost" || Some(answer) == right, "{kind} at {at}: {name}: {answer}, not {right:?}");
                let may_be = ["lost", "done"].contains(&answer.as_str()) || kind == "dropped";
                assert!(may_be || !gone, "{kind} at {at}: {name}: {answer} of a device that is lost");
                gone |= answer == "lost";
            }
            assert!(gone, "{kind} at {at} is noticed by nobody");
            failed += 1;
            asked += given.len();
            lost += given.iter().filter(|(_, answer)| answer == "lost").count();
        }
        assert!(failed > 3 && lost > 0, "{kind}: {failed} submissions failed, {lost} answers were errors");
        println!("{kind}: {failed} submissions failed; of {asked} answers {lost} were errors, the others right");
    }
}
