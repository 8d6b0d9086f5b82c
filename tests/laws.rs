//! What must hold of every training run, as sentences.

mod common;

use accrue::nn::Model;
use accrue::ops::losses;
use accrue::optim::{Optimizer, Sgd};
use accrue::plan::ExecutionMode;
use accrue::reference::{self, Matrix};
use accrue::train::Trainer;
use accrue::window::Tail;
use common::runs::{Data, Left, Path, Rest, Task, left, parameters, pieces};
use common::{Numbers, distance, gpu};

const MOMENTUM: Sgd = Sgd { momentum: 0.9, dampening: 0.0, weight_decay: 0.01, nesterov: false };

/// Three windows of 64 rows, for a network of odd sizes.
fn task(loss: &str) -> Task {
    let model = Model::new(13, &[19.into(), "tanh".into(), 7.into(), "gelu".into(), 3.into()], loss).unwrap();
    let data = Data::new(&model, 192, &mut Numbers::new(1));
    Task {
        model,
        data,
        sgd: MOMENTUM,
        lr: 0.1,
        epochs: 1,
        batch: 64,
        tail: Tail::Flush,
        shuffle: None,
        rest: Rest::default(),
    }
}

/// One micro-batch from the host's memory for each of these pieces of rows `from..`.
fn micro_steps(trainer: &mut Trainer, data: &Data, from: usize, cut: &[usize]) {
    for rows in pieces(cut.iter().sum(), cut) {
        trainer.micro_step(&data.stretch(from + rows.start..from + rows.end)).unwrap();
    }
}

#[test]
fn k_micro_batches_equal_one_batch() {
    for loss in losses() {
        let mut task = task(loss);
        task.epochs = 2;
        let whole = task.run(gpu(), &Path::FitConfig(64));
        assert_eq!(whole.updates.len(), 6, "{loss}");
        assert!(whole.updates.iter().all(|update| update.3), "{loss}: every update is made");
        for cut in [vec![64], vec![8], vec![1], vec![32], vec![5, 17, 42], vec![31, 2, 31], vec![63, 1]] {
            for path in [
                Path::FitConfig(cut[0]),
                Path::MicroStep(cut.clone()),
                Path::Schedule(cut.clone(), true),
                Path::Schedule(cut.clone(), false),
            ] {
                assert_eq!(whole, task.run(gpu(), &path), "{loss} by {path:?}");
            }
        }
    }
}

#[test]
fn without_open_blocks_the_bits_are_the_same_too() {
    let task = task("mse");
    let whole = task.run(gpu(), &Path::FitConfig(64));
    let mut trainer = task.trainer(gpu(), 32, false);
    trainer.attach(&task.data.all()).unwrap();
    for window in task.windows() {
        trainer.schedule(&window[..32], false).unwrap();
        trainer.schedule(&window[32..], true).unwrap();
        trainer.schedule_update().unwrap();
    }
    let updates = trainer.finish().unwrap();
    assert_eq!(Left { then: Vec::new(), ..whole }, left(&mut trainer, updates));
}

#[test]
fn data_that_goes_to_the_gpu_in_pieces_trains_to_the_bits_of_rows_that_the_host_sends_one_by_one() {
    // 2100 records of 4016 bytes are two pieces of 4 MiB and some rows; windows that are shuffled take from all three.
    let model = Model::new(999, &[6.into(), "tanh".into(), 2.into()], "cross_entropy").unwrap();
    let mut data = Data::new(&model, 2100, &mut Numbers::new(7));
    data.weights = Some((0..2100).map(|row| (row % 5) as f32).collect());
    let (batch, shuffle) = (700, Some(4));
    let mut task = Task { model, data, batch, shuffle, ..task("cross_entropy") };
    for kernels in [ExecutionMode::Ops, ExecutionMode::Fused] {
        task.rest.kernels = Some(kernels);
        let streamed = task.run(gpu(), &Path::Stream(100));
        assert_eq!(streamed.updates.len(), 3);
        let attached = Left { then: Vec::new(), ..task.run(gpu(), &Path::FitConfig(100)) };
        assert_eq!(Left { then: Vec::new(), ..streamed }, attached, "{kernels}");
    }
}

#[test]
fn an_update_carries_on_the_momentum_of_every_partition_alike() {
    // The state shows in the next update: after windows that were cut differently, one that was not.
    let task = task("mse");
    let end = |first: &[usize]| {
        let mut trainer = task.trainer(gpu(), 64, true);
        micro_steps(&mut trainer, &task.data, 0, first);
        trainer.update().unwrap();
        micro_steps(&mut trainer, &task.data, 64, &[64]);
        trainer.update().unwrap();
        parameters(&mut trainer)
    };
    let whole = end(&[64]);
    for cut in [&[8; 8][..], &[1; 64], &[5, 17, 42]] {
        assert_eq!(whole, end(cut), "{cut:?}");
    }
}

#[test]
fn parameters_do_not_move_between_updates() {
    let task = task("cross_entropy");
    let mut trainer = task.trainer(gpu(), 64, true);
    for window in 0..3 {
        let before = parameters(&mut trainer);
        for rows in pieces(64, &[5, 17, 42]) {
            trainer.micro_step(&task.data.stretch(64 * window + rows.start..64 * window + rows.end)).unwrap();
            assert_eq!(before, parameters(&mut trainer), "window {window}, after row {}", rows.end);
        }
        trainer.update().unwrap();
        assert_ne!(before, parameters(&mut trainer), "window {window} is updated");
    }
}

#[test]
fn looking_in_the_middle_of_a_window_changes_nothing() {
    let task = task("cross_entropy");
    let run = |look: bool| {
        let mut trainer = task.trainer(gpu(), 20, true);
        trainer.attach(&task.data.all()).unwrap();
        for window in task.windows() {
            for rows in pieces(64, &[20]) {
                let last = rows.end == 64;
                trainer.schedule(&window[rows], last).unwrap();
                if look {
                    trainer.evaluate(&task.data.all(), None).unwrap();
                    trainer.predict(&task.data.features[..13 * 21]).unwrap();
                    trainer.parameters().unwrap();
                    trainer.gradient_sums().unwrap();
                }
            }
            trainer.schedule_update().unwrap();
        }
        let updates = trainer.finish().unwrap();
        left(&mut trainer, updates)
    };
    assert_eq!(run(false), run(true));
}

/// The gradient Σ_r w_r · ∂loss_r/∂θ / Σ_r w_r and the loss of a window, by the reference: layer after layer, padding left out.
fn reference_window(task: &Task, trainer: &mut Trainer, rows: usize, weights: &[f32]) -> (Vec<f64>, f64) {
    let network = task.model.network(true).unwrap();
    let arrays = trainer.parameters().unwrap();
    let mut given = std::collections::HashMap::new();
    let (mut layers, mut layer) = (Vec::new(), 0);
    for tensor in network.graph.tensors() {
        use accrue::graph::TensorKind;
        let matrix = match network.graph.info(tensor).kind {
            TensorKind::Input => {
                Matrix::from_f32(rows, task.model.inputs, &task.data.features[..rows * task.model.inputs])
            }
            TensorKind::Target => Matrix::from_f32(rows, 3, &task.data.values[..rows * 3]),
            TensorKind::Statistic => unreachable!("no layer of a task keeps any"),
            TensorKind::Parameter => {
                let name = &network.graph.info(tensor).name;
                let parts = [&arrays[&format!("{name}.weight")], &arrays[&format!("{name}.bias")]];
                let values: Vec<f32> = parts.iter().flat_map(|part| &part.values).copied().collect();
                layers.push(tensor);
                layer += 1;
                Matrix::from_f32(1, values.len(), &values)
            }
            TensorKind::Intermediate => continue,
        };
        given.insert(tensor, matrix);
    }
    assert_eq!(layer, 3, "the layers of the network");
    let total: f64 = weights.iter().map(|&w| f64::from(w)).sum();
    let weights: Vec<f64> = weights.iter().map(|&w| f64::from(w) / total).collect();
    let mut run = reference::forward(&network.graph, &given);
    let loss = network.loss.unwrap();
    let mean = (0..rows).map(|r| weights[r] * run.values[&loss].at(r, 0)).sum();
    reference::backward(&network.graph, &mut run, loss, &weights);
    (layers.iter().flat_map(|layer| run.gradients[layer].values.clone()).collect(), mean)
}

/// As the reference orders them: each layer's weight, then its bias.
fn ordered(arrays: &accrue::nn::Arrays) -> Vec<f64> {
    let layer = |at: &str| [format!("{at}.weight"), format!("{at}.bias")];
    let names = ["0", "2", "4"].into_iter().flat_map(layer);
    names.flat_map(|name| arrays[&name].values.clone()).map(f64::from).collect()
}

#[test]
fn a_window_is_the_exact_weighted_mean_of_its_samples() {
    let mut task = task("mse");
    let mut numbers = Numbers::new(7);
    // Uneven tails: windows that end inside a block, at its end, and after one row.
    for rows in [1, 5, 31, 32, 33, 64, 75] {
        let weights: Vec<f32> =
            (0..192).map(|r| if r > 0 && numbers.below(4) == 0 { 0.0 } else { 3.0 * numbers.float().abs() }).collect();
        task.data.weights = Some(weights.clone());
        let mut trainer = task.trainer(gpu(), 64, true);
        let (gradient, loss) = reference_window(&task, &mut trainer, rows, &weights[..rows]);
        let mut wanted = ordered(&trainer.parameters().unwrap());
        let mut moments = vec![0.0; wanted.len()];
        task.sgd.reference(1, 0.1, &gradient, &mut wanted, &mut moments);

        trainer.attach(&task.data.all()).unwrap();
        let samples: Vec<u32> = (0..rows as u32).collect();
        pieces(rows, &[9, 24]).for_each(|piece| trainer.schedule(&samples[piece.clone()], piece.end == rows).unwrap());
        let sums = ordered(&trainer.gradient_sums().unwrap());
        let total: f64 = weights[..rows].iter().map(|&w| f64::from(w)).sum();
        let apart = distance(sums.iter().map(|sum| sum / total), gradient.iter().copied());
        assert!(apart < 1e-5, "{rows} rows: the gradient is {apart:e} away");

        trainer.schedule_update().unwrap();
        let update = trainer.finish().unwrap()[0];
        assert!((update.loss - loss).abs() < 1e-5 * loss, "{rows} rows: loss {} but {loss}", update.loss);
        assert!((update.weight - total).abs() < 1e-5 * total, "{rows} rows: weight {} but {total}", update.weight);
        assert_eq!(update.samples as usize, rows);
        let apart = distance(ordered(&trainer.parameters().unwrap()), wanted);
        assert!(apart < 1e-5, "{rows} rows: the parameters are {apart:e} away");
    }
}

/// A run in which windows of 64 rows are cut into `cut`; every other window has no weight when `empty`.
fn with_empty_windows(sgd: Sgd, empty: bool, cut: &[usize]) -> Left {
    let mut task = task("mse");
    task.sgd = sgd;
    let mut nothing = task.data.clone();
    nothing.weights = Some(vec![0.0; 192]);
    nothing.features[0] = f32::NAN;
    nothing.values[7] = f32::INFINITY;
    let mut trainer = task.trainer(gpu(), 64, true);
    let mut updates = Vec::new();
    for window in 0..3 {
        if empty {
            let before = parameters(&mut trainer);
            micro_steps(&mut trainer, &nothing, 0, cut);
            trainer.update().unwrap();
            let update = trainer.finish().unwrap()[0];
            assert_eq!((update.made(), update.weight, update.samples), (false, 0.0, 64), "window {window} is reported");
            assert_eq!(before, parameters(&mut trainer), "window {window} changes nothing");
        }
        micro_steps(&mut trainer, &task.data, 64 * window, cut);
        trainer.update().unwrap();
        updates.extend(trainer.finish().unwrap());
    }
    left(&mut trainer, updates)
}

#[test]
fn a_window_without_weight_makes_no_update_and_leaves_no_trace() {
    let dampened = Sgd { dampening: 0.5, ..MOMENTUM };
    for sgd in [Sgd::default(), MOMENTUM, dampened] {
        let wanted = with_empty_windows(sgd, false, &[64]);
        for cut in [&[64][..], &[5, 17, 42], &[8; 8]] {
            assert_eq!(wanted, with_empty_windows(sgd, true, cut), "{sgd:?}, {cut:?}");
        }
    }
}

#[test]
fn a_row_without_weight_leaves_no_trace_whatever_it_holds() {
    for loss in losses() {
        let mut task = task(loss);
        let mut weights = vec![1.0; 192];
        [3, 40, 41, 150].into_iter().for_each(|row| weights[row] = 0.0);
        task.data.weights = Some(weights);
        let wanted = task.run(gpu(), &Path::FitConfig(64));
        for bad in [f32::NAN, f32::INFINITY, f32::NEG_INFINITY, 3e38] {
            let mut task = Task { data: task.data.clone(), ..self::task(loss) };
            for row in [3, 40, 41, 150] {
                task.data.features[13 * row + row % 13] = bad;
                let columns = task.model.targets();
                task.data.values[columns * row + columns / 2] = bad;
            }
            assert_eq!(wanted, task.run(gpu(), &Path::FitConfig(64)), "{loss} with {bad}");
            assert_eq!(wanted, task.run(gpu(), &Path::MicroStep(vec![5, 17, 42])), "{loss} with {bad}");
        }
    }
}

#[test]
fn learning_rate_and_momentum_advance_once_per_update() {
    let task = task("mse");
    let rates = [0.2, 0.05, 0.0, 0.1];
    let run = |cut: &[usize]| {
        let mut trainer = task.trainer(gpu(), 32, true);
        let mut updates = Vec::new();
        let mut wanted = ordered(&trainer.parameters().unwrap());
        let mut moments = vec![0.0; wanted.len()];
        for (at, lr) in rates.into_iter().enumerate() {
            trainer.set_lr(lr).unwrap();
            // The reference's update follows from the parameters that the trainer really has.
            let (gradient, _) = reference_window(&task, &mut trainer, 32, &[1.0; 32]);
            task.sgd.reference(at as u64 + 1, lr, &gradient, &mut wanted, &mut moments);
            micro_steps(&mut trainer, &task.data, 0, cut);
            assert_eq!(trainer.updates(), at as u64, "a micro-batch is no update");
            trainer.update().unwrap();
            assert_eq!((trainer.updates(), trainer.open_rows()), (at as u64 + 1, 0));
            let apart = distance(ordered(&trainer.parameters().unwrap()), wanted.iter().copied());
            assert!(apart < 1e-5, "update {} of {cut:?} is {apart:e} away from the reference's", at + 1);
            updates.extend(trainer.finish().unwrap());
        }
        let clocks: Vec<(u64, f64)> = updates.iter().map(|update| (update.update, update.lr)).collect();
        assert_eq!(clocks, [(1, 0.2), (2, 0.05), (3, 0.0), (4, 0.1)], "{cut:?}");
        left(&mut trainer, updates)
    };
    let whole = run(&[32]);
    assert_eq!(whole, run(&[8; 4]));
    assert_eq!(whole, run(&[1; 32]));
}
