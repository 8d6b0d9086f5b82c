//! `accrue verify`: equal bits are reported as equal, and what differs is found where it is.

mod common;

use accrue::Error;
use accrue::gpu::{Choice, Gpu};
use accrue::nn::Model;
use accrue::ops::losses;
use accrue::optim::{Adam, Clip, Optimizer, Schedule, ScheduleShape, Sgd};
use accrue::train::verify::{Agreement, Bits, Cut, Trace, Trial, Way, run, trials, verify};
use accrue::train::{FitConfig, Settings, Trainer};
use accrue::window::Tail;
use common::runs::Data;
use common::{Numbers, gpu};

const WHOLE: Trial = Trial { cut: Cut::Even(64), way: Way::Attached };

/// A model of odd sizes, and 150 rows for it.
fn odd(loss: &str) -> (Model, Data) {
    let model = Model::new(7, &[13.into(), "gelu".into(), 5.into(), "relu".into(), 3.into()], loss).unwrap();
    let data = Data::new(&model, 150, &mut Numbers::new(4));
    (model, data)
}

fn trainer(model: &Model, micro_batch: usize, open_blocks: bool, settings: Settings) -> accrue::Result<Trainer> {
    Trainer::new(gpu(), model, Settings { micro_batch, open_blocks, lr: 0.05, ..settings })
}

fn momentum() -> Settings {
    Settings { optimizer: Box::new(Sgd { momentum: 0.9, ..Sgd::default() }), ..Settings::default() }
}

#[test]
fn every_optimizer_and_loss_is_verified_with_weights_clipping_and_schedules() {
    for (at, loss) in losses().into_iter().enumerate() {
        let (model, mut data) = odd(loss);
        let mut numbers = Numbers::new(at as u64);
        data.weights = Some((0..150).map(|_| numbers.below(3) as f32 * 0.7).collect());
        for kind in 0..3 {
            let settings = || -> Settings {
                let optimizer: Box<dyn Optimizer> = match kind {
                    0 => Box::new(Sgd { momentum: 0.9, nesterov: true, weight_decay: 0.01, ..Sgd::default() }),
                    1 => Box::new(Adam { weight_decay: 0.01, ..Adam::default() }),
                    _ => Box::new(Adam::decoupled()),
                };
                let clip = Clip { norm: Some(0.05), value: Some(0.01) };
                let schedule = Schedule { warmup: 2, shape: ScheduleShape::Cosine { updates: 5, floor: 0.1 } };
                Settings { optimizer, clip, schedule, ..Settings::default() }
            };
            for (tail, batch) in [(Tail::Flush, 64), (Tail::Drop, 47), (Tail::Carry, 67)] {
                let fit = FitConfig { tail, shuffle: Some(3), ..FitConfig::new(data.all(), batch, 3) };
                let trials = trials(batch as usize, 40, 5, 1, 1);
                let make = |rows, open_blocks| trainer(&model, rows, open_blocks, settings());
                let verdicts = verify(make, &fit, 5, &trials, |_| ()).unwrap();
                assert!(verdicts.len() >= 7);
                for verdict in verdicts {
                    assert_eq!(
                        verdict.result,
                        Agreement::Equal,
                        "{loss}, optimizer {kind}, {tail:?}, {}",
                        verdict.trial
                    );
                }
            }
        }
    }
}

#[test]
fn a_trace_has_every_update_with_parameters_and_moments() {
    let (model, data) = odd("mse");
    let fit = FitConfig::new(data.all(), 64, 2);
    let adam = Settings { optimizer: Box::new(Adam::default()), ..Settings::default() };
    let trace = run(&mut trainer(&model, 64, true, adam).unwrap(), &fit, 99, &WHOLE).unwrap();
    assert_eq!((trace.updates.len(), trace.states.len(), trace.micro_batches), (6, 6, 6), "all there are");
    for state in &trace.states {
        assert_eq!((state.parameters.len(), state.moments.len()), (6, 2));
        for moment in &state.moments {
            assert!(moment.iter().all(|(name, array)| state.parameters[name].shape == array.shape));
            assert!(moment["0.weight"].values.iter().any(|&m| m != 0.0));
        }
    }
    let mut plain = trainer(&model, 64, true, Settings::default()).unwrap();
    assert!(run(&mut plain, &fit, 1, &WHOLE).unwrap().states[0].moments.is_empty());
}

#[test]
fn data_that_training_would_stream_is_streamed_here_too_with_the_same_bits() {
    let (model, data) = odd("mse");
    let fit = FitConfig::new(data.all(), 64, 1);
    // A device of its own, so that what is made on it can be counted.
    let gpu = Gpu::new(&Choice::default()).unwrap();
    let trace = |stream: bool, way: Way| {
        let settings = Settings { micro_batch: 20, stream, ..momentum() };
        let mut trainer = Trainer::new(&gpu, &model, settings).unwrap();
        let before = gpu.counts().buffers;
        let trace = run(&mut trainer, &fit, 3, &Trial { cut: Cut::Even(20), way }).unwrap();
        (trace, gpu.counts().buffers - before)
    };
    for way in [Way::Attached, Way::Unannounced] {
        let ((kept, data_buffers), (streamed, none)) = (trace(false, way), trace(true, way));
        assert_eq!((data_buffers, none), (1, 0), "{way:?}");
        assert_eq!(kept.difference(&streamed), None, "{way:?}");
    }
}

#[test]
fn one_flipped_bit_of_a_parameter_is_found_where_it_is() {
    let (model, mut data) = odd("mse");
    // Nothing else shows the bit: this feature is 0 in every row.
    data.features.iter_mut().skip(4).step_by(7).for_each(|value| *value = 0.0);
    let fit = FitConfig::new(data.all(), 64, 1);
    let (mut made, mut before) = (0, 0.0f32);
    let make = |rows, open_blocks| {
        let mut trainer = trainer(&model, rows, open_blocks, momentum())?;
        let mut arrays = trainer.parameters()?;
        let value = &mut arrays.get_mut("0.weight").unwrap().values[9 * 7 + 4];
        before = *value;
        if made == 2 {
            *value = f32::from_bits(value.to_bits() ^ 1);
        }
        made += 1;
        trainer.set_parameters(&arrays)?;
        Ok(trainer)
    };
    let trials = trials(64, 40, 3, 0, 1);
    let verdicts = verify(make, &fit, 3, &trials, |_| ()).unwrap();
    let differ = verdicts.iter().filter(|verdict| matches!(verdict.result, Agreement::Differs(_)));
    assert_eq!(differ.count(), 1, "{verdicts:?}");
    for (at, verdict) in verdicts.iter().enumerate() {
        let Agreement::Differs(difference) = &verdict.result else {
            assert!(at != 2 && verdict.result == Agreement::Equal, "{at}: {verdict:?}");
            continue;
        };
        assert_eq!((at, difference.update), (2, 1));
        assert_eq!((difference.array.as_str(), &difference.index[..]), ("0.weight", &[9, 4][..]));
        assert_eq!(difference.wanted, Bits::F32(before.to_bits()));
        assert_eq!(difference.found, Bits::F32(before.to_bits() ^ 1));
    }
}

fn traced(model: &Model, data: &Data, updates: u64) -> Trace {
    let fit = FitConfig::new(data.all(), 50, 1);
    run(&mut trainer(model, 50, true, momentum()).unwrap(), &fit, updates, &Trial { cut: Cut::Even(50), ..WHOLE })
        .unwrap()
}

#[test]
fn a_sample_that_is_left_out_is_found_in_its_window() {
    let (model, data) = odd("cross_entropy");
    let wanted = traced(&model, &data, 3);
    let mut fewer = data.clone();
    fewer.weights = Some((0..150).map(|row| f32::from(u8::from(row != 111))).collect());
    let difference = wanted.difference(&traced(&model, &fewer, 3)).unwrap();
    assert_eq!(difference.to_string(), "update 3: weight is 4.9e1 (0x4048800000000000), not 5e1 (0x4049000000000000)");
    // One that counts otherwise than by its weight: another class.
    let mut other = data.clone();
    other.classes[60] = (other.classes[60] + 1) % 3;
    let difference = wanted.difference(&traced(&model, &other, 3)).unwrap();
    assert_eq!((difference.update, difference.array.as_str()), (2, "loss"));
}

#[test]
fn rows_in_another_order_have_other_bits() {
    // The samples of each window are the same; only the order of its sums is not. It must show, or equal bits say little.
    let (model, data) = odd("mse");
    let wanted = traced(&model, &data, 3);
    let reversed: Vec<u32> = (0..3).flat_map(|window| (50 * window..50 * (window + 1)).rev()).collect();
    let difference = wanted.difference(&traced(&model, &data.pick(&reversed), 3)).unwrap();
    assert_eq!(difference.update, 1, "{difference}");
    assert!(wanted.difference(&traced(&model, &data, 3)).is_none());
}

#[test]
fn a_run_that_lacks_an_update_is_found() {
    let (model, data) = odd("mse");
    let difference = traced(&model, &data, 3).difference(&traced(&model, &data, 2)).unwrap();
    assert_eq!((difference.update, difference.array.as_str()), (3, "made"));
}

#[test]
fn what_diverges_is_refused_and_what_does_not_fit_is_left_out() {
    let (model, mut data) = odd("mse");
    let trials = trials(50, 10, 3, 0, 1);
    let fit = FitConfig::new(data.all(), 50, 1);
    let make = |rows, open_blocks| match rows {
        50 => Err(Error::Memory("too large".to_owned())),
        rows => trainer(&model, rows, open_blocks, momentum()),
    };
    let verdicts = verify(make, &fit, 3, &trials, |_| ()).unwrap();
    let skipped = verdicts.iter().filter(|verdict| verdict.result != Agreement::Equal).count();
    assert!(skipped > 0 && skipped < verdicts.len(), "{verdicts:?}");
    for verdict in verdicts {
        let wanted =
            if verdict.trial.cut.most() == 50 { Agreement::Skipped("too large".to_owned()) } else { Agreement::Equal };
        assert_eq!(verdict.result, wanted, "{}", verdict.trial);
    }
    data.values[200] = 3e38;
    let fit = FitConfig::new(data.all(), 50, 1);
    let make = |rows, open_blocks| trainer(&model, rows, open_blocks, momentum());
    let error = verify(make, &fit, 3, &trials, |_| ()).unwrap_err();
    assert!(matches!(error, Error::Diverged { update: 2, .. }), "{error}");
}

#[cfg(feature = "cli")]
mod command {
    use std::process::{Command, Output};

    fn accrue(arguments: &[&str]) -> (Option<i32>, String, String) {
        let mut command = Command::new(env!("CARGO_BIN_EXE_accrue"));
        // Whoever runs the test may have a table of kernels.
        command.args(arguments).env("ACCRUE_CACHE", concat!(env!("CARGO_TARGET_TMPDIR"), "/no-cache"));
        let output: Output = command.output().unwrap();
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    }

    #[test]
    fn the_examples_have_equal_bits_under_at_least_five_partitions() {
        for (config, batch) in [("examples/digits.toml", 120), ("examples/tutorial.toml", 120)] {
            let (code, out, err) = accrue(&["verify", config]);
            assert_eq!(code, Some(0), "{out}{err}");
            let equal: Vec<&str> = out.lines().filter(|line| line.starts_with("equal ")).collect();
            assert!(equal.len() >= 5 && !out.contains("DIFFERS"), "{out}");
            assert!(equal[0].contains("micro-batch 40") && equal[0].contains("(configured"), "{out}");
            let sizes =
                equal.iter().filter_map(|line| line.split("micro-batch ").nth(1)?.split(',').next()?.parse().ok());
            assert!(sizes.into_iter().any(|size: u32| batch % size != 0), "a non-divisor among them: {out}");
        }
    }

    #[test]
    fn a_script_reads_the_result_as_json() {
        let arguments = ["verify", "examples/tutorial.toml", "--updates", "2", "--json", "--set", "train.tail=carry"];
        let (code, out, err) = accrue(&arguments);
        assert_eq!(code, Some(0), "{err}");
        let page: serde_json::Value = serde_json::from_str(&out).unwrap();
        assert_eq!((&page["equal"], &page["updates"], &page["batch"]), (&true.into(), &2.into(), &120.into()));
        let partitions = page["partitions"].as_array().unwrap();
        assert!(partitions.len() >= 5 && partitions.iter().all(|one| one["result"] == "equal"), "{out}");
    }

    #[test]
    fn nothing_is_printed_with_quiet_and_errors_have_their_usual_codes() {
        let (code, out, err) = accrue(&["verify", "examples/tutorial.toml", "--updates", "1", "--quiet"]);
        assert_eq!((code, out.as_str()), (Some(0), ""), "{err}");
        let (code, _, err) = accrue(&["verify", "examples/tutorial.toml", "--set", "train.micro_batch=0"]);
        assert_eq!(code, Some(3), "{err}");
        let (code, _, err) = accrue(&["verify", "examples/tutorial.toml", "--set", "optimizer.lr=1e30"]);
        assert_eq!(code, Some(8), "{err}");
    }
}
