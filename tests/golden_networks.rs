//! Whole training runs on images and sequences against PyTorch's, made in f64 by `make_image_goldens.py` and
//! `make_sequence_goldens.py` in `tests/golden/`.

mod common;

use std::ops::ControlFlow;
use std::path::Path;

use accrue::data::{Batch, Target};
use accrue::nn::{Arrays, Layer, Model};
use accrue::optim::{self, Decay};
use accrue::plan::Array;
use accrue::train::{Event, FitConfig, Settings, Trainer};
use common::{distance, gpu};
use safetensors::SafeTensors;
use serde_json::Value;

#[derive(Clone)]
struct Case {
    entry: Value,
    bytes: Vec<u8>,
}

impl Case {
    /// Those of a list in `tests/golden/`.
    fn all(list: &str) -> Vec<Case> {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden");
        let list: Vec<Value> = serde_json::from_slice(&std::fs::read(folder.join(list)).unwrap()).unwrap();
        let read = |entry: Value| {
            let bytes = std::fs::read(folder.join(entry["file"].as_str().unwrap())).unwrap();
            Case { entry, bytes }
        };
        list.into_iter().map(read).collect()
    }

    fn number(&self, key: &str) -> usize {
        self.entry[key].as_u64().unwrap() as usize
    }

    fn model(&self) -> Model {
        let layers: Vec<Layer> = serde_json::from_value(self.entry["layers"].clone()).unwrap();
        let shape: Vec<usize> = serde_json::from_value(self.entry["shape"].clone()).unwrap();
        Model::of_shape(&shape, &layers, "cross_entropy").unwrap()
    }

    /// Rows after which a window may be cut.
    fn cuts(&self) -> Vec<usize> {
        let has_groups = self.model().network(false).unwrap().graph.group() > 1;
        if has_groups { vec![self.number("group")] } else { vec![1, 7, 16] }
    }

    /// How much each position of each row counts, if not all count 1.
    fn weights(&self) -> Option<Vec<f32>> {
        self.entry["weighted"].as_bool().unwrap_or(false).then(|| self.read("weights"))
    }

    /// The targets; what counts nothing is no class at all.
    fn targets(&self) -> Vec<u32> {
        let mut targets = self.read("targets");
        let nothing = |(_, weight): &(&mut u32, f32)| *weight == 0.0;
        let weights = self.weights().into_iter().flatten();
        targets.iter_mut().zip(weights).filter(nothing).for_each(|(target, _)| *target = u32::MAX);
        targets
    }

    fn read<T: bytemuck::Pod>(&self, name: &str) -> Vec<T> {
        bytemuck::pod_collect_to_vec(SafeTensors::deserialize(&self.bytes).unwrap().tensor(name).unwrap().data())
    }

    fn arrays(&self, prefix: &str) -> Arrays {
        let tensors = SafeTensors::deserialize(&self.bytes).unwrap();
        let own = tensors.tensors().into_iter().filter_map(|(name, view)| {
            let values = bytemuck::pod_collect_to_vec(view.data());
            Some((name.strip_prefix(prefix)?.to_owned(), Array { shape: view.shape().to_vec(), values }))
        });
        own.collect()
    }

    fn trainer(&self, micro_batch: usize) -> Trainer {
        let Value::Object(mut settings) = self.entry["optimizer"].clone() else { panic!("an optimizer is a table") };
        let kind = optim::find(settings["type"].as_str().unwrap()).unwrap();
        let lr = settings["lr"].as_f64().unwrap();
        let decay = settings.remove("decay").map_or(Decay::All, |decay| serde_json::from_value(decay).unwrap());
        settings.retain(|key, _| key != "type" && key != "lr");
        let given = settings.into_iter().collect::<serde_json::Map<_, _>>();
        let optimizer = (kind.make)(serde_json::from_value(Value::Object(given)).unwrap()).unwrap();
        let start = Some(self.arrays("start."));
        let settings = Settings { micro_batch, optimizer, lr, decay, start, ..Settings::default() };
        Trainer::new(gpu(), &self.model(), settings).unwrap()
    }
}

/// The same names and shapes, and no array further away than so much.
fn close(case: &Case, what: &str, ours: &Arrays, wanted: &Arrays, by: f64) {
    let name = &case.entry["name"];
    assert_eq!(ours.keys().collect::<Vec<_>>(), wanted.keys().collect::<Vec<_>>(), "{name}: {what}");
    for (array, wanted) in wanted {
        let ours = &ours[array];
        assert_eq!(ours.shape, wanted.shape, "{name}: {what} {array}");
        let apart = distance(ours.values.iter().map(|&v| f64::from(v)), wanted.values.iter().map(|&v| f64::from(v)));
        assert!(apart < by, "{name}: {what} {array} is {apart:e} away from PyTorch's");
    }
}

/// The losses of all updates, and what the run ends with.
fn run(case: &Case, micro_batch: usize) -> (Vec<f64>, Arrays, Vec<f32>) {
    let mut trainer = case.trainer(micro_batch);
    let (inputs, targets, weights) = (case.read::<f32>("inputs"), case.targets(), case.weights());
    let batch = Batch { features: (&inputs).into(), targets: Target::Classes(&targets), weights: weights.as_deref() };
    let fit = FitConfig::new(batch, case.number("batch") as u32, case.number("epochs") as u32);
    let mut losses = Vec::new();
    let watch = |event| {
        if let Event::Update { update, .. } = event {
            losses.push(update.loss);
        }
        ControlFlow::Continue(())
    };
    trainer.fit(&fit, watch).unwrap();
    let outputs = trainer.predict(&inputs).unwrap();
    (losses, trainer.parameters().unwrap(), outputs)
}

#[test]
fn images_train_as_in_pytorch_and_with_the_same_bits_for_every_cut_between_groups() {
    train_as_in_pytorch("images.json", 5);
}

#[test]
fn sequences_train_as_in_pytorch_and_with_the_same_bits_for_every_cut() {
    train_as_in_pytorch("sequences.json", 9);
}

fn train_as_in_pytorch(list: &str, least: usize) {
    let cases = Case::all(list);
    assert!(cases.len() >= least, "the golden cases are there");
    for case in &cases {
        let batch = case.number("batch");
        let (losses, parameters, outputs) = run(case, batch);
        let wanted = case.read::<f64>("losses");
        assert_eq!(losses.len(), wanted.len(), "{}: updates", case.entry["name"]);
        for (at, (ours, wanted)) in losses.iter().zip(&wanted).enumerate() {
            let apart = (ours - wanted).abs() / wanted.abs();
            assert!(apart < 1e-5, "{}: loss of update {} is {ours}, PyTorch's {wanted}", case.entry["name"], at + 1);
        }
        close(case, "final", &parameters, &case.arrays("final."), 2e-5);
        let apart =
            distance(outputs.iter().map(|&v| f64::from(v)), case.read::<f32>("outputs").iter().map(|&v| f64::from(v)));
        assert!(apart < 2e-5, "{}: outputs are {apart:e} away from PyTorch's", case.entry["name"]);
        for micro_batch in case.cuts() {
            let bits = |(losses, parameters, outputs): &(Vec<f64>, Arrays, Vec<f32>)| {
                let values = parameters.values().flat_map(|array| &array.values).chain(outputs);
                let bits: Vec<u32> = values.map(|value| value.to_bits()).collect();
                (losses.iter().map(|loss| loss.to_bits()).collect::<Vec<_>>(), bits)
            };
            let again = run(case, micro_batch);
            let same = bits(&again) == bits(&(losses.clone(), parameters.clone(), outputs.clone()));
            assert!(same, "{}: micro-batches of {micro_batch} give other bits", case.entry["name"]);
        }
    }
}

#[test]
fn the_first_windows_gradient_is_pytorchs() {
    for case in &[Case::all("images.json"), Case::all("sequences.json")].concat() {
        let batch = case.number("batch");
        let mut trainer = case.trainer(batch);
        let (inputs, targets, weights) = (case.read::<f32>("inputs"), case.targets(), case.weights());
        let data =
            Batch { features: (&inputs).into(), targets: Target::Classes(&targets), weights: weights.as_deref() };
        trainer.attach(&data).unwrap();
        let samples: Vec<u32> = (0..batch as u32).collect();
        for micro_batch in samples.chunks(*case.cuts().last().unwrap()) {
            trainer.schedule(micro_batch, micro_batch.last() == samples.last()).unwrap();
        }
        let mut sums = trainer.gradient_sums().unwrap();
        let wanted = case.arrays("gradient.");
        sums.retain(|name, _| wanted.contains_key(name));
        let positions = batch * case.model().positions();
        let all: f32 = weights.map_or(positions as f32, |weights| weights[..positions].iter().sum());
        sums.values_mut().flat_map(|array| &mut array.values).for_each(|value| *value /= all);
        close(case, "gradient", &sums, &wanted, 2e-5);
    }
}
